"""Which frames of a video a clip takes: index arithmetic alone, no pixels.

Ten clips evenly over a video (section 4.3 of the paper), here 3 clips of 4 frames with step 2, needed = (4-1)*2+1 = 7:

    frame    0  1  2  3  4  5  6  7  8  9 10 11 12
    clip 0   x  .  x  .  x  .  x
    clip 1            x  .  x  .  x  .  x
    clip 2                     x  .  x  .  x  .  x      starts = round(linspace(0, 13 - 7, 3)) = 0, 3, 6

A video shorter than a clip is looped (index modulo its length); 3 frames, 1 clip of 8: 0 1 2 0 1 2 0 1.
"""

import numpy as np
from numpy.typing import NDArray

from rspnet_core.errors import InvalidSetting

Indices = NDArray[np.int64]

_TICK_TOLERANCE_SECONDS = 1e-6
"""Far below a frame's duration, above what rounding does to a timestamp of many hours."""


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


def speed_triplet(
    num_frames: int,
    frames_per_clip: int,
    speeds: tuple[int, int],
    rng: np.random.Generator,
    *,
    step: int = 1,
) -> Indices:
    """The clips c_i, c_j, c_k of one video with speeds s_i = s_j != s_k (section 3.2), each at a random place.

    A clip of speed s takes every (s * step)-th frame. With 4 frames a clip, step 1:

        frame   0  1  2  3  4  5  6  7  8  9
        c_i        x  x  x  x                      1x
        c_j                    x  x  x  x          1x
        c_k           x     x     x     x          2x

    Args:
        num_frames: of the video, at least 1; clips longer than it are looped.
        frames_per_clip: at least 1.
        speeds: (s_i, s_k), whole numbers from 1 that differ.
        rng: where the places come from.
        step: distance between the frames of a clip of speed 1.

    Returns:
        int64 (3, frames_per_clip): the rows are c_i, c_j, c_k; each index in ``[0, num_frames)``.

    Raises:
        InvalidSetting: a number below 1, or speeds that are equal.
    """
    if min(num_frames, frames_per_clip, step, *speeds) < 1 or speeds[0] == speeds[1]:
        raise InvalidSetting(
            f"got num_frames={num_frames}, frames_per_clip={frames_per_clip}, step={step}, speeds={speeds}: "
            "each must be at least 1, and the two speeds must differ"
        )
    steps = np.array([speeds[0], speeds[0], speeds[1]], dtype=np.int64) * step
    places = np.maximum(num_frames - (frames_per_clip - 1) * steps, 1)  # starts that a clip may have
    starts = rng.integers(places)
    return (starts[:, None] + steps[:, None] * np.arange(frames_per_clip)) % num_frames


def resampled_indices(timestamps_seconds: NDArray[np.float64], fps: float) -> Indices:
    """The source frame on show at each tick of a clock of ``fps`` that starts with the first frame.

    ``timestamps_seconds`` float64 (num_frames,) rises strictly. Tick n shows the frame with the greatest timestamp that
    is not after n / fps; ticks end with the last frame's timestamp. Frames of 30 fps seen at 25 fps:

        source   |0   |1   |2   |3   |4   |5   |6   |7
        tick     0     1     2     3     4     5            -> 0 1 2 3 4 6, source 5 is never seen
    """
    if fps <= 0 or len(timestamps_seconds) == 0:
        raise InvalidSetting(f"got fps={fps} and {len(timestamps_seconds)} frames: fps and frames must be above 0")
    since_first = timestamps_seconds - timestamps_seconds[0] - _TICK_TOLERANCE_SECONDS
    num_ticks = int(np.floor((since_first[-1] + 2 * _TICK_TOLERANCE_SECONDS) * fps)) + 1
    ticks_seconds = np.arange(num_ticks) / fps
    return np.searchsorted(since_first, ticks_seconds, side="right").astype(np.int64) - 1


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
