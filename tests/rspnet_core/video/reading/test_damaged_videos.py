"""Small real videos with changed bytes, through the sandbox: clips of the right shape or one plain reason."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rspnet_core.config import ClipGeometry, SingleSampling
from rspnet_core.errors import VideoError
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest
from tests.rspnet_core.video.made_videos import make_video

GEOMETRY = ClipGeometry(num_clips=2, frames_per_clip=3, size=32, fps=10)
SAMPLING = SingleSampling(frames_per_clip=3, frame_size=32)
KINDS = {
    "plain.mp4": {},
    "front.mp4": {"options": {"movflags": "+faststart"}},
    "fragments.mp4": {"options": {"movflags": "+frag_keyframe"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "plain.mkv": {},
    "vp8.webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
    "stream.ts": {},
    "mpeg2.mpg": {"codec": "mpeg2video"},
    "windows.wmv": {"codec": "wmv2"},
    "flash.flv": {"codec": "flv"},
    "picture.gif": {"codec": "gif", "pixel_format": "rgb8"},
}
FUZZ = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
}


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: make_video(folder / name, **({"num_frames": 8, "width": 96, "height": 64} | how)).read_bytes()
        for name, how in KINDS.items()
    }


@pytest.fixture(scope="module")
def pool():
    with DecodePool(1, timeout_seconds=20, memory_bytes=600 * 2**20) as pool:
        yield pool


NUMBERS = [0, 1, 2, 127, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1]
BOXES = [
    b"ftyp",
    b"moov",
    b"mvhd",
    b"trak",
    b"tkhd",
    b"edts",
    b"elst",
    b"mdhd",
    b"stsd",
    b"avc1",
    b"avcC",
    b"stts",
    b"ctts",
]
BOXES += [
    b"stsc",
    b"stsz",
    b"stco",
    b"stss",
    b"mdat",
    b"moof",
    b"trun",
    b"tfhd",
    b"RIFF",
    b"hdrl",
    b"avih",
    b"strh",
    b"strf",
]
BOXES += [
    b"movi",
    b"idx1",
    b"FMP4",
    b"\x1a\x45\xdf\xa3",
    b"\x2a\xd7\xb1",
    b"\xb0",
    b"\xe0",
    b"\x00\x00\x01\xb3",
    b"GIF8",
]

shares = st.floats(0, 1, exclude_max=True)
Edit = Callable[[bytearray], None]


def _flip(share: float, mask: int) -> Edit:
    def edit(content: bytearray) -> None:
        if content:
            content[int(share * len(content))] ^= mask

    return edit


def _number(name: bytes, offset: int, number: int, layout: str) -> Edit:
    """Write a number near a header's name."""

    def edit(content: bytearray) -> None:
        place = content.find(name) + offset
        if place >= offset and 0 <= place <= len(content) - 4:
            struct.pack_into(layout, content, place, number)

    return edit


def _cut(share: float) -> Edit:
    return lambda content: content.__delitem__(slice(int(share * len(content)), None))


def _move(start: float, stop: float, to: float) -> Edit:
    def edit(content: bytearray) -> None:
        size = len(content)
        piece = content[int(start * size) : int(start * size) + int(stop * 400)]
        content[int(to * size) : int(to * size)] = piece

    return edit


edits = st.lists(
    st.builds(_flip, shares, st.integers(1, 255))
    | st.builds(_flip, st.floats(0, 0.1), st.integers(1, 255))
    | st.builds(
        _number, st.sampled_from(BOXES), st.integers(-4, 60), st.sampled_from(NUMBERS), st.sampled_from(["<I", ">I"])
    )
    | st.builds(_cut, st.floats(0.05, 1))
    | st.builds(_move, shares, shares, shares),
    min_size=1,
    max_size=4,
)


def assert_clips_or_a_reason(pool: DecodePool, path: Path, content: bytes, edits: list[Edit]) -> None:
    damaged = bytearray(content)
    for edit in edits:
        edit(damaged)
    path.write_bytes(damaged)
    (result,) = pool.map([DecodeRequest(path, GEOMETRY, hash_content=True)])
    if result.clips is None:
        assert result.error and result.error.isprintable() and len(result.error) <= 300
        assert "Error:" not in result.error, result.error  # an error of Python's that nobody foresaw
    else:
        clips = result.clips
        assert clips.frames.shape == (2, 3, 32, 32, 3)
        assert (clips.spans_seconds[:, 0] <= clips.spans_seconds[:, 1]).all() and (clips.spans_seconds >= 0).all()
        assert result.colour_histogram is not None and np.isfinite(result.colour_histogram).all()
        assert clips.info.num_frames > 0 and clips.info.duration_seconds > 0
    assert result.error != "decoding made the decoder process answer nonsense"
    for ask in (lambda: pool.random_clip(path, SAMPLING, (0,)).result().frames, lambda: pool.poster(path, 32)):
        try:
            assert ask().dtype == np.uint8
        except VideoError as error:
            assert str(error).isprintable() and "Error:" not in str(error), str(error)


@settings(max_examples=120, **FUZZ)
@given(name=st.sampled_from(list(KINDS)), edits=edits)
def test_damaged_videos_give_clips_or_a_reason(contents, pool, tmp_path, name, edits):
    assert_clips_or_a_reason(pool, tmp_path / name, contents[name], edits)


@pytest.mark.slow
@settings(max_examples=1500, **FUZZ)
@given(name=st.sampled_from(list(KINDS)), edits=edits)
def test_very_many_damaged_videos_give_clips_or_a_reason(contents, pool, tmp_path, name, edits):
    assert_clips_or_a_reason(pool, tmp_path / name, contents[name], edits)
