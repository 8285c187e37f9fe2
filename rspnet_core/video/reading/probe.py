"""What a video file is, from its packets: how it is shown, and when each frame is. Only one frame is decoded."""

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
from rspnet_core.video.reading.container_crop import margins_of
from rspnet_core.video.reading.declared import declared_by_duration
from rspnet_core.video.reading.display import Display, display_of
from rspnet_core.video.reading.hdr import is_hdr
from rspnet_core.video.reading.sniff import container_of
from rspnet_core.video.reading.tracks import Track, choose_track

MAX_FRAME_PIXELS = 36_000_000
"""8K is 33 megapixels; more is a decompression bomb."""
MAX_ASPECT_RATIO = 50
MAX_OVERSTATED_FRAMES = 3
"""Frames that a container may declare beyond those that decode: AVI one, edit lists two."""
VideoPacket: TypeAlias = "Packet[VideoStream]"
_NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video as it is shown: ``width`` and ``height`` in square pixels, cropped and turned, durations in seconds."""

    width: int
    height: int
    num_frames: int
    duration_seconds: float
    fps: float
    codec: str
    container: str
    rotation_degrees: int
    """Counter-clockwise turn that a player applies: 0, 90, 180 or 270, seldom another one."""
    is_mirrored: bool
    """Whether a player then mirrors it from left to right."""
    track: int
    """Which of the file's ``num_tracks`` video tracks it is, from 1, by the rule of ``tracks``; covers do not count."""
    num_tracks: int
    num_declared_frames: int
    """What the container declares; 0 where it declares nothing."""

    @property
    def shortfall(self) -> str | None:
        """Of a file that was cut: what it declares and what it holds; else None."""
        if self.num_declared_frames - self.num_frames <= MAX_OVERSTATED_FRAMES:
            return None
        return f"partial: declared {self.num_declared_frames} frames, found {self.num_frames}"


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
    display: Display
    is_hdr: bool
    track: int
    num_tracks: int
    num_video_streams: int
    """Covers and previews too."""
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

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height of the video as it is shown."""
        return self.display.shown_size(self.stored_width, self.stored_height)

    def info(self, decoded_seconds: NDArray[np.float64] | None = None) -> VideoInfo:
        """As VideoInfo, by the timestamps of the frames that really decoded, where they are known."""
        seconds = self.timestamps_seconds if decoded_seconds is None else decoded_seconds
        width, height = self.shown_size
        return VideoInfo(
            width=width,
            height=height,
            num_frames=len(seconds),
            duration_seconds=float(seconds[-1] + frame_durations(seconds, self.fps)[-1]),
            fps=self.fps,
            codec=self.codec,
            container=self.container,
            rotation_degrees=self.display.rotation_degrees,
            is_mirrored=self.display.is_mirrored,
            track=self.track,
            num_tracks=self.num_tracks,
            num_declared_frames=self.num_declared_frames,
        )


def frame_durations(timestamps_seconds: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """Seconds that each frame stays on show; the last one, which no frame follows, 1 / fps."""
    return np.append(np.diff(timestamps_seconds), 1 / fps)


def probe(path: str | Path) -> VideoInfo:
    """Read what a video is without decoding it; ``num_frames`` may exceed what decodes by a few. Raises VideoError."""
    return read_packets(path).info()


@contextmanager
def open_video(path: str | Path) -> Iterator[tuple[InputContainer, Track]]:
    """Open the video track with PyAV, single-threaded; all of FFmpeg's errors inside come out as VideoError."""
    path = Path(path).absolute()
    demuxer = container_of(path)
    options = {"protocol_whitelist": "file", "max_pixels": str(MAX_FRAME_PIXELS)}
    try:
        with av.open(str(path), format=demuxer, options=options, metadata_errors="ignore") as container:
            track = choose_track(container)
            _check_codec(track.stream)
            track.stream.codec_context.thread_count = 1
            yield container, track
    except av.error.MemoryError:
        raise MemoryError from None
    except (av.error.InvalidDataError, av.error.EOFError):
        raise VideoError(f"damaged or cut off: the {demuxer} file cannot be read") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"cannot be decoded: {getattr(error, 'strerror', None) or error}") from None


def _check_codec(stream: VideoStream) -> None:
    codec = stream.codec_context
    if codec is None:
        raise VideoError("the video is of a codec that no decoder is present for")
    _check_size(codec.width, codec.height)


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_FRAME_PIXELS:
        limit = MAX_FRAME_PIXELS // 1_000_000
        raise VideoError(f"frame of {width}x{height} pixels is over the limit of {limit} megapixels")
    if width < 1 or height < 1:
        raise VideoError("the video states no frame size")
    _check_aspect(width, height)


def _check_aspect(width: int, height: int) -> None:
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise VideoError(f"frame of {width}x{height} pixels is too narrow, the limit is {MAX_ASPECT_RATIO}:1")


def read_packets(path: str | Path) -> Packets:
    """Walk through the file once, decoding up to its first frame. Raises VideoError."""
    with open_video(path) as (container, track):
        stream = track.stream
        pts, is_key = array("q"), array("b")
        num_hidden, latest_dts = 0, 0
        first_frame: av.VideoFrame | None = None
        for packet in until_damaged(container.demux(stream)):
            if packet.size and not packet.is_discard:
                pts.append(_NO_TIME if packet.pts is None else packet.pts)
                is_key.append(packet.is_keyframe)
            num_hidden += packet.is_discard
            latest_dts = max(latest_dts, packet.dts or 0)
            if first_frame is None:
                first_frame = _decode_first(packet)
        if first_frame is None or not pts:
            raise VideoError("no frame can be decoded")
        _check_size(first_frame.width, first_frame.height)
        demuxer = container_of(Path(path))
        margins = margins_of(Path(path), demuxer, track.place)
        display = display_of(first_frame, stream.sample_aspect_ratio, margins)
        # AVI repeats a frame by an empty packet, which FFmpeg counts and does not give out.
        num_repeated = max(latest_dts + 1 - len(pts), 0) if demuxer == "avi" else 0
        fps = _frame_rate(stream)
        time_base = stream.time_base or Fraction(1, 1000)
        end_seconds = _end_seconds(pts, time_base, fps)
        by_duration = 0 if stream.frames else declared_by_duration(Path(path), demuxer, container, end_seconds, fps)
        _check_aspect(*display.shown_size(first_frame.width, first_frame.height))
        return Packets(
            pts=np.frombuffer(pts, np.int64),
            is_key=np.frombuffer(is_key, np.bool_),
            time_base=time_base,
            fps=fps,
            codec=stream.codec_context.codec.canonical_name,
            container=demuxer,
            pixel_format=first_frame.format.name,
            stored_width=first_frame.width,
            stored_height=first_frame.height,
            display=display,
            is_hdr=is_hdr(first_frame),
            track=track.number,
            num_tracks=track.num_tracks,
            num_video_streams=len(container.streams.video),
            num_declared_frames=stream.frames - num_hidden - num_repeated if stream.frames else by_duration,
            has_hidden_packets=num_hidden > 0,
        )


def _end_seconds(pts: "array[int]", time_base: Fraction, fps: float) -> float:
    latest = max(pts)
    return len(pts) / fps if latest == _NO_TIME else float(latest * time_base) + 1 / fps


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
