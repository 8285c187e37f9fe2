"""A video reduced to what most encoders see of it: all of its frames, 128 pixels high or wide, quick to decode.

H.264 without B-frames, filters and arithmetic coding, a key frame each 12 frames; each frame at the time that it has in
the original, so that the same clips are cut from both.
"""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from rspnet_core.video.making.encode import add_h264
from rspnet_core.video.reading.pictures import Picture, Scaler, scaled_size
from rspnet_core.video.reading.probe import Packets, VideoInfo, read_packets
from rspnet_core.video.reading.pyav_reader import read_in_order

SHORT_SIDE = 128
"""Of a reduced copy, in pixels."""
MAX_FRAMES = 10_000
"""Of a longer video few frames are decoded for its clips, and all would be for a copy."""
_OPTIONS = {"crf": "18", "preset": "veryfast", "tune": "fastdecode", "g": "12", "bf": "0"}
_NOTHING: Picture = np.empty(0, np.uint8)


@dataclass(frozen=True, slots=True)
class Reduced:
    """A reduced copy, as the bytes of an MP4, and what the original is."""

    content: bytes
    info: VideoInfo


class _Unreducible(Exception):
    """Frames without times that ascend."""


def reduce_video(path: Path) -> Reduced | None:
    """The reduced copy of a video; None where it gains nothing or cannot be made: see :func:`_is_worthwhile`.

    Raises VideoError as ``decode.read_clips`` does.
    """
    packets = read_packets(path)
    if not _is_worthwhile(packets):
        return None
    file = io.BytesIO()
    try:
        with av.open(file, "w", format="mp4") as container:
            writer = _Writer(container, packets)
            decoded = read_in_order(path, packets, np.arange(MAX_FRAMES), writer)
            writer.finish()
    except (_Unreducible, av.FFmpegError, OverflowError):
        return None
    if len(decoded.timestamps_seconds) > MAX_FRAMES:
        return None
    return Reduced(file.getvalue(), packets.info(decoded.timestamps_seconds))


def _is_worthwhile(packets: Packets) -> bool:
    """Whether a copy has fewer pixels than the original, whose frames are few enough to be decoded all."""
    return min(packets.shown_size) > SHORT_SIDE and len(packets.pts) <= MAX_FRAMES


class _Writer:
    """Takes decoded frames one by one, and keeps none."""

    def __init__(self, container: OutputContainer, packets: Packets) -> None:
        width, height = (2 * round(side / 2) for side in scaled_size(*packets.shown_size, short_side=SHORT_SIDE))
        self._container = container
        self._scaler = Scaler(width, height, packets.display)
        self._fps = Fraction(packets.fps).limit_denominator(1001)
        self._time_base = packets.time_base if packets.has_timestamps else 1 / self._fps
        self._counts = not packets.has_timestamps
        self._stream: VideoStream = add_h264(container, width, height, fps=self._fps, options=_OPTIONS)
        self._stream.codec_context.time_base = self._time_base
        self._first: int | None = None
        self._last = -1

    def __call__(self, frame: av.VideoFrame) -> Picture:
        """Write a frame. Raises _Unreducible where it has no time, or one that is not after the last."""
        pts = self._last + 1 if self._counts else frame.pts
        if pts is None:
            raise _Unreducible
        self._first = pts if self._first is None else self._first
        shown = av.VideoFrame.from_ndarray(self._scaler(frame), format="rgb24")
        shown.pts, shown.time_base = pts - self._first, self._time_base
        if shown.pts <= self._last:
            raise _Unreducible
        self._last = shown.pts
        self._container.mux(self._stream.encode(shown))
        return _NOTHING

    def finish(self) -> None:
        """Write what the encoder holds back."""
        self._container.mux(self._stream.encode(None))
