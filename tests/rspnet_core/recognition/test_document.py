"""The scores as JSON and as lines for a terminal."""

import json

import pytest

from rspnet_core.recognition.document import document, mean_of_folds
from rspnet_core.recognition.scores import measure
from rspnet_core.recognition.summary import lines
from tests.rspnet_core.recognition.samples import HOSTILE, UNDECODABLE, predictions, random_predictions

FAMILIES = {f"class {number}": "first" if number < 4 else "second" for number in range(8)}


@pytest.fixture(scope="module")
def scores():
    return measure(random_predictions(3, unreadable={"b.mp4": "empty", "a.mp4": "no frames"}), FAMILIES)


def test_the_document_is_json_with_the_documented_fields(scores):
    found = document(scores)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert list(found) == [
        "videos",
        "classes",
        "top_k",
        "mean_over_classes",
        "intervals",
        "calibration",
        "per_class",
        "confusion",
        "within_family",
        "chance",
        "unreadable",
        "predictions",
    ]
    assert found["top_k"] == {str(k): one.value for k, one in scores.top_k.items()}
    assert found["intervals"]["top_k"]["5"] == list(scores.top_k[5].interval)
    assert (found["intervals"]["unit"], found["intervals"]["units"]) == ("group", scores.units)
    assert found["per_class"]["class 0"]["videos"] == sum(found["confusion"][0])
    assert found["within_family"]["families"]["first"]["classes"] == 4
    assert found["unreadable"] == [{"path": "a.mp4", "reason": "no frames"}, {"path": "b.mp4", "reason": "empty"}]


def test_the_figures_can_be_computed_again_from_the_predictions(scores):
    found = document(scores)
    right = [one["label"] == one["predicted"] for one in found["predictions"]]
    assert sum(right) / len(right) == pytest.approx(found["top_k"]["1"])
    assert all(0 < one["probability"] <= 1 for one in found["predictions"])
    filled = [one for one in found["calibration"]["bins"] if one["videos"]]
    gaps = [one["videos"] * abs(one["accuracy"] - one["confidence"]) for one in filled]
    assert sum(gaps) / found["videos"] == pytest.approx(found["calibration"]["ece"])


def test_what_there_is_not_is_left_out_or_none():
    found = document(measure(predictions([[3, 1, 1], [1, 3, 1]], [0, 0], groups=["g", "g"])))
    assert list(found["top_k"]) == ["1"]
    assert found["intervals"]["top_k"] == {"1": None}
    assert found["within_family"] is None
    unseen = {"videos": 0, "accuracy": None, "confused_with": None, "confused": 0}
    assert found["per_class"]["class 2"] == unseen
    assert found["calibration"]["bins"][0] == {
        "low": 0.0,
        "high": 1 / 15,
        "videos": 0,
        "confidence": None,
        "accuracy": None,
    }


def test_folds_are_averaged_arithmetically():
    folds = [document(measure(random_predictions(seed, videos=20 + 40 * seed))) for seed in range(3)]
    mean = mean_of_folds(folds)
    assert mean["folds"] == 3
    for k in ("1", "5"):
        assert mean["top_k"][k] == pytest.approx(sum(fold["top_k"][k] for fold in folds) / 3)
    assert mean["mean_over_classes"] == pytest.approx(sum(fold["mean_over_classes"] for fold in folds) / 3)
    assert mean["ece"] == pytest.approx(sum(fold["calibration"]["ece"] for fold in folds) / 3)


def test_folds_of_different_k_share_what_both_have():
    folds = [document(measure(random_predictions(0, classes=classes))) for classes in (5, 6)]
    assert list(mean_of_folds(folds)["top_k"]) == ["1"]


def test_lines_have_the_headline_figures_with_their_intervals(scores):
    found = document(scores)
    shown = lines(found)
    assert shown[0] == "60 videos of 8 classes, 2 unreadable"
    low, high = found["intervals"]["top_k"]["1"]
    assert shown[1].split() == f"top-1 {100 * found['top_k']['1']:.1f} % {100 * low:.1f} to {100 * high:.1f}".split()
    assert [line.split("  ")[0] for line in shown[2:6]] == ["top-5", "mean over classes", "chance", "calibration error"]
    assert len({line.index(" %") for line in shown[1:-1]}) == 1  # aligned
    assert shown[-1] == f"ranges: 95 % intervals, drawn from {scores.units} source recordings"
    assert "  first" in "\n".join(shown)


def test_lines_show_hostile_names_as_text():
    names = [HOSTILE, UNDECODABLE, *"cdef"]
    found = document(measure(random_predictions(1, classes=6, names=names), dict.fromkeys(names, HOSTILE)))
    shown = "\n".join(lines(found))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    shown.encode()
