"""The socket that the app listens on; taken before seconds of loading, so that a taken port is told at once."""

import socket

from rspnet_core.errors import InvalidSetting


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; port 0 is any that is free. Raises InvalidSetting."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host
        raise InvalidSetting(
            f"cannot listen on {host}:{port} ({error}); free it, or choose another --host or --port"
        ) from error
    # asyncio does this for sockets of its own making alone; without it the body of each answer waits 40 ms for the
    # client's word that the headers have arrived.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
