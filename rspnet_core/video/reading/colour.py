"""A colour histogram: the baseline that a motion-aware encoder must beat."""

import numpy as np
from numpy.typing import NDArray

_LEVELS = 8


def colour_histogram(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Share of the pixels in each of 8 x 8 x 8 equal boxes of RGB.

    ``frames`` uint8 (..., 3), RGB, at least one pixel. Returns float32 (512,), sum 1; red is the slowest axis.
    """
    levels = frames.reshape(-1, 3) >> 5
    bins = levels[:, 0].astype(np.int16)
    bins *= _LEVELS
    bins += levels[:, 1]
    bins *= _LEVELS
    bins += levels[:, 2]
    counts = np.bincount(bins, minlength=_LEVELS**3)
    return (counts / bins.size).astype(np.float32)
