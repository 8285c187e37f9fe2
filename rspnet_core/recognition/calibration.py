"""Whether a classifier is right as often as it says: the expected calibration error (Guo et al., ICML 2017, Eq. 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15  # as in the tables of Guo et al.


@dataclass(frozen=True)
class Bin:
    """Videos whose top probability is from low to high; the means are None where there is no video."""

    low: float
    high: float
    videos: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """``ece``: the distance of confidence and accuracy, a mean over the bins weighted by videos; 0 (best) to 1."""

    ece: float
    bins: tuple[Bin, ...]


def calibration(confidences: NDArray[np.float32], correct: NDArray[np.bool_]) -> Calibration:
    """``confidences`` (n,): top probabilities, 0 to 1. ``correct`` (n,): whether that class is the true one."""
    exact = confidences.astype(np.float64)
    # No float32 equals an inner edge m / 15, and 15 times one is exact in float64: only 1 itself needs the last bin.
    numbers = np.minimum((exact * BINS).astype(np.intp), BINS - 1)
    videos = np.bincount(numbers, minlength=BINS)
    confidence = np.bincount(numbers, weights=exact, minlength=BINS)
    accuracy = np.bincount(numbers, weights=correct, minlength=BINS)
    bins = tuple(
        Bin(
            low=number / BINS,
            high=(number + 1) / BINS,
            videos=int(count),
            confidence=float(confidence[number] / count) if count else None,
            accuracy=float(accuracy[number] / count) if count else None,
        )
        for number, count in enumerate(videos)
    )
    return Calibration(float(abs(accuracy - confidence).sum() / len(exact)), bins)
