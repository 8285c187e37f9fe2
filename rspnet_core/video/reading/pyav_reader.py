"""Chosen frames of a video with PyAV: in order from the first frame, or by timestamp with seeks."""

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from rspnet_core.errors import VideoError
from rspnet_core.video.reading.pictures import Picture
from rspnet_core.video.reading.probe import Packets, VideoPacket, open_video

MakePicture = Callable[[av.VideoFrame], Picture]
_SEEKABLE = {"h264", "hevc", "vp8", "vp9", "av1"}
_CONTAINERS_WITH_AN_INDEX = {"mov", "matroska"}


class FramesMissing(Exception):
    """Not all wanted frames came out, or not where the packets said: the file must be read in order."""


@dataclass(frozen=True, slots=True)
class FramesInOrder:
    """The wanted ones of all frames that decode, and when each of *all* frames is shown (seconds from the first)."""

    pictures: dict[int, Picture]
    timestamps_seconds: NDArray[np.float64]


def seeks_exactly(packets: Packets) -> bool:
    """Whether decoding may start at any key frame of this file and frames be recognised by their timestamps."""
    return (
        packets.codec in _SEEKABLE
        and packets.container in _CONTAINERS_WITH_AN_INDEX
        and packets.groups_are_in_order
        and not packets.has_hidden_packets
    )


def read_in_order(path: Path, packets: Packets, wanted: NDArray[np.int64], make_picture: MakePicture) -> FramesInOrder:
    """Decode from the first frame until the end or the first damage; raises VideoError if no frame decodes."""
    indices = set(wanted.tolist())
    pictures: dict[int, Picture] = {}
    pts: list[int | None] = []
    with open_video(path) as (container, track):
        for index, frame in enumerate(_decodable(container, track.stream)):
            if index in indices:
                pictures[index] = make_picture(frame)
            pts.append(frame.pts)
    if not pts:
        raise VideoError("no frame can be decoded")
    return FramesInOrder(pictures, _seconds(pts, packets))


def _decodable(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    try:
        yield from container.decode(stream)
    except (av.error.InvalidDataError, av.error.EOFError, av.error.OSError):
        return


def _seconds(pts: list[int | None], packets: Packets) -> NDArray[np.float64]:
    known = np.array([p for p in pts if p is not None], dtype=np.int64)
    if len(known) < len(pts) or not (np.diff(known) > 0).all():
        return np.arange(len(pts)) / packets.fps
    seconds: NDArray[np.float64] = (known - known[0]) * float(packets.time_base)
    return seconds


def read_by_timestamp(
    path: Path, packets: Packets, wanted: NDArray[np.int64], make_picture: MakePicture
) -> dict[int, Picture]:
    """Decode only the groups of pictures that hold wanted frames; raises FramesMissing.

    A seek is made where a key frame lies in the gap before the next wanted frame, never elsewhere: seeking to each
    clip decodes some frames twice, which costs 3.3 times the time where key frames are rare.
    """
    index_of = dict(zip(np.sort(packets.pts)[wanted].tolist(), wanted.tolist(), strict=True))
    pictures: dict[int, Picture] = {}
    with open_video(path) as (container, track):
        for group in _groups(packets, sorted(index_of)):
            for frame in _decode_group(container, track.stream, group, keep=index_of):
                if frame.pts is None:
                    raise FramesMissing
                if frame.is_corrupt and frame.pts >= group.key_pts:  # what conceals damage depends on earlier frames
                    raise FramesMissing
                if frame.pts in index_of:
                    pictures[index_of[frame.pts]] = make_picture(frame)
                if frame.pts >= group.last_pts:
                    break
    if len(pictures) < len(index_of):
        raise FramesMissing
    return pictures


@dataclass(frozen=True, slots=True)
class _Group:
    """A stretch that is decoded in one go, from a key frame to the last wanted frame before the next seek."""

    key_pts: int
    last_pts: int


def _groups(packets: Packets, wanted_pts: list[int]) -> list[_Group]:
    """Stretches to decode: a wanted frame joins the stretch before it unless a key frame lies between them."""
    key_pts = packets.pts[packets.is_key]
    groups: list[_Group] = []
    for pts in wanted_pts:
        key = int(np.searchsorted(key_pts, pts, side="right")) - 1
        if groups and key_pts[key] <= groups[-1].last_pts:
            groups[-1] = _Group(groups[-1].key_pts, pts)
        else:
            groups.append(_Group(int(key_pts[key]), pts))
    return groups


def _decode_group(
    container: InputContainer, stream: VideoStream, group: _Group, keep: Container[int]
) -> Iterator[av.VideoFrame]:
    codec = stream.codec_context
    may_skip = codec.name == "h264"
    try:
        for packet in _packets_from(container, stream, group):
            if may_skip:  # frames that no other frame refers to need not be decoded unless they are wanted
                codec.skip_frame = "DEFAULT" if packet.pts is None or packet.pts in keep else "NONREF"
            yield from packet.decode()
    except (av.error.InvalidDataError, av.error.EOFError, av.error.OSError):
        raise FramesMissing from None


def _packets_from(container: InputContainer, stream: VideoStream, group: _Group) -> Iterator[VideoPacket]:
    """Packets from the group's key frame, or from one before it, where the container's index knows only that."""
    container.seek(group.key_pts, stream=stream)
    packets = container.demux(stream)
    first = next(packets)
    if not first.is_keyframe or first.pts is None or first.pts > group.key_pts:
        raise FramesMissing
    yield first
    yield from packets
