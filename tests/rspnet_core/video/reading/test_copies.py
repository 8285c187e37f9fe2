import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.video.reading import copies as copies_module
from rspnet_core.video.reading import reduced as reduced_module
from rspnet_core.video.reading.copies import ReducedCopies
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.video.reading.probe import probe, read_packets
from rspnet_core.video.reading.reduced import Reduced, reduce_video
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest, DecodeResult
from tests.rspnet_core.video.made_videos import make_video, turned

GEOMETRY = ClipGeometry(num_clips=3, frames_per_clip=6, size=96)
WIDTH, HEIGHT = 320, 256


def decode(pool: DecodePool, path: Path, geometry: ClipGeometry = GEOMETRY) -> DecodeResult:
    (result,) = pool.map([DecodeRequest(path, geometry, hash_content=True)])
    return result


def kept_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.mp4"))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / "video.mp4", width=WIDTH, height=HEIGHT)


@pytest.fixture
def copies(tmp_path: Path) -> ReducedCopies:
    return ReducedCopies(tmp_path / "cache")


MAKERS: dict[str, Callable[[Path], Path]] = {
    "constant rate": lambda folder: make_video(folder / "v.mp4", width=WIDTH, height=HEIGHT),
    "variable rate": lambda folder: make_video(
        folder / "v.mp4", width=WIDTH, height=HEIGHT, pts=[t for t in range(90) if t % 3]
    ),
    "no times, AVI": lambda folder: make_video(folder / "v.avi", width=WIDTH, height=HEIGHT, codec="mpeg4", fps=30),
    "turned": lambda folder: turned(make_video(folder / "v.mp4", width=WIDTH, height=HEIGHT), 90),
    "B-frames, Matroska": lambda folder: make_video(
        folder / "v.mkv", width=WIDTH, height=HEIGHT, options={"bf": "3"}, gop=30
    ),
    "odd sides": lambda folder: make_video(folder / "v.mp4", width=333, height=187, pixel_format="yuv444p"),
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("fps", [None, 12.5])
def test_a_copy_gives_the_clips_of_its_original(kind: str, fps: float | None, tmp_path: Path) -> None:
    path, geometry = MAKERS[kind](tmp_path), GEOMETRY.model_copy(update={"fps": fps})
    made = reduce_video(path)
    assert made is not None and made.info == probe(path)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(made.content)
    clips, expected = read_clips(copy, geometry), read_clips(path, geometry)
    np.testing.assert_allclose(clips.spans_seconds, expected.spans_seconds, atol=2e-3)
    frames, originals = (each.frames.reshape(-1, *each.frames.shape[2:]).astype(float) for each in (clips, expected))
    apart = np.array([[np.abs(frame - original).mean() for original in originals] for frame in frames])
    nearest = originals[apart.argmin(axis=1)]
    assert (nearest == originals).all() and np.diag(apart).max() < 20
    assert min(read_packets(copy).shown_size) == 128


def test_what_was_decoded_once_is_cut_from_its_copy(
    video: Path, copies: ReducedCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DecodePool(1, copies=copies) as pool:
        first = decode(pool, video)
        (copy,) = kept_in(copies.folder)
        monkeypatch.setattr(DecodePool, "_reduced", lambda *_: pytest.fail("made again"))
        again = decode(pool, video)
        smaller = decode(pool, video, ClipGeometry(num_clips=2, frames_per_clip=4, size=64, fps=10))
    assert first.clips is not None and again.clips is not None and smaller.clips is not None
    assert first.request.path == again.request.path == video
    assert (first.clips.frames == again.clips.frames).all()
    assert (again.clips.frames == read_clips(copy, GEOMETRY).frames).all()
    with DecodePool(1) as pool:
        directly = decode(pool, video)
    assert directly.clips is not None and again.content_hash == directly.content_hash == copy.stem
    assert again.clips.info == directly.clips.info and (again.clips.info.width, again.clips.info.height) == (320, 256)
    assert not (again.clips.frames == directly.clips.frames).all()


def test_what_a_copy_gains_nothing_for_is_read_from_its_file(
    video: Path, copies: ReducedCopies, tmp_path: Path
) -> None:
    small = make_video(tmp_path / "small.mp4", width=170, height=128)
    with DecodePool(1, copies=copies) as pool, DecodePool(1) as plain:
        result, expected = decode(pool, small), decode(plain, small)
    assert result.clips is not None and expected.clips is not None
    assert (result.clips.frames == expected.clips.frames).all() and result.content_hash == expected.content_hash
    assert kept_in(copies.folder) == []


def test_a_long_video_is_read_from_its_file(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced_module, "MAX_FRAMES", 60)
    assert reduce_video(video) is not None
    monkeypatch.setattr(reduced_module, "MAX_FRAMES", 59)
    assert reduce_video(video) is None


@pytest.mark.parametrize("content", [b"", b"no video at all, but text " * 9, bytes(range(256)) * 99])
def test_what_is_no_video_fails_as_it_does_without_copies(
    content: bytes, copies: ReducedCopies, tmp_path: Path
) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(content)
    with DecodePool(1, copies=copies) as pool, DecodePool(1) as plain:
        result, expected = decode(pool, path), decode(plain, path)
        gone = decode(pool, tmp_path / "gone.mp4")
    assert (result.error, result.no_video, result.content_hash) == (expected.error, False, expected.content_hash)
    assert gone.error == "no such file" and kept_in(copies.folder) == []


@pytest.mark.parametrize("damage", ["a bit of the copy", "what is said of it", "half of it"])
def test_a_damaged_copy_is_made_anew(damage: str, video: Path, copies: ReducedCopies) -> None:
    with DecodePool(1, copies=copies) as pool:
        first = decode(pool, video)
        (copy,) = kept_in(copies.folder)
        content = copy.read_bytes()
        if damage == "a bit of the copy":
            copy.write_bytes(content[:2000] + bytes([content[2000] ^ 1]) + content[2001:])
        elif damage == "what is said of it":
            copy.with_suffix(".json").write_text('{"sha256": 5}')
        else:
            copy.write_bytes(content[: len(content) // 2])
        again = decode(pool, video)
    assert first.clips is not None and again.clips is not None
    assert (first.clips.frames == again.clips.frames).all() and copy.read_bytes() == content


def test_a_copy_of_a_file_that_changed_meanwhile_is_not_kept(video: Path, copies: ReducedCopies) -> None:
    class Changing(DecodePool):
        def ask(self, request: dict[str, Any], *settings: Any, **more: Any) -> Any:
            return "0" * 64 if request["kind"] == "hash" else super().ask(request, *settings, **more)

    with Changing(1, copies=copies) as pool:
        assert decode(pool, video).error is None
    assert kept_in(copies.folder) == []


def test_the_longest_unused_go_first(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reduce_video(video)
    assert made is not None
    copies = ReducedCopies(tmp_path / "cache", gigabytes=3.5 * len(made.content) / 1e9)
    monkeypatch.setattr(copies_module, "_IN_USE_SECONDS", 1)
    names = [f"{number:064x}" for number in range(5)]
    for age, name in zip((50, 70, 60), names, strict=False):
        kept = copies.keep(name, made).path
        os.utime(kept, (kept.stat().st_atime, kept.stat().st_mtime - age))
    assert copies.find(names[1])  # used now, so that the third is the longest unused
    copies.keep(names[3], made)
    assert copies.find(names[1]) and copies.find(names[3])
    assert copies.find(names[2]) is None and not kept.with_suffix(".json").exists()
    again = ReducedCopies(tmp_path / "cache")
    assert again._limit_bytes == copies._limit_bytes


def test_a_folder_that_is_no_cache_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a")
    with pytest.raises(InvalidSetting, match=r"photos holds other files; give --cache a new or empty folder"):
        ReducedCopies(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]
    with pytest.raises(InvalidSetting, match=r"cannot write to .*a\.jpg"):
        ReducedCopies(tmp_path / "photos" / "a.jpg")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "cache.json").write_text('{"version": 2}')
    with pytest.raises(InvalidSetting, match=r"cache\.json: .*; give --cache another folder"):
        ReducedCopies(tmp_path / "odd")


def test_a_folder_that_is_opened_again_keeps_its_limit_and_is_not_written(tmp_path: Path) -> None:
    ReducedCopies(tmp_path / "cache", gigabytes=5)
    settings = tmp_path / "cache" / "cache.json"
    before = settings.stat()
    assert ReducedCopies(tmp_path / "cache")._limit_bytes == 5e9
    assert (settings.stat().st_ino, settings.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_a_killed_build_left_unfinished_goes_after_a_day(copies: ReducedCopies) -> None:
    folder = copies.folder / "ab"
    folder.mkdir()
    old, new = folder / ".abcd.mp4.0123abcd.tmp", folder / ".abce.mp4.0123abcd.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    two_days_ago = old.stat().st_mtime - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    ReducedCopies(copies.folder)
    assert list(folder.iterdir()) == [new]


@pytest.mark.parametrize("side", [128, 256])
def test_a_file_is_hashed_no_more_than_it_has_to_be(side: int, copies: ReducedCopies, tmp_path: Path) -> None:
    path = make_video(tmp_path / "v.mp4", width=side * 2, height=side)
    asked: list[str] = []

    class Heard(DecodePool):
        def ask(self, request: dict[str, Any], *settings: Any, **more: Any) -> Any:
            asked.append(request["kind"] + " and hash" * bool(request.get("hash_content")))
            return super().ask(request, *settings, **more)

    with Heard(1, copies=copies) as pool:
        results = [decode(pool, path) for _ in range(2)]
    assert asked[:3] == ["hash", "reduced", "clips"] and not any(kind.endswith("and hash") for kind in asked)
    assert results[0].content_hash == results[1].content_hash == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_full_disk_stops_with_what_to_do(copies: ReducedCopies, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RspnetError, match=r"cannot keep a reduced copy .*No space left on device.*; make room"):
        copies.keep("0" * 64, Reduced(b"content", probe(video)))
    assert list(copies.folder.glob("*/*")) == []
