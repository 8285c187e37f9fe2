"""Read clips and posters out of video files, exactly: the frames are those of decoding in order from frame 0.

The file's packets are walked through once (``probe.read_packets``); what they say chooses one of three ways, so that a
library is used only where its frames are right:

1. decord, for 8-bit H.264 in MP4 or Matroska with closed groups of pictures (``decord_reader``: measured reasons),
   where the clips need at least half of the frames, as in the usual video of seconds.
2. PyAV by timestamp, for the other codecs that seek exactly (``pyav_reader.seeks_exactly``), for H.264 that is turned
   or in HDR, and for long H.264: it skips what no wanted frame refers to, which decord cannot (10 minutes of 720p:
   0.9 s against 1.5).
3. PyAV in order from frame 0, for all else: AVI, edit lists, open groups, missing timestamps, damage.

A way that does not deliver every frame it should is replaced by the third, which counts the frames that really decode
(AVI declares one too many) and takes the clips from those. Only the frames that clips need are scaled and kept.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rspnet_core.config import ClipGeometry, RandomSampling, SingleSampling, ViewSampling, WholeVideo
from rspnet_core.errors import VideoError
from rspnet_core.video.reading.pictures import Picture, Scaler, centre_square, scaled_size
from rspnet_core.video.reading.probe import (
    MAX_OVERSTATED_FRAMES,
    Packets,
    VideoInfo,
    frame_durations,
    probe,
    read_packets,
)
from rspnet_core.video.reading.pyav_reader import FramesInOrder, FramesMissing, MakePicture, read_in_order
from rspnet_core.video.reading.readers import READERS, Wanted
from rspnet_core.video.sampling import (
    Indices,
    View,
    even_clip_indices,
    even_segment_indices,
    frames_at_ticks,
    num_ticks,
    random_clip_indices,
    random_segment_indices,
    resampled_indices,
    segment_bounds,
    view_positions,
    windows_fit,
)

__all__ = [
    "Clips",
    "RandomClips",
    "VideoInfo",
    "probe",
    "read_clips",
    "read_frames",
    "read_poster",
    "read_random_clip",
    "read_views",
]

_MAX_DURATION_SECONDS = 7 * 24 * 3600

Seconds = NDArray[np.float64]
Plan = Callable[[Seconds], Indices]
"""Timestamps of all frames in seconds -> indices of the frames that are wanted."""


@dataclass(frozen=True, slots=True)
class Clips:
    """Evenly spaced clips of one video."""

    frames: NDArray[np.uint8]
    """(num_clips, frames_per_clip, size, size, 3), RGB."""
    spans_seconds: Seconds
    """(num_clips, 2): when the clip's first frame appears and its last one goes, from the video's first frame."""
    info: VideoInfo


@dataclass(frozen=True, slots=True)
class RandomClips:
    """The clips of one video that a step of training sees."""

    frames: NDArray[np.uint8]
    """(num_clips, frames_per_clip, frame_size, frame_size, 3), RGB: whole frames, squashed."""
    aspect: float
    """Width of the video's frames by their height."""
    advances: bool
    """In each clip every frame is later than the one before. Not so where the video is too short for its clips, or has
    fewer frames a second than they ask for."""


def read_clips(
    path: str | Path,
    geometry: ClipGeometry,
    *,
    start_seconds: float | None = None,
    end_seconds: float | None = None,
) -> Clips:
    """Clips of a video, or of its part from ``start_seconds`` to ``end_seconds``.

    Each frame is scaled so that its short side is ``geometry.size`` and cut to the centred square. A part shorter than
    a clip is looped. Raises VideoError if the file is not a video, no frame decodes, or the part lies outside.
    """
    path = Path(path).absolute()
    packets = read_packets(path)
    _check_part(packets.timestamps_seconds, packets.fps, start_seconds, end_seconds)
    plan = partial(_plan_clips, geometry=geometry, start_seconds=start_seconds, end_seconds=end_seconds)
    shown = packets.info()
    size = scaled_size(shown.width, shown.height, short_side=geometry.size)
    decoded = _read_planned(path, packets, plan, size, centre_square)
    _check_part(decoded.timestamps_seconds, packets.fps, start_seconds, end_seconds)
    indices = plan(decoded.timestamps_seconds)
    return Clips(
        frames=_gather(decoded.pictures, indices),
        spans_seconds=_spans(indices, decoded.timestamps_seconds, packets.fps),
        info=packets.info(decoded.timestamps_seconds),
    )


def read_random_clip(path: str | Path, sampling: SingleSampling, seed: tuple[int, ...]) -> RandomClips:
    """One clip at a random place of the video, or over all of it.

    The same file and seed (whole numbers from 0) give the same clip. Raises VideoError as ``read_clips`` does.
    """
    place_seed = int(np.random.default_rng(seed).integers(2**63))

    def plan(timestamps_seconds: Seconds) -> Indices:
        source = _source_frames(timestamps_seconds, 0, len(timestamps_seconds), sampling.fps)
        rng = np.random.default_rng(place_seed)  # a plan may be made for several lengths, each time the same
        if sampling.span == "segments":
            return source[random_segment_indices(len(source), sampling.frames_per_clip, rng)[None]]
        return source[random_clip_indices(len(source), sampling.frames_per_clip, rng, step=sampling.frame_step)[None]]

    return _read_random(Path(path).absolute(), sampling, plan)[0]


def read_views(path: str | Path, sampling: ViewSampling, views: Sequence[View]) -> RandomClips:
    """The clips of a video that were drawn for it, by ``sampling.view_positions``; speeds count by time, not by frames.

    Raises VideoError as ``read_clips`` does.
    """
    fps, count, step = sampling.fps, sampling.frames_per_clip, sampling.frame_step

    def length(timestamps_seconds: Seconds) -> int:
        if fps is None:
            return len(timestamps_seconds)
        _check_duration(timestamps_seconds)
        return num_ticks(timestamps_seconds, fps)

    def plan(timestamps_seconds: Seconds) -> Indices:
        positions = view_positions(length(timestamps_seconds), views, count, step=step, stretches=sampling.stretches)
        if fps is None:
            return positions.astype(np.int64)
        return frames_at_ticks(timestamps_seconds, fps, positions)

    clips, timestamps = _read_random(Path(path).absolute(), sampling, plan)
    fits = bool(windows_fit(length(timestamps), views, count, step=step).all())
    return replace(clips, advances=clips.advances and fits)


def _read_random(path: Path, sampling: RandomSampling, plan: Plan) -> tuple[RandomClips, Seconds]:
    packets = read_packets(path)
    size = (sampling.frame_size, sampling.frame_size)
    decoded = _read_planned(path, packets, plan, size, np.ascontiguousarray)
    shown, indices = packets.info(), plan(decoded.timestamps_seconds)
    advances = bool((np.diff(indices, axis=1) > 0).all())
    clips = RandomClips(_gather(decoded.pictures, indices), shown.width / shown.height, advances)
    return clips, decoded.timestamps_seconds


def read_frames(path: str | Path, wanted: WholeVideo) -> tuple[Picture, float]:
    """All frames of a video uint8 (N, frame_size, frame_size, 3), RGB, squashed, and width by height of the original.

    Raises VideoError as ``read_clips`` does.
    """
    path = Path(path).absolute()
    packets = read_packets(path)

    def plan(timestamps_seconds: Seconds) -> Indices:
        source = _source_frames(timestamps_seconds, 0, len(timestamps_seconds), wanted.fps)
        first = max(len(source) - wanted.max_frames, 0) // 2
        return source[first : first + wanted.max_frames]

    decoded = _read_planned(path, packets, plan, (wanted.frame_size, wanted.frame_size), np.ascontiguousarray)
    shown = packets.info()
    return _gather(decoded.pictures, plan(decoded.timestamps_seconds)), shown.width / shown.height


def read_poster(path: str | Path, height: int = 144) -> Picture:
    """The middle frame as uint8 (height, w, 3), RGB, its aspect kept. Raises VideoError."""
    path = Path(path).absolute()
    packets = read_packets(path)
    shown = packets.info()
    size = (max(1, round(shown.width * height / shown.height)), height)
    decoded = _read_planned(path, packets, _plan_middle, size, np.ascontiguousarray)
    return decoded.pictures[int(_plan_middle(decoded.timestamps_seconds)[0])]


def _read_planned(
    path: Path, packets: Packets, plan: Plan, size: tuple[int, int], cut: Callable[[Picture], Picture]
) -> FramesInOrder:
    """The planned frames as ``cut`` pictures, shown at ``size`` (width, height), by the first of the three ways."""
    width, height = size
    timestamps = packets.timestamps_seconds
    wanted = Wanted(path, packets, np.unique(plan(timestamps)), width, height, cut)
    reader = next((reader for reader in READERS if reader.reads_exactly(wanted)), None)
    if reader is not None:
        with suppress(FramesMissing):
            return FramesInOrder(reader.read(wanted), timestamps)
    scaler = Scaler(width, height, packets.display)
    return _read_counting(path, packets, plan, lambda frame: cut(scaler(frame)))


def _read_counting(path: Path, packets: Packets, plan: Plan, make_picture: MakePicture) -> FramesInOrder:
    """Read in order, planned for as many frames as really decode, in one pass unless the file is damaged."""
    declared = packets.timestamps_seconds
    lengths = range(max(len(declared) - MAX_OVERSTATED_FRAMES, 1), len(declared) + 1)
    likely = np.unique(np.concatenate([plan(declared[:length]).ravel() for length in lengths]))
    decoded = read_in_order(path, packets, likely, make_picture)
    wanted = np.unique(plan(decoded.timestamps_seconds))
    if decoded.pictures.keys() >= set(wanted.tolist()):
        return decoded
    return read_in_order(path, packets, wanted, make_picture)


def _plan_middle(timestamps_seconds: Seconds) -> Indices:
    return np.array([len(timestamps_seconds) // 2])


def _plan_clips(
    timestamps_seconds: Seconds, *, geometry: ClipGeometry, start_seconds: float | None, end_seconds: float | None
) -> Indices:
    first, stop = segment_bounds(timestamps_seconds, start_seconds, end_seconds)
    source = _source_frames(timestamps_seconds, first, stop, geometry.fps)
    if geometry.span == "segments":
        return source[even_segment_indices(len(source), geometry.num_clips, geometry.frames_per_clip)]
    return source[even_clip_indices(len(source), geometry.num_clips, geometry.frames_per_clip, geometry.frame_step)]


def _source_frames(timestamps_seconds: Seconds, first: int, stop: int, fps: float | None) -> Indices:
    """The frames from ``first`` to before ``stop``, resampled to ``fps`` if that is given."""
    if fps is None:
        return np.arange(first, stop)
    _check_duration(timestamps_seconds)
    return first + resampled_indices(timestamps_seconds[first:stop], fps)


def _check_duration(timestamps_seconds: Seconds) -> None:
    if timestamps_seconds[-1] > _MAX_DURATION_SECONDS:
        raise VideoError(f"states a duration of {timestamps_seconds[-1]:.0f} s, the limit is {_MAX_DURATION_SECONDS}")


def _check_part(
    timestamps_seconds: Seconds, fps: float, start_seconds: float | None, end_seconds: float | None
) -> None:
    duration = timestamps_seconds[-1] + frame_durations(timestamps_seconds, fps)[-1]
    start, end = start_seconds or 0.0, duration if end_seconds is None else end_seconds
    if not 0 <= start < min(end, duration):
        raise VideoError(
            f"no frames from {start:g} s to {end:g} s: the video lasts {duration:.2f} s, "
            "and a part starts within it and ends after its start"
        )


def _gather(pictures: dict[int, Picture], indices: Indices) -> NDArray[np.uint8]:
    unique, inverse = np.unique(indices, return_inverse=True)
    frames = np.stack([pictures[index] for index in unique.tolist()])
    return frames[inverse.reshape(indices.shape)]


def _spans(indices: Indices, timestamps_seconds: Seconds, fps: float) -> Seconds:
    ends = timestamps_seconds + frame_durations(timestamps_seconds, fps)
    return np.stack([timestamps_seconds[indices.min(axis=1)], ends[indices.max(axis=1)]], axis=1)
