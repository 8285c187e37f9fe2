"""Scores of recognition as plain data: what ``--json`` prints, and what the page and the terminal are made from."""

from collections.abc import Sequence
from typing import Any

from rspnet_core.recognition.calibration import Calibration
from rspnet_core.recognition.estimates import BOOTSTRAP_SAMPLES, Estimate
from rspnet_core.recognition.families import FamilyAccuracy, WithinFamilies
from rspnet_core.recognition.predictions import Predictions
from rspnet_core.recognition.scores import RecognitionScores
from rspnet_core.reports.bootstrap import LEVEL

Document = dict[str, Any]


def document(scores: RecognitionScores) -> Document:
    """One fold as JSON types; scores are fractions, an interval is [low, high] or None."""
    predictions, chance = scores.predictions, scores.chance
    return {
        "videos": len(predictions.paths),
        "classes": list(predictions.classes),
        "top_k": {str(k): found.value for k, found in scores.top_k.items()},
        "mean_over_classes": scores.mean_over_classes.value,
        "intervals": {
            "level": LEVEL,
            "unit": "group" if scores.grouped else "video",
            "units": scores.units,
            "samples": BOOTSTRAP_SAMPLES,
            "top_k": {str(k): _interval(found) for k, found in scores.top_k.items()},
            "mean_over_classes": _interval(scores.mean_over_classes),
        },
        "calibration": _calibration(scores.calibration),
        "per_class": {name: dict(vars(found)) for name, found in scores.per_class.items()},
        "confusion": scores.confusion.tolist(),
        "within_family": scores.within_family and _within_family(scores.within_family),
        "chance": dict(vars(chance)),
        "unreadable": [{"path": path, "reason": reason} for path, reason in sorted(predictions.unreadable.items())],
        "predictions": _predictions(predictions),
    }


def mean_of_folds(documents: Sequence[Document]) -> Document:
    """Arithmetic means over the folds of ``top_k`` (each k that all folds have), ``mean_over_classes`` and ``ece``."""
    ks = [k for k in documents[0]["top_k"] if all(k in found["top_k"] for found in documents)]
    return {
        "folds": len(documents),
        "top_k": {k: _mean([found["top_k"][k] for found in documents]) for k in ks},
        "mean_over_classes": _mean([found["mean_over_classes"] for found in documents]),
        "ece": _mean([found["calibration"]["ece"] for found in documents]),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _interval(found: Estimate) -> list[float] | None:
    return list(found.interval) if found.interval else None


def _calibration(found: Calibration) -> Document:
    return {"ece": found.ece, "bins": [dict(vars(one)) for one in found.bins]}


def _within_family(found: WithinFamilies) -> Document:
    families = {name: _family(family) for name, family in found.families.items()}
    return {"overall": _family(found.overall), "mean": found.mean, "families": families}


def _family(found: FamilyAccuracy) -> Document:
    return {
        "accuracy": found.accuracy.value,
        "interval": _interval(found.accuracy),
        "videos": found.videos,
        "classes": found.classes,
    }


def _predictions(predictions: Predictions) -> list[Document]:
    tops = predictions.probabilities.max(axis=1).astype(float)
    rows = zip(predictions.paths, predictions.groups, predictions.labels, predictions.predicted, tops, strict=True)
    return [
        {
            "path": path,
            "group": group,
            "label": predictions.classes[label],
            "predicted": predictions.classes[predicted],
            "probability": float(top),
        }
        for path, group, label, predicted, top in rows
    ]
