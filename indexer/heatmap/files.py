"""An explained pair as a file: a still (.png) or the whole clip in slow motion (.mp4, .gif)."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from indexer.heatmap.explanation import DEFAULT_THRESHOLD, PairExplanation
from indexer.heatmap.sheet import render_frames, render_still
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.video.making.encode import write_video

SHOWN_FPS = 8
"""A clip of 16 frames lasts 0.64 s in the video and 2 s here: maps need time to be looked at."""


def check_output(path: Path, *inputs: Path) -> None:
    """Raise InvalidSetting unless a heat map can be written to ``path``: its ending, its folder, none of ``inputs``."""
    if path.suffix.lower() not in _WRITERS:
        raise InvalidSetting(
            f"cannot write a heat map as {path}; the name must end in {', '.join(_WRITERS)} "
            "(.png is the middle frame, the others show all frames)"
        )
    if not path.parent.is_dir():
        raise InvalidSetting(f"cannot write {path}: there is no folder {path.parent}; make it, or name another")
    if path.is_dir():
        raise InvalidSetting(f"cannot write {path}: it is a folder; name a file")
    if any(path.exists() and other.exists() and path.samefile(other) for other in inputs):
        raise InvalidSetting(f"the picture would replace the video {path}; give another name with --out")


def write_heatmap(explanation: PairExplanation, path: Path, threshold: float = DEFAULT_THRESHOLD) -> None:
    """Write ``path`` whole or not at all; an older file is replaced.

    Raises:
        InvalidSetting: another ending than .png, .mp4 or .gif, no such folder, or ``threshold`` out of range.
        RspnetError: the disk refuses.
    """
    check_output(path)
    try:
        _WRITERS[path.suffix.lower()](explanation, path, threshold)
    except OSError as error:
        raise RspnetError(
            f"cannot write {path}: {error.strerror or error}; choose a folder with room to write to"
        ) from error


def _write_png(explanation: PairExplanation, path: Path, threshold: float) -> None:
    with replaced_when_complete(path) as temporary:
        render_still(explanation, threshold).save(temporary, "PNG", optimize=True)


def _write_gif(explanation: PairExplanation, path: Path, threshold: float) -> None:
    sheets = [Image.fromarray(frame) for frame in render_frames(explanation, threshold)]
    # One palette for all frames, or colours would flicker; this one, dithered, shows the soft maps without bands.
    palette = sheets[len(sheets) // 2].quantize(256, Image.Quantize.MAXCOVERAGE)
    first, *others = (sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for sheet in sheets)
    with replaced_when_complete(path) as temporary:
        first.save(temporary, "GIF", save_all=True, append_images=others, duration=1000 // SHOWN_FPS, loop=0)


def _write_mp4(explanation: PairExplanation, path: Path, threshold: float) -> None:
    write_video(path, render_frames(explanation, threshold), fps=SHOWN_FPS)


_WRITERS: dict[str, Callable[[PairExplanation, Path, float], None]] = {
    ".png": _write_png,
    ".mp4": _write_mp4,
    ".gif": _write_gif,
}
