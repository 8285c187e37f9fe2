"""Two ways of training on the same test videos: how much more one recognises, and whether that could be chance."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.recognition.estimates import BOOTSTRAP_SAMPLES
from rspnet_core.reports.bootstrap import LEVEL, difference_intervals, draw_units
from rspnet_core.text import counted, printable

_SEED = 0
_NAMED = 20
"""So many videos are named that one side alone recognises."""

_Video = tuple[int, str, str]
"""Fold, path below the data folder, and class."""


def compare_tests(a: Sequence[Path], b: Sequence[Path]) -> dict[str, Any]:
    """Compare what ``rspnet-train evaluate --json`` or ``probe --json`` printed, over the videos that all have tested.

    Args:
        a: its documents for one way of training, one for each seed.
        b: those of the other way.

    Returns:
        JSON types: ``top_1`` of both and ``difference``, b less a (fractions), with its interval drawn over recordings
        (the same for both sides) and over the seeds of each; the videos that one side alone recognises, in all its
        seeds where the other does in none.

    Raises:
        DatasetError: a file is no such document, or no video is in all of them.
        InvalidSetting: a file is given twice.
    """
    files = [*a, *b]
    if len({file.resolve() for file in files}) < len(files):
        raise InvalidSetting("compare: a file is given twice; give one for each seed of each side")
    tests = [_read(file) for file in files]
    shared = sorted(set.intersection(*(set(test) for test in tests)))
    if not shared:
        raise DatasetError(
            "compare: no video of one fold, path and class is in all of these files; test the same folder"
        )
    right = np.array([[test[video]["predicted"] == video[2] for video in shared] for test in tests])
    grouped, units = draw_units([path for _, path, _ in shared], [tests[0][video]["group"] for video in shared])
    one, other = right[: len(a)], right[len(a) :]
    values = right[:, :, None].astype(np.float64)
    intervals = difference_intervals(values[: len(a)], values[len(a) :], units, samples=BOOTSTRAP_SAMPLES, seed=_SEED)
    return {
        "videos": len(shared),
        "not_shared": len(set.union(*(set(test) for test in tests))) - len(shared),
        "a": {"seeds": len(a), "top_1": float(one.mean()), "each": one.mean(axis=1).tolist()},
        "b": {"seeds": len(b), "top_1": float(other.mean()), "each": other.mean(axis=1).tolist()},
        "difference": float(other.mean() - one.mean()),
        "interval": None if intervals is None else list(intervals[0]),
        "level": LEVEL,
        "unit": "group" if grouped else "video",
        "units": int(units.max()) + 1,
        "only_a": _named(shared, (one.mean(axis=0) == 1) & (other.mean(axis=0) == 0)),
        "only_b": _named(shared, (other.mean(axis=0) == 1) & (one.mean(axis=0) == 0)),
    }


def comparison_lines(found: dict[str, Any]) -> list[str]:
    """The dict of ``compare_tests`` for a terminal, in percent."""
    unit = "recordings" if found["unit"] == "group" else "videos"
    shown = [f"{found['videos']:,} videos, top-1"]
    for name in ("a", "b"):
        side = found[name]
        each = f"  seeds: {', '.join(f'{100 * value:.1f}' for value in side['each'])}" if side["seeds"] > 1 else ""
        shown.append(f"  {name.upper()}      {100 * side['top_1']:5.1f} %{each}")
    between = found["interval"]
    spread = f"  {100 * between[0]:+.1f} to {100 * between[1]:+.1f}" if between else ""
    shown.append(f"  B - A  {100 * found['difference']:+5.1f} %{spread}")
    if between:
        shown.append(
            f"range: {100 * found['level']:.0f} % interval, drawn from {found['units']:,} {unit} and the seeds"
        )
    if found["not_shared"]:
        shown.append(f"not in all of these files, so not counted: {counted(found['not_shared'], 'video')}")
    return shown


def _read(file: Path) -> dict[_Video, dict[str, Any]]:
    """The predictions in a document of ``evaluate``, each checked."""
    try:
        folds = json.loads(file.read_text(encoding="utf-8"))["folds"]
        found = {
            (int(fold["fold"]), str(one["path"]), str(one["label"])): {
                "group": None if one["group"] is None else str(one["group"]),
                "predicted": str(one["predicted"]),
            }
            for fold in folds
            for one in fold["predictions"]
        }
    except OSError as error:
        raise DatasetError(
            f"cannot read {printable(str(file))}: {error.strerror}; "
            "write it with `rspnet-train evaluate DATA --weights W --json > file.json`"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DatasetError(
            f"{printable(str(file))} cannot be compared: it is not what `rspnet-train evaluate --json` prints "
            f"({type(error).__name__}); write one with `rspnet-train evaluate DATA --weights W --json > file.json`"
        ) from error
    return found


def _named(videos: Sequence[_Video], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    paths = [path for (_, path, _), is_chosen in zip(videos, chosen, strict=True) if is_chosen]
    return {"videos": len(paths), "paths": paths[:_NAMED]}
