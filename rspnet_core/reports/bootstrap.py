"""95 % bootstrap intervals for means over videos and over classes.

Clips of one recording succeed or fail together, so whole split groups are drawn where groups are known: drawing single
videos would make the intervals too narrow.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
Interval = tuple[float, float]
_SAMPLES_AT_ONCE = 64


def group_units(
    ids: Sequence[str], labels: Sequence[str], groups: Sequence[str | None]
) -> tuple[bool, NDArray[np.intp]]:
    """Whether any group is known, and the unit (0 to U - 1) that each video belongs to.

    A unit is a label with a group (UCF101 numbers its groups anew in every class); a video without one stands alone.
    """
    grouped = any(group is not None for group in groups)
    keys = [
        (label, "group", group) if group is not None else (label, "video", video_id)
        for video_id, label, group in zip(ids, labels, groups, strict=True)
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return grouped, np.array([numbers[key] for key in keys], dtype=np.intp)


def mean_intervals(
    values: NDArray[np.float64],
    units: NDArray[np.intp],
    classes: NDArray[np.intp],
    *,
    samples: int,
    seed: int,
) -> tuple[list[Interval] | None, list[Interval] | None]:
    """Percentile intervals of the mean over videos, and of the mean over classes of the class means.

    values: float64 (n, m), one column a measure; units, classes: (n,), numbered from 0. Units are drawn with
    replacement, as many as there are; a class that a draw misses does not count in that draw. (None, None) when there
    are fewer than two units: one unit says nothing about the spread.
    """
    num_units, num_classes = int(units.max()) + 1, int(classes.max()) + 1
    if num_units < 2 or samples < 2:
        return None, None
    class_of_unit = np.zeros(num_units, dtype=np.intp)
    class_of_unit[units] = classes
    sums = np.zeros((num_units, values.shape[1] + 1))  # the last column counts the videos
    np.add.at(sums, units, np.column_stack([values, np.ones(len(values))]))
    by_class = np.argsort(class_of_unit, kind="stable")
    sums, first_of_class = sums[by_class], np.searchsorted(class_of_unit[by_class], np.arange(num_classes))
    rng = np.random.default_rng(seed)
    micro, macro = [], []
    for start in range(0, samples, _SAMPLES_AT_ONCE):
        draws = rng.integers(num_units, size=(min(_SAMPLES_AT_ONCE, samples - start), num_units))
        counts = np.stack([np.bincount(draw, minlength=num_units) for draw in draws])
        class_sums = np.add.reduceat(counts[:, :, None] * sums, first_of_class, axis=1)  # (samples, classes, m + 1)
        totals = class_sums.sum(1)
        micro.append(totals[:, :-1] / totals[:, -1:])
        present = class_sums[:, :, -1:] > 0
        means = np.divide(
            class_sums[:, :, :-1], class_sums[:, :, -1:], where=present, out=np.zeros_like(class_sums)[:, :, :-1]
        )
        macro.append(means.sum(1) / present.sum(1))
    return _percentiles(np.concatenate(micro)), _percentiles(np.concatenate(macro))


def _percentiles(draws: NDArray[np.float64]) -> list[Interval]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
