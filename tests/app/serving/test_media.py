import os
import shutil
import threading
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from app.serving.media import Media, Source
from app.serving.media_cache import FileCache
from app.session.services import Services
from rspnet_core.errors import LibraryError, QueryNotFound, VideoError
from rspnet_core.video.reading.decode import probe
from tests.rspnet_core.video.made_videos import make_video

HASH = "ab" * 32
ME = "e" * 32


@pytest.fixture
def media(tmp_path: Path):
    def unknown(video_id: str) -> Source:
        raise QueryNotFound(video_id)

    media = Media(tmp_path / "media", tmp_path / "uploads", unknown)
    yield media
    media.close()


def test_a_poster_is_a_small_jpeg(media: Media, new_video: Path) -> None:
    poster = media.poster(media.add_query(new_video, HASH, ME), ME)
    picture = Image.open(poster)
    assert (picture.format, picture.height) == ("JPEG", 180)


def test_a_proxy_is_h264_of_the_same_length(media: Media, new_video: Path) -> None:
    proxy = probe(media.proxy(media.add_query(new_video, HASH, ME), ME))
    original = probe(new_video)
    assert (proxy.codec, proxy.container) == ("h264", original.container)
    assert (proxy.width, proxy.height) == (original.width, original.height)
    assert proxy.duration_seconds == pytest.approx(original.duration_seconds, abs=0.05)


def test_real_videos_become_small_proxies(media: Media, real_videos: Path) -> None:
    avi = next(iter(sorted((real_videos / "originals").rglob("*.avi"))))
    rotated = real_videos / "hostile" / "rotated90.mp4"
    irregular = real_videos / "hostile" / "vfr.mp4"
    for number, path in enumerate((avi, rotated, irregular)):
        before, after = probe(path), probe(media.proxy(media.add_query(path, f"{number:02x}" * 32, ME), ME))
        assert after.codec == "h264"
        assert min(after.width, after.height) <= 360
        assert (after.width > after.height) == (before.width > before.height)
        assert after.duration_seconds == pytest.approx(before.duration_seconds, abs=0.15)


@pytest.mark.slow
def test_hostile_files_have_neither(media: Media, real_videos: Path) -> None:
    for number, path in enumerate(sorted((real_videos / "hostile").glob("*.mp4"))):
        media_id = media.add_query(path, f"{number:02x}" * 32, ME)
        for make in (media.poster, media.proxy):
            try:
                assert make(media_id, ME).stat().st_size > 500
            except VideoError as error:
                assert len(str(error)) < 350


def test_files_are_made_once(media: Media, new_video: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    shutil.copy(new_video, path)
    media_id = media.add_query(path, HASH, ME)
    first = media.proxy(media_id, ME)
    path.unlink()
    assert media.proxy(media_id, ME) == first


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def long_video(tmp_path: Path) -> Path:
    """Two frames, 25 minutes apart: quickly written, and long in the making as a proxy of 37,500 frames."""
    return make_video(tmp_path / "long.mp4", num_frames=2, width=640, height=360, pts=[0, 25 * 1500])


@pytest.mark.parametrize("end", ["killed", "closed", "late"])
def test_a_proxy_that_does_not_come_to_its_end_leaves_nothing(
    media: Media, long_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    media_id = media.add_query(long_video, HASH, ME)
    folder = tmp_path / "uploads"
    if end == "late":
        monkeypatch.setattr("app.serving.media.PROXY_TIMEOUT_SECONDS", 3)
    errors: list[str] = []

    def ask() -> None:
        try:
            media.proxy(media_id, ME)
        except VideoError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: list(folder.glob(".*.part")))
    process = media._proxy
    if end == "killed":
        process.kill()
    elif end == "closed":
        media.close()
    thread.join(20)
    assert not thread.is_alive() and process.returncode == -9
    assert list(folder.iterdir()) == []
    (error,) = errors
    assert ("took longer than 3 s" if end == "late" else "stopped the decoder process") in error
    if end == "closed":
        with pytest.raises(VideoError, match="the app is ending"):
            media.proxy(media_id, ME)


@pytest.mark.parametrize("media_id", ["", "q", "../../etc/passwd", f"q{'0' * 32}", "Q" + "a" * 32, "0" * 17, "0" * 16])
def test_what_is_no_id_is_no_file(media: Media, media_id: str) -> None:
    for make in (media.poster, media.proxy):
        with pytest.raises(QueryNotFound):
            make(media_id, ME)


def test_a_library_shows_its_indexed_videos_alone(services: Services) -> None:
    video = services.videos(limit=1)[0]
    with Image.open(BytesIO(services.media.poster(video.id).read_bytes())) as picture:
        assert picture.height == 180
    failed = services.library.catalogue.failed()[0]
    with pytest.raises(QueryNotFound):
        services.media.poster(failed.id)


def write(size_bytes: int):
    return lambda path: path.write_bytes(bytes(size_bytes))


def test_the_longest_unused_files_go_first(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit_bytes=250)
    for age, name in enumerate(("c.mp4", "b.mp4", "a.mp4"), start=1):
        path = cache.get(name, write(100))
        os.utime(path, (1000 - age, 1000 - age))
    cache.get("d.mp4", write(100))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.mp4", "d.mp4"]


def test_files_in_use_stay_whatever_the_limit(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit_bytes=1)
    kept = [cache.get(name, write(10)) for name in ("a.mp4", "b.mp4")]
    assert all(path.is_file() for path in kept)


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit_bytes=100)

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise VideoError("damaged")

    for _ in range(2):
        with pytest.raises(VideoError):
            cache.get("a.mp4", fail)
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_make_one(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit_bytes=100)
    made: list[str] = []

    def make(path: Path) -> None:
        made.append(path.name)
        path.write_bytes(b"x")

    threads = [threading.Thread(target=cache.get, args=("a.mp4", make)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="RSPNET_CACHE"):
        FileCache(tmp_path / "file" / "media", limit_bytes=1)
