"""Means over videos and over classes with their intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rspnet_core.recognition.predictions import Predictions
from rspnet_core.reports.bootstrap import Interval, draw_units, mean_intervals

BOOTSTRAP_SAMPLES = 1000
_SEED = 0


@dataclass(frozen=True)
class Estimate:
    """A mean from 0 to 1 with its 95 % interval, None where there is one unit alone."""

    value: float
    interval: Interval | None


def units_of(predictions: Predictions, rows: NDArray[np.intp]) -> tuple[bool, NDArray[np.intp]]:
    """``draw_units`` of these rows: whether any recording is known, and the unit of each row."""
    return draw_units([predictions.paths[row] for row in rows], [predictions.groups[row] for row in rows])


def estimate(
    hits: NDArray[np.bool_], predictions: Predictions, rows: NDArray[np.intp]
) -> tuple[list[Estimate], list[Estimate]]:
    """Each column's mean over videos, and its mean over the classes that have videos of the class means.

    hits: bool (r, m), one row for each of ``rows``, which are r (at least one) rows of ``predictions``.
    """
    values = hits.astype(np.float64)
    _, units = units_of(predictions, rows)
    _, classes = np.unique(predictions.labels[rows], return_inverse=True)
    micro, macro = mean_intervals(values, units, classes, samples=BOOTSTRAP_SAMPLES, seed=_SEED)
    class_means = np.stack([values[classes == number].mean(axis=0) for number in range(int(classes.max()) + 1)])
    return _paired(values.mean(axis=0), micro), _paired(class_means.mean(axis=0), macro)


def _paired(means: NDArray[np.float64], intervals: list[Interval] | None) -> list[Estimate]:
    if intervals is None:
        return [Estimate(float(mean), None) for mean in means]
    return [Estimate(float(mean), interval) for mean, interval in zip(means, intervals, strict=True)]
