"""What a video file is, from its packets: size, rotation, and when each frame is shown. Only one frame is decoded.

One rule for files with several video streams: the first that is not a cover picture is the video.
"""

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from rspnet_core.errors import VideoError
from rspnet_core.video.reading.sniff import container_of

MAX_FRAME_PIXELS = 36_000_000
"""8K is 33 megapixels; more is a decompression bomb."""
MAX_ASPECT_RATIO = 50
_COVER_PICTURE = 0x400
"""AV_DISPOSITION_ATTACHED_PIC."""
VideoPacket: TypeAlias = "Packet[VideoStream]"
_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as it is shown: ``width`` and ``height`` in pixels after rotation, durations in seconds."""

    width: int
    height: int
    num_frames: int
    duration_seconds: float
    fps: float
    codec: str
    container: str
    rotation_degrees: int
    """Counter-clockwise turn that a player applies: 0, 90, 180 or 270."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The packets that should give a frame each, in file order, with the first decoded frame's properties."""

    pts: NDArray[np.int64]
    is_key: NDArray[np.bool_]
    time_base: Fraction
    fps: float
    codec: str
    container: str
    pixel_format: str
    stored_width: int
    stored_height: int
    rotation_degrees: int
    num_video_streams: int
    num_declared_frames: int
    """0 where the container does not say."""
    has_hidden_packets: bool
    """An edit list cuts frames that still must be decoded."""

    @property
    def has_timestamps(self) -> bool:
        """Whether each packet has a time of its own, so that a frame can be recognised by it."""
        return bool((self.pts != _NO_TIME).all()) and len(np.unique(self.pts)) == len(self.pts)

    @property
    def timestamps_seconds(self) -> NDArray[np.float64]:
        """When each frame is shown, counted from the first; evenly spaced where the file does not say (AVI)."""
        if not self.has_timestamps:
            return np.arange(len(self.pts)) / self.fps
        shown = np.sort(self.pts)
        seconds: NDArray[np.float64] = (shown - shown[0]) * float(self.time_base)
        return seconds

    @property
    def groups_are_in_order(self) -> bool:
        """Whether no frame that comes in the file before a key frame is shown after it.

        Then a frame can be decoded from the last key frame that is shown before it.
        """
        if not (self.has_timestamps and self.is_key[0]):
            return False
        latest_so_far = np.maximum.accumulate(self.pts)
        return bool((latest_so_far[self.is_key] == self.pts[self.is_key]).all())

    @property
    def groups_are_closed(self) -> bool:
        """Whether, besides, no frame that comes in the file after a key frame is shown before it."""
        earliest_from_here = np.minimum.accumulate(self.pts[::-1])[::-1]
        return self.groups_are_in_order and bool((earliest_from_here[self.is_key] == self.pts[self.is_key]).all())

    def info(self, decoded_seconds: NDArray[np.float64] | None = None) -> VideoInfo:
        """As VideoInfo, by the timestamps of the frames that really decoded, where they are known."""
        seconds = self.timestamps_seconds if decoded_seconds is None else decoded_seconds
        width, height = self.stored_width, self.stored_height
        if self.rotation_degrees % 180:
            width, height = height, width
        return VideoInfo(
            width=width,
            height=height,
            num_frames=len(seconds),
            duration_seconds=float(seconds[-1] + frame_durations(seconds, self.fps)[-1]),
            fps=self.fps,
            codec=self.codec,
            container=self.container,
            rotation_degrees=self.rotation_degrees,
        )


def frame_durations(timestamps_seconds: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """Seconds that each frame stays on show; the last one, which no frame follows, 1 / fps."""
    return np.append(np.diff(timestamps_seconds), 1 / fps)


def probe(path: str | Path) -> VideoInfo:
    """Read what a video is without decoding it; ``num_frames`` may exceed what decodes by a few. Raises VideoError."""
    return read_packets(path).info()


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the video stream with PyAV, single-threaded; all of FFmpeg's errors inside come out as VideoError."""
    path = Path(path).absolute()
    demuxer = container_of(path)
    options = {"protocol_whitelist": "file", "max_pixels": str(MAX_FRAME_PIXELS)}
    try:
        with av.open(str(path), format=demuxer, options=options, metadata_errors="ignore") as container:
            stream = _video_stream(container)
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.error.MemoryError:
        raise MemoryError from None
    except (av.error.InvalidDataError, av.error.EOFError):
        raise VideoError(f"damaged or cut off: the {demuxer} file cannot be read") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {getattr(error, 'strerror', None) or error}") from None


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not int(s.disposition) & _COVER_PICTURE]
    if not streams:
        raise VideoError("no video stream")
    codec = streams[0].codec_context
    if codec is None:
        raise VideoError("the video is of a codec that no decoder is present for")
    _check_size(codec.width, codec.height)
    return streams[0]


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_FRAME_PIXELS:
        limit = MAX_FRAME_PIXELS // 1_000_000
        raise VideoError(f"frame of {width}x{height} pixels is over the limit of {limit} megapixels")
    if width < 1 or height < 1:
        raise VideoError("the video states no frame size")
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise VideoError(f"frame of {width}x{height} pixels is too narrow, the limit is {MAX_ASPECT_RATIO}:1")


def read_packets(path: str | Path) -> Packets:
    """Walk through the file once, decoding up to its first frame. Raises VideoError."""
    with open_video(path) as (container, stream):
        pts, is_key = array("q"), array("b")
        has_hidden_packets = False
        first_frame: av.VideoFrame | None = None
        for packet in until_damaged(container.demux(stream)):
            if packet.size and not packet.is_discard:
                pts.append(_NO_TIME if packet.pts is None else packet.pts)
                is_key.append(packet.is_keyframe)
            has_hidden_packets |= packet.is_discard
            if first_frame is None:
                first_frame = _decode_first(packet)
        if first_frame is None or not pts:
            raise VideoError("no frame can be decoded")
        _check_size(first_frame.width, first_frame.height)
        return Packets(
            pts=np.frombuffer(pts, np.int64),
            is_key=np.frombuffer(is_key, np.bool_),
            time_base=stream.time_base or Fraction(1, 1000),
            fps=_frame_rate(stream),
            codec=stream.codec_context.codec.canonical_name,
            container=container_of(Path(path)),
            pixel_format=first_frame.format.name,
            stored_width=first_frame.width,
            stored_height=first_frame.height,
            rotation_degrees=first_frame.rotation % 360,
            num_video_streams=len(container.streams.video),
            num_declared_frames=stream.frames,
            has_hidden_packets=has_hidden_packets,
        )


def _decode_first(packet: VideoPacket) -> av.VideoFrame | None:
    try:
        return next(iter(packet.decode()), None)
    except av.error.InvalidDataError:
        raise VideoError("the first frame cannot be decoded: it is damaged or needs too much memory") from None


def until_damaged(packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Packets up to the place where the file is damaged or cut."""
    try:
        yield from packets
    except (av.error.InvalidDataError, av.error.EOFError, av.error.OSError):
        return


def _frame_rate(stream: VideoStream) -> float:
    rate = stream.average_rate or stream.guessed_rate or stream.base_rate
    return float(rate) if rate else 25.0
