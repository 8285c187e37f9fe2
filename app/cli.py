"""``rspnet-app``: serve the page over a library."""

import gc
import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rspnet_core.command import program, run
from rspnet_core.errors import InvalidSetting, RspnetError

if TYPE_CHECKING:
    import uvicorn

app = program("Search a library of videos in the browser.")

LOCAL = {"127.0.0.1", "localhost", "::1"}


@app.callback()
def commands() -> None:
    """Search a library of videos in the browser."""


@app.command()
def serve(
    index: Annotated[Path, typer.Option("--index", help="The library's folder (or the data folder it lies in).")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is all of them.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 7860,
    auth_file: Annotated[
        Path | None, typer.Option(help="Lines of user:password; only they may enter. Not readable by everyone.")
    ] = None,
    folder: Annotated[
        list[Path] | None, typer.Option(help="A folder whose videos may be added in the page; give it once for each.")
    ] = None,
    split_lists: Annotated[Path | None, typer.Option(help="Folder of the official lists, if not beside DATA.")] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Open the app on a library; Ctrl-C ends it.

    Examples: [bold]rspnet-app serve --index demo[/bold]
    [bold]rspnet-app serve --index /fast/ucf101 --host 0.0.0.0 --auth-file users[/bold]
    """
    from indexer.place import Place

    Place.find(index)  # a wrong path or a taken port is told before seconds of loading
    listening = _listen(host, port)
    gc.disable()  # what is imported stays: looking for garbage in it takes a sixth of the start
    import uvicorn

    from app.services import Services
    from app.serving.server import configure, create_server, read_credentials

    gc.freeze()
    gc.enable()

    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    credentials = read_credentials(auth_file) if auth_file else None
    with Services(index, device=device, folders=tuple(folder or ()), split_lists=split_lists) as services:
        page = create_server(services, credentials=credentials)
        if host not in LOCAL and credentials is None:
            print("note: anyone who can reach this address can search and add videos; see --auth-file", file=sys.stderr)
        warming = threading.Thread(target=services.warm_up)

        def ready() -> None:
            address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/"  # noqa: S104
            print(f"rspnet-app: {address} (Ctrl-C ends it)", file=sys.stderr)
            warming.start()
            if open_browser:
                webbrowser.open(address)

        _run_until_stopped(uvicorn.Server(configure(page)), listening, ready)
        if warming.is_alive():
            warming.join()  # PyTorch aborts a process that ends while it computes


def _listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on. Raises InvalidSetting."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host
        raise InvalidSetting(
            f"cannot listen on {host}:{port} ({error}); free it, or choose another --host or --port"
        ) from error


def _run_until_stopped(server: "uvicorn.Server", listening: socket.socket, ready: Callable[[], None]) -> None:
    """Serve in a thread, call ``ready`` when it answers: in the main thread, uvicorn ends Ctrl-C with a traceback.

    Raises RspnetError if it never answers.
    """
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            thread.join(0.05)
        if not server.started:
            raise RspnetError("the app could not start; the lines above say why")
        ready()
        thread.join()
    except KeyboardInterrupt:
        server.should_exit = True
        thread.join()


def main() -> None:
    """Entry point: one line and the right exit code for a user's mistake, no traceback."""
    run(app, "rspnet-app")


if __name__ == "__main__":
    main()
