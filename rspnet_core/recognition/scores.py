"""Score action recognition: the paper's top-1 accuracy (Tables 1 to 3), and what stands behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rspnet_core.recognition.calibration import Calibration, calibration
from rspnet_core.recognition.estimates import Estimate, estimate, units_of
from rspnet_core.recognition.families import WithinFamilies, within_families
from rspnet_core.recognition.predictions import Predictions

_KS = (1, 5)


@dataclass(frozen=True)
class ClassAccuracy:
    """One class; ``accuracy`` is None without videos, ``confused_with`` where no video was taken for another."""

    videos: int
    accuracy: float | None
    confused_with: str | None
    """The class that its videos are most often taken for."""
    confused: int
    """How many of them."""


@dataclass(frozen=True)
class Chance:
    """What needs no network: guessing among all classes, and always naming the class with the most videos."""

    uniform: float
    most_frequent: float
    most_frequent_class: str


@dataclass(frozen=True)
class RecognitionScores:
    """Everything that a report says about the predictions of one fold; scores are fractions from 0 to 1."""

    predictions: Predictions
    top_k: dict[int, Estimate]
    """1 and, from 6 classes on, 5: with 5 classes nothing can be wrong at 5."""
    mean_over_classes: Estimate
    """Top-1 where each class with videos counts the same."""
    grouped: bool
    """Whether the intervals draw recordings rather than videos."""
    units: int
    """How many of these there are."""
    per_class: dict[str, ClassAccuracy]
    confusion: NDArray[np.int64]
    """(C, C): videos of the row's class that are taken for the column's."""
    calibration: Calibration
    within_family: WithinFamilies | None
    chance: Chance


def measure(predictions: Predictions, families: Mapping[str, str] | None = None) -> RecognitionScores:
    """Score ``predictions``, and with ``families`` (class to family) within each family too."""
    num_classes = len(predictions.classes)
    ks = [k for k in _KS if k == 1 or k < num_classes]
    everything = np.arange(len(predictions.paths))
    micro, macro = estimate(predictions.ranks[:, None] <= np.array(ks), predictions, everything)
    grouped, units = units_of(predictions, everything)
    confusion = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(confusion, (predictions.labels, predictions.predicted), 1)
    return RecognitionScores(
        predictions=predictions,
        top_k=dict(zip(ks, micro, strict=True)),
        mean_over_classes=macro[0],
        grouped=grouped,
        units=int(units.max()) + 1,
        per_class=_per_class(predictions.classes, confusion),
        confusion=confusion,
        calibration=calibration(predictions.probabilities.max(axis=1), predictions.ranks == 1),
        within_family=within_families(predictions, families) if families else None,
        chance=_chance(predictions.classes, confusion.sum(axis=1)),
    )


def _per_class(classes: tuple[str, ...], confusion: NDArray[np.int64]) -> dict[str, ClassAccuracy]:
    wrong = confusion - np.diag(confusion.diagonal())
    return {
        name: ClassAccuracy(
            videos=(videos := int(confusion[row].sum())),
            accuracy=float(confusion[row, row] / videos) if videos else None,
            confused_with=classes[int(wrong[row].argmax())] if wrong[row].any() else None,
            confused=int(wrong[row].max()),
        )
        for row, name in enumerate(classes)
    }


def _chance(classes: tuple[str, ...], videos: NDArray[np.int64]) -> Chance:
    most = int(videos.argmax())
    return Chance(1 / len(classes), float(videos[most] / videos.sum()), classes[most])
