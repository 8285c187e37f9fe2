"""95 % bootstrap intervals for means over videos and over classes.

Clips of one recording succeed or fail together, so whole recordings are drawn where they are known: drawing single
videos, or a recording's classes apart, would make the intervals too narrow.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
Interval = tuple[float, float]
_SAMPLES_AT_ONCE = 64


def recordings(groups: Sequence[str | None], labels: Sequence[str], families: Mapping[str, str]) -> list[str | None]:
    """What was filmed in one go: a video's split group, which spans the classes of its family.

    ``groups``: ``class/source`` where sources are numbered anew in every class, as UCF101's are, else the source's
    name. ``families``: class to family; classes of one family were filmed together, so that ``g01`` of two of them is
    one recording.
    """
    return [
        f"{families[label]}/{group.rpartition('/')[2]}" if group is not None and label in families else group
        for group, label in zip(groups, labels, strict=True)
    ]


def draw_units(ids: Sequence[str], recordings: Sequence[str | None]) -> tuple[bool, NDArray[np.intp]]:
    """Whether any recording is known, and the unit (0 to U - 1) that each video belongs to.

    A recording is a unit, whatever the classes of its videos; a video without one stands alone.
    """
    keys = [
        ("recording", name) if name is not None else ("video", video_id)
        for video_id, name in zip(ids, recordings, strict=True)
    ]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return any(name is not None for name in recordings), np.array([numbers[key] for key in keys], dtype=np.intp)


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
    replacement, as many as there are, each with its videos of all classes; a class that a draw misses does not count
    in that draw. (None, None) when there are fewer than two units: one unit says nothing about the spread.
    """
    num_units, num_classes = int(units.max()) + 1, int(classes.max()) + 1
    if num_units < 2 or samples < 2:
        return None, None
    # The videos that a unit has of one class are drawn together: a cell. Cells lie in order of their class.
    cells, cell_of = np.unique(classes * num_units + units, return_inverse=True)
    sums = np.zeros((len(cells), values.shape[1] + 1))  # the last column counts the videos
    np.add.at(sums, cell_of, np.column_stack([values, np.ones(len(values))]))
    unit_of_cell, first_of_class = cells % num_units, np.searchsorted(cells // num_units, np.arange(num_classes))
    rng = np.random.default_rng(seed)
    micro, macro = [], []
    for start in range(0, samples, _SAMPLES_AT_ONCE):
        draws = rng.integers(num_units, size=(min(_SAMPLES_AT_ONCE, samples - start), num_units))
        counts = np.stack([np.bincount(draw, minlength=num_units) for draw in draws])
        class_sums = np.add.reduceat(
            counts[:, unit_of_cell, None] * sums, first_of_class, axis=1
        )  # (samples, classes, m + 1)
        totals = class_sums.sum(1)
        micro.append(totals[:, :-1] / totals[:, -1:])
        present = class_sums[:, :, -1:] > 0
        means = np.divide(
            class_sums[:, :, :-1], class_sums[:, :, -1:], where=present, out=np.zeros_like(class_sums)[:, :, :-1]
        )
        macro.append(means.sum(1) / present.sum(1))
    return _percentiles(np.concatenate(micro)), _percentiles(np.concatenate(macro))


def difference_intervals(
    one: NDArray[np.float64], other: NDArray[np.float64], units: NDArray[np.intp], *, samples: int, seed: int
) -> list[Interval] | None:
    """Percentile intervals of how much higher ``other``'s means are, on the same videos.

    one, other: float64 (seeds, n, m), each side with its own number of seeds; units: (n,). Each draw takes units with
    replacement, the same for both sides (what is hard for one is mostly hard for the other), and seeds of each side.
    None when there are fewer than two units.
    """
    num_units = int(units.max()) + 1
    if num_units < 2 or samples < 2:
        return None
    rng = np.random.default_rng(seed)
    counts = np.stack(
        [np.bincount(draw, minlength=num_units) for draw in rng.integers(num_units, size=(samples, num_units))]
    )
    drawn = counts @ np.bincount(units, minlength=num_units)

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        sums = np.zeros((len(values), num_units, values.shape[2]))
        for of_seed, total in zip(values, sums, strict=True):
            np.add.at(total, units, of_seed)
        seeds = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=samples) / len(values)
        found: NDArray[np.float64] = np.einsum("xs,sxm->xm", seeds, counts @ sums / drawn[:, None])
        return found

    return _percentiles(means(other) - means(one))


def _percentiles(draws: NDArray[np.float64]) -> list[Interval]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
