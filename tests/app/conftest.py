"""A small library, the app served over it on a free port, and a browser that looks at it."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("gradio")

import uvicorn
from argon2 import PasswordHasher

from app.cli.main import main
from app.server import configure, create_server
from app.serving.listening import listen
from app.serving.users import User, UserFile, write_users
from app.serving.visitors import Role, Visitor
from app.session.services import Services
from indexer.ingest.build import build_library
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.scenes import MOTIONS, Look, render
from tests.command import Finished, run
from tests.conftest import Once, save_headless_weights


@pytest.fixture(scope="session")
def data(sample_videos: Path, small_weights: Path, once: Once) -> Path:
    """32 labelled videos with their lists, one file that is none, and their library; read only."""

    def build(folder: Path) -> None:
        shutil.copytree(sample_videos, folder, dirs_exist_ok=True)
        (folder / "Bounce" / "broken <b>name.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(200))
        report = build_library(folder, weights=str(small_weights), device="cpu")
        assert (report.indexed, len(report.failed)) == (32, 1)

    return once("data", build)


@pytest.fixture(scope="session")
def index(data: Path) -> Path:
    """The library of ``data``; read only."""
    return data / ".rspnet"


@pytest.fixture(scope="session")
def services(index: Path) -> Iterator[Services]:
    """Over ``index``; read only."""
    with Services(index, device="cpu") as services:
        yield services


@pytest.fixture(scope="session")
def new_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that the library does not hold: SlideLeft in the look of no group."""
    path = tmp_path_factory.mktemp("new") / "my slide.mp4"
    frames = render("SlideLeft", Look.of_group(7, seed=3), playback_speed=1, phase=0.3, num_frames=75, fps=25)
    assert "SlideLeft" in MOTIONS
    write_video(path, frames, fps=25)
    return path


@dataclass(frozen=True)
class Served:
    """An app that listens."""

    url: str
    services: Services


EDITOR = Visitor("e" * 32, "editor")
"""Who calls the app's functions in tests that pass by the server."""

PASSWORD = "correct horse"
_HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""As the product's, in a thousandth of its time."""


def rspnet_app(*arguments: object, stdin: str = "") -> Finished:
    """Run the command in this process: what it prints, and how it exits."""
    return run(main, "rspnet-app", *arguments, stdin=stdin)


def user_file(folder: Path, **roles: Role) -> UserFile:
    """A file of users who all have ``PASSWORD``."""
    write_users(folder / "users", [User(name, role, _HASH) for name, role in roles.items()])
    return UserFile(folder / "users")


@contextmanager
def serving(services: Services, port: int = 0, **settings) -> Iterator[str]:
    """Serve on a port, 0 for any that is free, with settings of ``create_server``; gives the address."""
    listening = listen("127.0.0.1", port)
    port = listening.getsockname()[1]
    server = uvicorn.Server(configure(create_server(services, **settings)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def served(services: Services) -> Iterator[Served]:
    """The app over the library that is read only."""
    with serving(services) as url:
        yield Served(url, services)


@pytest.fixture(scope="session")
def four_videos(sample_videos: Path, small_weights: Path, once: Once) -> Path:
    """A data folder with a library of four videos in two classes; read only."""

    def build(folder: Path) -> None:
        for video in sorted(sample_videos.rglob("*.mp4"))[::9][:4]:
            (folder / video.parent.name).mkdir(exist_ok=True)
            shutil.copy2(video, folder / video.parent.name / video.name)
        assert build_library(folder, weights=str(small_weights), device="cpu").indexed == 4

    return once("four", build)


@pytest.fixture(scope="session")
def headless(four_videos: Path, once: Once) -> Path:
    """A library of the four videos by an encoder without heads; read only."""

    def build(folder: Path) -> None:
        weights = folder / "headless.safetensors"
        save_headless_weights(weights)
        assert build_library(four_videos, index=folder / "index", weights=str(weights), device="cpu").indexed == 4

    return once("headless", build) / "index"


@pytest.fixture
def own_library(four_videos: Path, tmp_path: Path) -> Path:
    """The same, to do with as a test likes."""
    return shutil.copytree(four_videos, tmp_path / "own")


@pytest.fixture(scope="session")
def own_port() -> int:
    """Where one test after the other serves a library of its own: a browser keeps its scripts by the address."""
    with listen("127.0.0.1", 0) as listening:
        return listening.getsockname()[1]


@pytest.fixture
def serve(own_port: int) -> Iterator[Callable[..., Served]]:
    """Serve the library of a folder until the test's end, and until its pages are closed."""
    with ExitStack() as stack:
        ports = iter([own_port])

        def serve_(folder: Path, **settings) -> Served:
            services = stack.enter_context(Services(folder, device="cpu", **settings))
            return Served(stack.enter_context(serving(services, next(ports, 0))), services)

        yield serve_


@pytest.fixture
def served_own(own_library: Path, serve) -> Served:
    """The app over ``own_library``."""
    return serve(own_library)
