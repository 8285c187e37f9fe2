"""What hundreds of hostile files in a row cost: nothing but themselves."""

import gc
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.serving.media import Media, Source
from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import QueryNotFound, VideoError
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest
from tests.app.serving.hostile_files import Held, Listener, listening, shows_secret, write_references, write_secrets
from tests.app.serving.test_media import ME

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="measures with Linux's /proc"),
    pytest.mark.usefixtures("started_decoders"),  # the process that tests fork decoders from would be measured too
]

GEOMETRY = ClipGeometry(num_clips=2, frames_per_clip=4, size=64)
MOST_GROWTH_MEGABYTES = 50


@pytest.fixture
def files(real_videos: Path) -> list[Path]:
    folders = (real_videos / "hostile", real_videos / "originals")
    return [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]


@pytest.fixture
def media(tmp_path: Path) -> Iterator[Media]:
    def unknown(video_id: str) -> Source:
        raise QueryNotFound(video_id)

    media = Media(tmp_path / "media", tmp_path / "uploads", unknown)
    yield media
    media.close()


def settled(before: Held) -> Held:
    """What is held once the threads and processes that were told to end have done so."""
    gc.collect()
    deadline = time.monotonic() + 10
    while (now := Held.now()).processes - before.processes or now.threads > before.threads:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return now


def assert_nothing_is_left(before: Held, after: Held) -> None:
    print(f"before: {before}\nafter: {after}")
    assert len(after.processes) <= len(before.processes)  # what earlier tests began may end or be replaced meanwhile
    assert after.threads <= before.threads
    assert after.descriptors <= before.descriptors
    assert after.megabytes - before.megabytes < MOST_GROWTH_MEGABYTES


def held_after(pool: DecodePool, request: DecodeRequest) -> Held:
    """What is held with a child that works."""
    (result,) = pool.map([request])
    assert result.error is None
    return Held.now()


def assert_decoding_costs_nothing(files: list[Path], failures: int) -> None:
    """Decode all files, then those that failed over and over; also while the pool is open nothing may grow."""
    with DecodePool(1) as pool:  # the heap takes once what the largest of them needs
        assert len(list(pool.map(DecodeRequest(path, GEOMETRY) for path in files))) == len(files)
    start = settled(Held.now())
    good = DecodeRequest(next(path for path in files if path.name == "good.mp4"), GEOMETRY)
    with DecodePool(1) as pool:
        results = list(pool.map(DecodeRequest(path, GEOMETRY, hash_content=True) for path in files))
        failing = [Path(result.request.path) for result in results if result.error is not None]
        warm = held_after(pool, good)
        requests = [DecodeRequest(path, GEOMETRY, hash_content=True) for path in islice(cycle(failing), failures)]
        assert all(result.clips is None and result.error for result in pool.map(requests))
        after = held_after(pool, good)
        print(f"{len(files)} files, {len(failing)} failing, {failures} in a row; warm: {warm}\nafter: {after}")
        assert len(after.processes) <= len(start.processes) + 1
        assert after.threads <= warm.threads
        assert after.descriptors <= warm.descriptors
        assert after.megabytes - warm.megabytes < MOST_GROWTH_MEGABYTES
    assert_nothing_is_left(start, settled(start))


@pytest.mark.slow
def test_files_that_fail_to_decode_cost_nothing(files: list[Path]) -> None:
    assert_decoding_costs_nothing([path for path in files if path.parent.name == "hostile"], failures=30)


@pytest.mark.slow
def test_hundreds_of_files_that_fail_to_decode_cost_nothing(files: list[Path]) -> None:
    assert_decoding_costs_nothing(files, failures=300)


def assert_pictures_cost_nothing(
    files: list[Path], make: Callable[[str, str], Path], media: Media, failures: int
) -> None:
    """Make posters or proxies of all files, then of those that failed over and over."""
    failing: list[str] = []
    for number, path in enumerate(files):
        media_id = media.add_query(path, f"{number:032x}", ME)
        try:
            assert make(media_id, ME).stat().st_size > 500
        except VideoError:
            failing.append(media_id)
    warm = Held.now()
    for media_id in islice(cycle(failing), failures):
        with pytest.raises(VideoError):
            make(media_id, ME)
    after = settled(warm)  # what serves other tests in this process may be at work for a moment
    print(f"{len(files)} files, {len(failing)} failing, {failures} in a row; warm: {warm}\nafter: {after}")
    assert len(after.processes) <= len(warm.processes)
    assert after.threads <= warm.threads
    assert after.descriptors <= warm.descriptors
    assert after.megabytes - warm.megabytes < MOST_GROWTH_MEGABYTES
    assert list(media._of_uploads.folder.glob(".*")) == []


def test_files_without_a_picture_cost_nothing(files: list[Path], media: Media) -> None:
    hostile = [path for path in files if path.parent.name == "hostile" and path.stat().st_size < 100_000]
    assert_pictures_cost_nothing(hostile, media.poster, media, failures=20)
    assert_pictures_cost_nothing([path for path in hostile if "moovless" in path.name], media.proxy, media, failures=2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["poster", "proxy"])
def test_hundreds_of_files_without_a_picture_cost_nothing(files: list[Path], media: Media, kind: str) -> None:
    assert_pictures_cost_nothing(files, getattr(media, kind), media, failures=200)


@pytest.mark.slow
def test_a_build_of_files_that_fail_costs_nothing(files: list[Path], small_weights: Path, tmp_path: Path) -> None:
    assert_a_build_costs_nothing(files, small_weights, tmp_path, failures=20)


@pytest.mark.slow
def test_a_build_of_hundreds_of_files_that_fail_costs_nothing(
    files: list[Path], small_weights: Path, tmp_path: Path
) -> None:
    assert_a_build_costs_nothing(files, small_weights, tmp_path, failures=200)


def assert_a_build_costs_nothing(files: list[Path], weights: Path, folder: Path, failures: int) -> None:
    """Build over copies of one file that decodes and of as many that do not, after a build that is the same.

    What a process first needs for hundreds of failures, 80 MB, it keeps for the next.
    """
    with DecodePool(2) as pool:
        results = list(pool.map(DecodeRequest(path, GEOMETRY) for path in files if path.parent.name == "hostile"))
    failing = sorted(
        Path(result.request.path) for result in results if result.error is not None and not result.no_video
    )
    good = next(path for path in files if path.name == "good.mp4")
    for name in ("first", "again"):
        data = folder / name
        data.mkdir()
        shutil.copy(good, data / "a.mp4")
        for place, path in enumerate(islice(cycle(failing), failures)):
            shutil.copyfile(path, data / f"b{place:03d} {path.name}")
        before = Held.now()
        report = build_library(data, weights=str(weights), device="cpu", workers=1)
        after = settled(before)
        print(f"{name}: {report.indexed} indexed, {len(report.failed)} failed")
        assert (report.indexed, len(report.failed), report.total) == (1, failures, failures + 1)
        if name == "again":
            assert_nothing_is_left(before, after)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


def test_no_file_makes_a_build_open_another_file_or_an_address(
    listener: Listener, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, data = write_secrets(tmp_path / "outside"), tmp_path / "data"
    write_references(data, secret, listener.port)
    assert shows_secret(read_clips(secret, GEOMETRY).frames)
    monkeypatch.chdir(data)  # where a name such as http:... would be an address
    before = {path: path.stat().st_mtime_ns for path in secret.parent.iterdir()}
    report = build_library(Path(), index=tmp_path / "index", weights=str(small_weights), device="cpu")
    failed = {failure.path: failure.reason for failure in report.failed}
    for name in ("link.mp4", "chain.mp4", "relative.mp4", "zero.mp4", "memory.mp4"):
        assert failed[name].startswith("symbolic link leads outside of the data folder")
    assert failed["loop.mp4"] == failed["nowhere.mp4"] == "symbolic link leads to no file"
    assert failed["fifo.mp4"] == failed["socket.mp4"] == "not a regular file"
    assert all(reason.isprintable() for reason in failed.values())
    with Library.open(tmp_path / "index", device="cpu") as library:
        indexed = [library.path_of(row) for row in library.catalogue.videos(status="indexed")]
    assert {"good.mp4", "clip%d.jpg", "http:..", "polyglot.mp4"} <= {path.name for path in indexed}
    assert len(failed) > 100
    own = [path for path in indexed if not path.is_symlink()]
    with DecodePool(1) as pool:
        for result in pool.map(DecodeRequest(path, GEOMETRY) for path in own):
            assert result.clips is not None and not shows_secret(result.clips.frames), result.request.path
    assert {path: path.stat().st_mtime_ns for path in secret.parent.iterdir()} == before
    assert listener.visits == []
    _assert_counted(listener)


@pytest.mark.slow
def test_no_file_makes_a_picture_of_another_file_or_of_an_address(
    listener: Listener, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, data = write_secrets(tmp_path / "outside"), tmp_path / "data"
    write_references(data, secret, listener.port)
    monkeypatch.chdir(data)
    paths = [path for path in sorted(data.iterdir()) if not path.is_symlink() and not path.is_dir()]
    tricky = [data / name for name in ("1 reference alias.mov", "clip%d.jpg", "polyglot.mp4")]
    for make, chosen in ((media.poster, paths), (media.proxy, tricky)):
        for path in chosen:
            try:
                picture = make(media.add_query(path, f"{paths.index(path):032x}", ME), ME)
            except VideoError as error:
                assert str(error).isprintable()
            else:
                frames = (
                    np.array(Image.open(picture)) if picture.suffix == ".jpg" else read_clips(picture, GEOMETRY).frames
                )
                assert not shows_secret(frames), path.name
    assert listener.visits == []
    _assert_counted(listener)


def _assert_counted(listener: Listener) -> None:
    """The listener does count: else none coming would mean nothing."""
    socket.create_connection(("127.0.0.1", listener.port)).close()
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", ("127.0.0.1", listener.port))
    deadline = time.monotonic() + 10
    while sorted(listener.visits) != ["tcp", "udp"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
