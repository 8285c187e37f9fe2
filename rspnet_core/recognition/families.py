"""Accuracy within families of classes, where recognising the source of a video does not help."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rspnet_core.recognition.estimates import Estimate, estimate
from rspnet_core.recognition.predictions import Predictions


@dataclass(frozen=True)
class FamilyAccuracy:
    """One family: its accuracy when its classes alone compete, its videos, and how many classes these are."""

    accuracy: Estimate
    videos: int
    classes: int


@dataclass(frozen=True)
class WithinFamilies:
    """Families with a video and at least two classes; in a family of one class every video is right."""

    overall: FamilyAccuracy
    """All videos of these families; each video counts the same."""
    mean: float
    """Each family counts the same."""
    families: dict[str, FamilyAccuracy]


def within_families(predictions: Predictions, families: Mapping[str, str]) -> WithinFamilies | None:
    """Score each video among the classes of its own family; None where no family has a video and two classes.

    ``families``: class to family. A class without one does not compete and its videos do not count.
    """
    family_of = np.array([families.get(name) for name in predictions.classes], dtype=object)
    scores: dict[str, FamilyAccuracy] = {}
    hits = np.zeros(len(predictions.paths), dtype=np.bool_)
    counted: list[NDArray[np.intp]] = []
    for family in sorted(set(families.values())):
        members = np.flatnonzero(family_of == family)
        rows = np.flatnonzero(np.isin(predictions.labels, members))
        if len(members) < 2 or not len(rows):
            continue
        best = members[predictions.probabilities[np.ix_(rows, members)].argmax(axis=1)]
        hits[rows] = best == predictions.labels[rows]
        scores[family] = _accuracy(hits, predictions, rows, len(members))
        counted.append(rows)
    if not scores:
        return None
    classes = sum(found.classes for found in scores.values())
    overall = _accuracy(hits, predictions, np.sort(np.concatenate(counted)), classes)
    mean = sum(found.accuracy.value for found in scores.values()) / len(scores)
    return WithinFamilies(overall, mean, scores)


def _accuracy(
    hits: NDArray[np.bool_], predictions: Predictions, rows: NDArray[np.intp], classes: int
) -> FamilyAccuracy:
    micro, _ = estimate(hits[rows, None], predictions, rows)
    return FamilyAccuracy(micro[0], len(rows), classes)
