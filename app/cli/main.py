"""``rspnet-app``: serve the page over a library, and keep the file of its users."""

import gc
import ipaddress
import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.users import users
from app.serving.listening import listen
from rspnet_core.cli.command import OwnBackboneOption, program, run
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.heap import give_back_freed_memory

if TYPE_CHECKING:
    import uvicorn

    from app.serving.metrics import Metrics
    from app.serving.visitors import Role
    from app.session.services import Services

app = program("Search a library of videos in the browser.")
app.add_typer(users, name="users")


IndexOption = Annotated[Path, typer.Option("--index", help="The library's folder (or the data folder it lies in).")]
AuthOption = Annotated[
    Path | None, typer.Option(help="The file of users, made by `rspnet-app users add`; only they may enter.")
]
FolderOption = Annotated[
    list[Path] | None, typer.Option(help="A folder whose videos may be added in the page; give it once for each.")
]
CompareOption = Annotated[
    list[Path] | None,
    typer.Option(help="Another library of the same videos, to compare with in the page; give it once for each."),
]
ListsOption = Annotated[Path | None, typer.Option(help="Folder of the official lists, if not beside DATA.")]
ProxyOption = Annotated[
    str, typer.Option(help="Addresses or networks, with commas, of reverse proxies that tell a visitor's address.")
]
EmbedOption = Annotated[
    str | None, typer.Option(help="A site that may show the page in a frame, as https://example.org.")
]
MetricsOption = Annotated[
    str | None, typer.Option(help="Serve Prometheus figures on [HOST:]PORT; this machine's unless HOST is given.")
]
_FIRST_PAGE_SECONDS = 3
"""Until then PyTorch would take from the first page the core that it is made by."""


@app.command()
def serve(
    index: IndexOption,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is all of them.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 7860,
    auth_file: AuthOption = None,
    folder: FolderOption = None,
    compare_with: CompareOption = None,
    split_lists: ListsOption = None,
    backbone: OwnBackboneOption = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    max_upload: Annotated[int, typer.Option(help="Megabytes that a visitor may keep uploaded.", min=1)] = 500,
    trusted_proxy: ProxyOption = "127.0.0.1",
    embed_in: EmbedOption = None,
    metrics: MetricsOption = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log each request as a line of JSON.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Open the app on a library; Ctrl-C ends it.

    Examples: [bold]rspnet-app serve --index demo[/bold]
    [bold]rspnet-app serve --index /fast/ucf101 --host 0.0.0.0 --auth-file users[/bold]
    """
    ancestors, proxies = _ancestors(embed_in), _proxies(trusted_proxy)
    figures = _address(metrics) if metrics is not None else None
    from app.serving.users import UserFile
    from indexer.index.place import Place

    for each in folder or ():
        if not each.is_dir():
            raise InvalidSetting(f"--folder {each}: no such folder; name one whose videos may be added")
    Place.find(index)  # a wrong path or a taken port is told before seconds of loading
    file_of_users = UserFile(auth_file) if auth_file else None
    listening = listen(host, port)
    give_back_freed_memory()
    gc.disable()  # what is imported stays: looking for garbage in it takes a sixth of the start
    import uvicorn

    from app.server import configure, create_server
    from app.serving.logs import set_up_logs
    from app.session.services import Services

    gc.freeze()
    gc.enable()

    set_up_logs(as_json=log_json)
    is_local = ipaddress.ip_address(listening.getsockname()[0]).is_loopback
    with (
        Services(
            index,
            device=device,
            backbone=backbone,
            folders=tuple(folder or ()),
            split_lists=split_lists,
            max_upload_bytes=max_upload * 10**6,
            others=tuple(compare_with or ()),
        ) as services,
        _serving_figures(services.metrics, figures),
    ):
        strangers: Role = "editor" if is_local else "viewer"
        page = create_server(services, users=file_of_users, strangers=strangers, ancestors=ancestors)
        if file_of_users is None:
            print(_who_may_what(is_local), file=sys.stderr)
        address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/"  # noqa: S104
        _serve_warming(services, uvicorn.Server(configure(page, proxies)), listening, address, open_browser)


def _serve_warming(
    services: "Services", server: "uvicorn.Server", listening: socket.socket, address: str, open_browser: bool
) -> None:
    """Serve until stopped; once the address answers, say so, and load the encoder when the first page is there."""
    warming = threading.Timer(_FIRST_PAGE_SECONDS, services.warm_up)

    def ready() -> None:
        print(f"rspnet-app: {address} (Ctrl-C ends it)", file=sys.stderr)
        warming.start()
        if open_browser:
            webbrowser.open(address)

    try:
        _run_until_stopped(server, listening, ready)
    finally:
        warming.cancel()
        if warming.is_alive():
            warming.join()  # PyTorch aborts a process that ends while it computes


def _ancestors(embed_in: str | None) -> str:
    """Who may show the page in a frame, as headers say it. Raises InvalidSetting."""
    if embed_in is not None and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]*-]+", embed_in):
        raise InvalidSetting(
            f"--embed-in: got {embed_in!r}, allowed is the address of a site, as https://example.org, with no path"
        )
    return embed_in or "'none'"


def _proxies(text: str) -> str:
    """Addresses and networks, with commas. Raises InvalidSetting for another text, which would be no proxy's."""
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        try:
            ipaddress.ip_network(part)
        except ValueError as error:
            raise InvalidSetting(
                f"--trusted-proxy: got {part!r}, allowed are addresses and networks, as 127.0.0.1,10.0.0.0/8"
            ) from error
    return ",".join(parts)


def _who_may_what(is_local: bool) -> str:
    if is_local:
        return "note: no logins: whoever uses this machine may search and add videos"
    return "note: no logins: whoever reaches this address may search, nobody may add videos; see --auth-file"


def _address(text: str) -> tuple[str, int]:
    """Host and port of ``[HOST:]PORT``. Raises InvalidSetting."""
    host, _, port = text.rpartition(":")
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise InvalidSetting(f"--metrics: got {text!r}, allowed is PORT or HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def _serving_figures(metrics: "Metrics", address: tuple[str, int] | None) -> Iterator[None]:
    """Serve figures while the block runs, where an address is given. Raises InvalidSetting for one that is taken."""
    if address is None:
        yield
        return
    try:
        stop = metrics.serve(*address)
    except OSError as error:
        raise InvalidSetting(
            f"--metrics: cannot listen on {address[0]}:{address[1]} ({error}); choose another"
        ) from error
    try:
        yield
    finally:
        stop()


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
