"""The readers that seek, in the order in which they are tried; each knows which files it gives the right frames of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rspnet_core.video.reading.decord_reader import read_with_decord, reads_exactly
from rspnet_core.video.reading.pictures import Picture, Scaler
from rspnet_core.video.reading.probe import Packets
from rspnet_core.video.reading.pyav_reader import read_by_timestamp, seeks_exactly
from rspnet_core.video.sampling import Indices


@dataclass(frozen=True)
class Wanted:
    """Which frames of a file are wanted, and as what pictures."""

    path: Path
    packets: Packets
    frames: Indices
    """Sorted and unique."""
    width: int
    """Of the picture as it is shown, before ``cut``; in pixels, as ``height``."""
    height: int
    cut: Callable[[Picture], Picture]
    """From scaled frames uint8 (..., h, w, 3) to what is kept."""


@dataclass(frozen=True)
class Reader:
    """One way to read frames without decoding all before them."""

    reads_exactly: Callable[[Wanted], bool]
    """Whether it gives the right frames of this file, and is the one to take for as many of them."""
    read: Callable[[Wanted], dict[int, Picture]]
    """Index -> picture of each frame that is wanted. Raises FramesMissing where it cannot give all of them."""


def _few_are_skipped(wanted: Wanted) -> bool:
    return 2 * len(wanted.frames) >= len(wanted.packets.pts)


def _by_decord(wanted: Wanted) -> dict[int, Picture]:
    frames = read_with_decord(wanted.path, wanted.packets, wanted.frames, wanted.width, wanted.height)
    return dict(zip(wanted.frames.tolist(), wanted.cut(frames), strict=True))


def _by_timestamp(wanted: Wanted) -> dict[int, Picture]:
    scaler = Scaler(wanted.width, wanted.height, wanted.packets.display)
    return read_by_timestamp(wanted.path, wanted.packets, wanted.frames, lambda frame: wanted.cut(scaler(frame)))


READERS: tuple[Reader, ...] = (
    Reader(lambda wanted: reads_exactly(wanted.packets, wanted.width) and _few_are_skipped(wanted), _by_decord),
    Reader(lambda wanted: seeks_exactly(wanted.packets), _by_timestamp),
)
