"""Scores of recognition against cases computed by hand and against plain loops written from the definitions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.recognition.calibration import calibration
from rspnet_core.recognition.scores import measure
from tests.rspnet_core.recognition.samples import predictions, random_predictions

seeds = st.integers(0, 10_000)
few = settings(max_examples=25, deadline=None)


def ranking(row):
    """Classes from the most probable down; equal ones in their order."""
    return sorted(range(len(row)), key=lambda place: (-row[place], place))


def oracle_top_k(given_predictions, k):
    """[hit or miss] of each video, one at a time."""
    pairs = zip(given_predictions.labels.tolist(), given_predictions.probabilities.tolist(), strict=True)
    return [label in ranking(row)[:k] for label, row in pairs]


def oracle_class_accuracy(given_predictions):
    hits = {}
    for label, hit in zip(given_predictions.labels.tolist(), oracle_top_k(given_predictions, 1), strict=True):
        hits.setdefault(label, []).append(hit)
    return {label: sum(found) / len(found) for label, found in hits.items()}


def oracle_ece(confidences, correct, bins=15):
    """Guo et al. 2017, Eq. 3, in exact fractions: sum over the bins of |B| / n times |acc(B) - conf(B)|."""
    total = Fraction(0)
    for m in range(1, bins + 1):
        inside = [
            (Fraction(float(c)), hit)
            for c, hit in zip(confidences, correct, strict=True)
            if Fraction(m - 1, bins) < Fraction(float(c)) <= Fraction(m, bins)
        ]
        if inside:
            accuracy = Fraction(sum(hit for _, hit in inside), len(inside))
            confidence = sum(c for c, _ in inside) / len(inside)
            total += Fraction(len(inside), len(confidences)) * abs(accuracy - confidence)
    return float(total)


def oracle_within_family(given_predictions, families):
    """{family: [hit or miss]}: the most probable class of the video's own family, against the truth."""
    names, hits = given_predictions.classes, {}
    for label, row in zip(given_predictions.labels.tolist(), given_predictions.probabilities.tolist(), strict=True):
        family = families.get(names[label])
        rivals = [place for place in ranking(row) if family is not None and families.get(names[place]) == family]
        if len(rivals) > 1:
            hits.setdefault(family, []).append(rivals[0] == label)
    return hits


def test_scores_of_a_case_computed_by_hand():
    rows = [[6, 3, 1], [2, 7, 1], [3, 1, 6], [4, 4, 2]]  # the last: a tie, which the first class wins
    scores = measure(predictions(rows, [0, 0, 2, 1], classes=["run", "jump", "swim"]))
    assert {k: found.value for k, found in scores.top_k.items()} == {1: 0.5}
    assert scores.mean_over_classes.value == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert scores.confusion.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert scores.confusion.dtype == np.int64
    run, swim = scores.per_class["run"], scores.per_class["swim"]
    assert (run.videos, run.accuracy, run.confused_with, run.confused) == (2, 0.5, "jump", 1)
    assert (swim.videos, swim.accuracy, swim.confused_with, swim.confused) == (1, 1.0, None, 0)
    assert (scores.chance.uniform, scores.chance.most_frequent) == (1 / 3, 0.5)
    assert scores.chance.most_frequent_class == "run"
    # Bins: 0.6 twice in (8/15, 9/15], both right; 0.7 in (10/15, 11/15], wrong; 0.4 in (5/15, 6/15], wrong.
    assert scores.calibration.ece == pytest.approx((2 * 0.4 + 0.7 + 0.4) / 4)


@few
@given(seeds, st.integers(2, 9), st.booleans())
def test_accuracies_agree_with_plain_loops(seed, classes, grouped):
    found = random_predictions(seed, videos=30, classes=classes, grouped=grouped)
    scores = measure(found)
    assert list(scores.top_k) == ([1, 5] if classes > 5 else [1])
    for k, value in scores.top_k.items():
        assert value.value == pytest.approx(np.mean(oracle_top_k(found, k)))
    by_class = oracle_class_accuracy(found)
    assert scores.mean_over_classes.value == pytest.approx(sum(by_class.values()) / len(by_class))
    accuracies = [one.accuracy for one in scores.per_class.values()]
    assert accuracies == [pytest.approx(by_class[label]) if label in by_class else None for label in range(classes)]


@few
@given(seeds)
def test_confusion_counts_each_video_once_and_its_diagonal_is_what_is_right(seed):
    found = random_predictions(seed)
    scores = measure(found)
    expected = np.zeros((8, 8), dtype=int)
    for label, row in zip(found.labels, found.probabilities.tolist(), strict=True):
        expected[label, ranking(row)[0]] += 1
    assert (scores.confusion == expected).all()
    assert np.trace(scores.confusion) == round(scores.top_k[1].value * 60)
    for row, one in enumerate(scores.per_class.values()):
        wrong = [count for column, count in enumerate(expected[row]) if column != row]
        assert (one.videos, one.confused) == (expected[row].sum(), max(wrong))


@few
@given(st.lists(st.tuples(st.integers(1, 1000), st.booleans()), min_size=1, max_size=40), st.sampled_from([15, 1000]))
def test_calibration_error_agrees_with_its_definition_on_edges_too(pairs, parts):
    confidences = np.array([min(part, parts) / parts for part, _ in pairs], dtype=np.float32)  # m / 15 are edges
    correct = np.array([hit for _, hit in pairs])
    found = calibration(confidences, correct)
    assert found.ece == pytest.approx(oracle_ece(confidences, correct), abs=1e-9)
    assert (len(found.bins), sum(one.videos for one in found.bins)) == (15, len(pairs))
    for one in found.bins:
        assert (one.confidence is None) == (one.accuracy is None) == (one.videos == 0)
        assert one.confidence is None or one.low - 1e-6 <= one.confidence <= one.high + 1e-6


def test_a_confidence_that_rounds_above_one_is_in_the_last_bin():
    found = calibration(np.array([1.0000001, 0.0], dtype=np.float32), np.array([True, False]))
    assert (found.bins[-1].videos, found.bins[0].videos) == (1, 1)


def test_who_is_right_as_often_as_it_says_has_no_calibration_error():
    found = calibration(np.array([0.75] * 8, dtype=np.float32), np.array([True, True, True, False] * 2))
    assert found.ece == 0


@few
@given(seeds)
def test_families_agree_with_plain_loops(seed):
    found = random_predictions(seed)
    names = found.classes
    families = {names[0]: "b", names[1]: "b", names[2]: "a", names[5]: "a", names[6]: "a", names[3]: "alone"}
    families["not a class"] = "alone"
    expected = oracle_within_family(found, families)
    scores = measure(found, families).within_family
    assert list(scores.families) == sorted(expected)
    for family, hits in expected.items():
        one = scores.families[family]
        assert (one.accuracy.value, one.videos) == (pytest.approx(np.mean(hits)), len(hits))
    together = [hit for hits in expected.values() for hit in hits]
    assert scores.overall.accuracy.value == pytest.approx(np.mean(together))
    assert (scores.overall.videos, scores.overall.classes) == (len(together), 5 if len(expected) == 2 else 2)
    assert scores.mean == pytest.approx(np.mean([np.mean(hits) for hits in expected.values()]))


def test_a_family_forgives_what_is_taken_for_another_family():
    rows = [[3, 1, 6], [1, 3, 6]]
    families = {"run": "body", "jump": "body", "pour": "kitchen"}
    scores = measure(predictions(rows, [0, 0], classes=list(families)), families)
    assert scores.top_k[1].value == 0
    assert scores.within_family.overall.accuracy.value == 0.5


def test_families_of_one_class_are_no_choice():
    found = random_predictions(0)
    assert measure(found, {found.classes[0]: "alone"}).within_family is None
    assert measure(found).within_family is None


def test_intervals_draw_recordings_where_they_are_known():
    rows = np.repeat([[3, 1], [1, 3]] * 5, 10, axis=0)  # ten recordings of ten videos that succeed or fail together
    widths = {}
    for groups in ([f"g{number // 10}" for number in range(100)], None):
        scores = measure(predictions(rows, [0] * 100, groups=groups))
        low, high = scores.top_k[1].interval
        assert low < scores.top_k[1].value < high
        widths[scores.grouped] = (high - low, scores.units)
    assert widths[True] == (pytest.approx(0.62, abs=0.08), 10)  # 2 x 1.96 x 0.5 / sqrt(10)
    assert widths[False] == (pytest.approx(0.196, abs=0.03), 100)


def test_one_recording_gives_no_interval():
    scores = measure(predictions([[3, 1], [1, 3]], [0, 0], groups=["g1", "g1"]))
    assert (scores.top_k[1].interval, scores.mean_over_classes.interval, scores.units) == (None, None, 1)


@few
@given(seeds, st.randoms())
def test_the_order_of_the_classes_changes_no_accuracy_where_nothing_ties(seed, random):
    rng = np.random.default_rng(seed)
    rows, labels = rng.random((20, 6)), rng.integers(0, 6, 20)
    order = list(range(6))
    random.shuffle(order)
    names = [f"class {number}" for number in range(6)]
    one = measure(predictions(rows, labels, classes=names))
    moved = predictions(rows[:, order], np.argsort(order)[labels], classes=[names[place] for place in order])
    other = measure(moved)
    assert {k: v.value for k, v in one.top_k.items()} == {k: v.value for k, v in other.top_k.items()}
    assert one.mean_over_classes.value == pytest.approx(other.mean_over_classes.value)
    assert one.calibration.ece == pytest.approx(other.calibration.ece)
