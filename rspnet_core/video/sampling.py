"""Which frames of a video a clip takes: index arithmetic alone, no pixels.

Ten clips evenly over a video (section 4.3 of the paper), here 3 clips of 4 frames with step 2, needed = (4-1)*2+1 = 7:

    frame    0  1  2  3  4  5  6  7  8  9 10 11 12
    clip 0   x  .  x  .  x  .  x
    clip 1            x  .  x  .  x  .  x
    clip 2                     x  .  x  .  x  .  x      starts = round(linspace(0, 13 - 7, 3)) = 0, 3, 6

A video shorter than a clip is looped (index modulo its length); 3 frames, 1 clip of 8: 0 1 2 0 1 2 0 1.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rspnet_core.errors import InvalidSetting

Indices = NDArray[np.int64]

_TICK_TOLERANCE_SECONDS = 1e-6
"""Far below a frame's duration, above what rounding does to a timestamp of many hours."""
_ROUNDING = 1e-6
"""Of a speed that is a fraction, times some frames."""


def even_clip_indices(num_frames: int, num_clips: int = 10, frames_per_clip: int = 16, step: int = 1) -> Indices:
    """Indices of ``num_clips`` clips whose starts lie evenly between the first frame and the last possible start.

    Returns int64 (num_clips, frames_per_clip), each in ``[0, num_frames)``. Raises InvalidSetting for a number below 1.
    """
    _check_counts(num_frames=num_frames, num_clips=num_clips, frames_per_clip=frames_per_clip, step=step)
    needed = (frames_per_clip - 1) * step + 1
    starts = np.round(np.linspace(0, max(num_frames - needed, 0), num_clips)).astype(np.int64)
    return (starts[:, None] + np.arange(0, needed, step, dtype=np.int64)) % num_frames


def random_clip_indices(num_frames: int, frames_per_clip: int, rng: np.random.Generator, *, step: int = 1) -> Indices:
    """One clip of every ``step``-th frame at a random place; a video shorter than it is looped.

    Returns int64 (frames_per_clip,), each in ``[0, num_frames)``. Raises InvalidSetting for a number below 1.
    """
    _check_counts(num_frames=num_frames, frames_per_clip=frames_per_clip, step=step)
    needed = (frames_per_clip - 1) * step + 1
    start = int(rng.integers(max(num_frames - needed + 1, 1)))
    return (start + np.arange(0, needed, step, dtype=np.int64)) % num_frames


def even_segment_indices(num_frames: int, num_clips: int, frames_per_clip: int) -> Indices:
    """Clips over the whole video: clip k takes its frames at the same part, (k + 1/2) / num_clips, of equal segments.

    Two clips of 3 frames from 12, whose segments are 4 frames long:

        frame   0  1  2  3 | 4  5  6  7 | 8  9 10 11
        clip 0     x            x            x
        clip 1           x            x            x

    Returns int64 (num_clips, frames_per_clip), each in ``[0, num_frames)``; a video of fewer frames than segments
    shows some several times. Raises InvalidSetting for a number below 1.
    """
    _check_counts(num_frames=num_frames, num_clips=num_clips, frames_per_clip=frames_per_clip)
    parts = (np.arange(num_clips)[:, None] + 0.5) / num_clips
    return _within_segments(num_frames, frames_per_clip, parts)


def random_segment_indices(num_frames: int, frames_per_clip: int, rng: np.random.Generator) -> Indices:
    """One clip over the whole video: a random frame from each of ``frames_per_clip`` equal segments (TSN, 2016).

    Returns int64 (frames_per_clip,), each in ``[0, num_frames)``. Raises InvalidSetting for a number below 1.
    """
    _check_counts(num_frames=num_frames, frames_per_clip=frames_per_clip)
    return _within_segments(num_frames, frames_per_clip, rng.random(frames_per_clip))


def _within_segments(num_frames: int, num_segments: int, parts: NDArray[np.float64]) -> Indices:
    """The frame at each part (0 to below 1) of each segment: parts (..., 1 or num_segments)."""
    length = num_frames / num_segments
    places = np.floor((np.arange(num_segments) + parts) * length).astype(np.int64)
    return np.minimum(places, num_frames - 1)


def _check_counts(**counts: int) -> None:
    if min(counts.values()) < 1:
        got = ", ".join(f"{name}={count}" for name, count in counts.items())
        raise InvalidSetting(f"got {got}: each must be at least 1")


class View(NamedTuple):
    """A clip as it is drawn while the length of its video is not known yet."""

    place: float
    """0 to below 1: where its window starts, as a part of where it may."""
    speed: float
    window: float
    """Length of its window, in lengths of a clip of speed 1: the speed of the fastest clip where all begin with it."""
    offset: float = 0.0
    """How far from the beginning of the window it begins, in lengths of a clip of speed 1."""


def view_positions(
    num_frames: int | Indices,
    views: Sequence[View] | NDArray[np.float64],
    frames_per_clip: int,
    *,
    step: int = 1,
    stretches: bool = False,
) -> NDArray[np.float64]:
    """Where the frames of drawn clips lie in a video; a clip of speed s takes every (s * step)-th.

    Two clips of 4 frames that share a window of speed 2, and one of a window of its own, step 1:

        frame   0  1  2  3  4  5  6  7  8  9
        slow          x  x  x  x                   View(.7, 1, 2): starts 0 to 3 are possible, .7 of these is 2
        fast          x     x     x     x          View(.7, 2, 2)
        anchor                    x  x  x  x       View(.9, 1, 1)

    Args:
        num_frames: of the video, at least 1, or of many, as the rows of ``views``.
        views: (..., 4), the fields of ``View``; speeds are above 0 and may be fractions.
        frames_per_clip: at least 1.
        step: distance between the frames of a clip of speed 1.
        stretches: see ``ViewSampling``.

    Returns:
        float64 (..., frames_per_clip), each from 0 to below ``num_frames``; whole numbers where speeds are. The frame
        on show at a position is the one at its whole part.
    """
    places, speeds, windows, begins = np.moveaxis(np.asarray(views, np.float64), -1, 0)
    num = np.asarray(num_frames)
    clip = (frames_per_clip - 1) * step
    offsets = speeds[..., None] * (np.arange(frames_per_clip) * step) + (begins * clip)[..., None]
    reach = windows * clip
    starts = np.floor(places * np.maximum(num - np.floor(reach + _ROUNDING), 1))
    is_stretched = np.logical_and(stretches, (num > clip) & (num <= reach))
    scale = np.where(is_stretched, (num - 1) / np.maximum(reach, 1), 1.0)
    positions: NDArray[np.float64] = np.round(starts[..., None] + offsets * scale[..., None], 6) % num[..., None]
    return positions


def windows_fit(
    num_frames: int | Indices, views: Sequence[View] | NDArray[np.float64], frames_per_clip: int, *, step: int = 1
) -> NDArray[np.bool_]:
    """Bool (...): a clip's window lies within the video, so that ``view_positions`` neither loops nor stretches."""
    windows = np.asarray(views, np.float64)[..., 2]
    return np.asarray(num_frames > np.floor(windows * (frames_per_clip - 1) * step + _ROUNDING))


def resampled_indices(timestamps_seconds: NDArray[np.float64], fps: float) -> Indices:
    """The source frame on show at each tick of a clock of ``fps`` that starts with the first frame.

    ``timestamps_seconds`` float64 (num_frames,) rises strictly. Tick n shows the frame with the greatest timestamp that
    is not after n / fps; ticks end with the last frame's timestamp. Frames of 30 fps seen at 25 fps:

        source   |0   |1   |2   |3   |4   |5   |6   |7
        tick     0     1     2     3     4     5            -> 0 1 2 3 4 6, source 5 is never seen
    """
    return frames_at_ticks(timestamps_seconds, fps, np.arange(num_ticks(timestamps_seconds, fps)))


def num_ticks(timestamps_seconds: NDArray[np.float64], fps: float) -> int:
    """How often a clock of ``fps`` ticks from the first frame's timestamp to the last's. Raises InvalidSetting."""
    if fps <= 0 or len(timestamps_seconds) == 0:
        raise InvalidSetting(f"got fps={fps} and {len(timestamps_seconds)} frames: fps and frames must be above 0")
    duration = timestamps_seconds[-1] - timestamps_seconds[0]
    return int(np.floor((duration + _TICK_TOLERANCE_SECONDS) * fps)) + 1


def frames_at_ticks(timestamps_seconds: NDArray[np.float64], fps: float, ticks: NDArray[Any]) -> Indices:
    """The source frames on show at ticks of a clock of ``fps``, any shape; a tick may be a fraction."""
    since_first = timestamps_seconds - timestamps_seconds[0] - _TICK_TOLERANCE_SECONDS
    return np.searchsorted(since_first, ticks / fps, side="right").astype(np.int64) - 1


def segment_bounds(
    timestamps_seconds: NDArray[np.float64], start_seconds: float | None, end_seconds: float | None
) -> tuple[int, int]:
    """First frame and one past the last of a part of a video; at least one frame.

    The first is the frame on show at ``start_seconds``, the last the one that appeared before ``end_seconds``.
    """
    start = -np.inf if start_seconds is None else start_seconds + _TICK_TOLERANCE_SECONDS
    end = np.inf if end_seconds is None else end_seconds - _TICK_TOLERANCE_SECONDS
    first = max(int(np.searchsorted(timestamps_seconds, start, side="right")) - 1, 0)
    return first, max(int(np.searchsorted(timestamps_seconds, end, side="left")), first + 1)
