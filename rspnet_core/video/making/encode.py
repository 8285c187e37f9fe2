"""Frames -> H.264 MP4 that every player and browser shows."""

import glob
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from rspnet_core.errors import InvalidSetting, RspnetError

Frames = npt.NDArray[np.uint8]

_SMPTE170M = 6  # libavutil's number of BT.601: what swscale makes of RGB, so a player must not guess BT.709
_LIMITED_RANGE = 1
_SUFFIX = ".part"


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[Frames],
    *,
    fps: float = 25,
    crf: int = 23,
    preset: Literal["fast", "medium"] = "medium",
) -> None:
    """Write RGB frames as an MP4 (H.264, yuv420p, index in front), whole or not at all.

    The same frames and settings give the same bytes: one thread, no dates. A file that exists is replaced.

    Args:
        path: the file to write; its folder must exist.
        frames: uint8 (T, H, W, 3), RGB, or any iterable of (H, W, 3) of one size, T >= 1. Frames are taken one by
            one, so a generator of any length costs the memory of one. yuv420p halves both sides of the colour
            planes: an odd side gets its last row or column a second time.
        fps: frames a second, above 0 and at most 240.
        crf: x264's constant rate factor, 0 (lossless) to 51 (worst).
        preset: x264's, how hard it looks for fewer bytes.

    Raises:
        InvalidSetting: no frames, frames of another dtype or shape, or a setting out of range.
        RspnetError: the file cannot be written (no such folder, no permission, disk full).

    """
    if not 0 < fps <= 240:
        raise InvalidSetting(f"fps: got {fps}, allowed is above 0 up to 240")
    if not 0 <= crf <= 51:
        raise InvalidSetting(f"crf: got {crf}, allowed is 0 (lossless) to 51")
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise InvalidSetting("a video needs at least one frame, got none")
    _check(first, first)
    target = Path(path)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=_prefix(target), suffix=_SUFFIX, dir=target.parent)
        os.close(handle)
        _encode(
            temporary,
            first,
            chain([first], iterator),
            Fraction(fps).limit_denominator(1001),
            {"crf": str(crf), "preset": preset},
        )
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
        temporary = None
    except (OSError, av.FFmpegError) as error:
        raise RspnetError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()


def remove_left_overs(path: str | os.PathLike[str]) -> None:
    """Remove what a process that was killed inside ``write_video(path, ...)`` left beside ``path``."""
    target = Path(path)
    for left_over in target.parent.glob(f"{glob.escape(_prefix(target))}*{_SUFFIX}"):
        left_over.unlink(missing_ok=True)


def _prefix(target: Path) -> str:
    return f".{target.name[:32]}."


def _encode(path: str, first: Frames, frames: Iterable[Frames], fps: Fraction, options: Mapping[str, str]) -> None:
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        height, width = first.shape[:2]
        stream = add_h264(container, width + width % 2, height + height % 2, fps=fps, options=options)
        for frame in frames:
            _check(frame, first)
            picture = av.VideoFrame.from_ndarray(_even(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def add_h264(
    container: OutputContainer, width: int, height: int, *, fps: Fraction, options: Mapping[str, str]
) -> VideoStream:
    """A stream of H.264, yuv420p, whose bytes hang on its frames and x264's ``options`` alone; even sides in pixels."""
    # x264's macroblock tree gives other bytes in every run, on one thread too (measured: 4 of 6 runs differ).
    stream = container.add_stream("libx264", rate=fps, options={**options, "threads": "1", "mbtree": "0"})
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.color_primaries = context.color_trc = context.colorspace = _SMPTE170M
    context.color_range = _LIMITED_RANGE
    return stream


def _check(frame: Frames, first: Frames) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
        raise InvalidSetting(f"a frame is uint8 (H, W, 3), got {frame.dtype} {frame.shape}")
    if frame.shape != first.shape:
        raise InvalidSetting(f"all frames of a video have one size: got {frame.shape} after {first.shape}")


def _even(frame: Frames) -> Frames:
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)
