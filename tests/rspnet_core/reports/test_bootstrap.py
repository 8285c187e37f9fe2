"""Bootstrap intervals against plain resampling and against what theory says of their widths."""

import math

import numpy as np
import pytest

from rspnet_core.reports.bootstrap import difference_intervals, draw_units, mean_intervals, recordings


def test_whole_groups_are_drawn_where_they_are_known():
    # 10 groups of 10 videos that succeed or fail together carry as much evidence as 10 videos.
    values = np.repeat([[1.0], [0.0]] * 5, 10, axis=0)
    groups = [f"g{number // 10}" for number in range(100)]
    ids = [str(number) for number in range(100)]
    widths = {}
    for unit, given_groups in (("group", groups), ("video", [None] * 100)):
        grouped, units = draw_units(ids, given_groups)
        assert grouped == (unit == "group")
        micro, _ = mean_intervals(values, units, np.zeros(100, dtype=np.intp), samples=1000, seed=0)
        widths[unit] = micro[0][1] - micro[0][0]
    assert widths["group"] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(10), abs=0.08)
    assert widths["video"] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(100), abs=0.03)


def test_a_recording_spans_the_classes_of_its_family_and_no_others():
    groups = ["serve/g01", "volley/g01", "yoga/g01", None, "3fVd9xLm0pA"]
    labels = ["serve", "volley", "yoga", "serve", "volley"]
    families = {"serve": "tennis", "volley": "tennis"}
    found = recordings(groups, labels, families)
    assert found == ["tennis/g01", "tennis/g01", "yoga/g01", None, "tennis/3fVd9xLm0pA"]
    grouped, units = draw_units(list("abcde"), found)
    assert grouped and units.tolist() == [0, 0, 1, 2, 3]
    assert recordings(groups, labels, {}) == groups


def test_intervals_of_recordings_with_several_classes_agree_with_plain_resampling():
    # 6 recordings, each with videos of up to three classes; whole recordings are drawn, whatever their classes.
    rng = np.random.default_rng(5)
    values, units, classes = rng.random((40, 2)), rng.integers(6, size=40), rng.integers(3, size=40)
    micro, macro = mean_intervals(values, units, classes, samples=200, seed=1)
    draws = np.random.default_rng(1)
    means, class_means = [], []
    for _ in range(200):
        rows = np.concatenate([np.flatnonzero(units == unit) for unit in draws.integers(6, size=6)])
        means.append(values[rows].mean(0))
        class_means.append(np.mean([values[rows][classes[rows] == c].mean(0) for c in set(classes[rows])], axis=0))
    for found, expected in ((micro, means), (macro, class_means)):
        np.testing.assert_allclose(np.array(found).T, np.quantile(expected, [0.025, 0.975], axis=0), atol=1e-12)


def test_a_difference_is_drawn_for_both_sides_at_once():
    rng = np.random.default_rng(3)
    one, units = rng.random((1, 60, 2)), np.arange(60) // 4
    ((low, high), _) = difference_intervals(one, one + 0.1, units, samples=500, seed=0)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.1))  # each video's own, however much videos differ
    other = rng.random((1, 60, 2))
    found = difference_intervals(one, other, units, samples=500, seed=0)
    means, _ = mean_intervals((other - one)[0], units, np.zeros(60, dtype=np.intp), samples=500, seed=1)
    np.testing.assert_allclose(found, means, atol=0.03)


def test_the_spread_of_seeds_widens_a_difference():
    units = np.arange(50)
    steady, lucky = np.zeros((3, 50, 1)), np.repeat([[[0.0]], [[0.3]], [[0.6]]], 50, axis=1)
    assert difference_intervals(steady, steady + 0.3, units, samples=500, seed=0) == [(pytest.approx(0.3),) * 2]
    ((low, high),) = difference_intervals(steady, lucky, units, samples=2000, seed=0)
    spread = math.sqrt(0.06 / 3)  # of the mean of three seeds drawn with replacement, variance 0.06
    assert (low, high) == (pytest.approx(0.3 - 1.96 * spread, abs=0.06), pytest.approx(0.3 + 1.96 * spread, abs=0.06))
    assert difference_intervals(steady, lucky, np.zeros(50, dtype=np.intp), samples=500, seed=0) is None


def test_bootstrap_agrees_with_plain_resampling():
    rng = np.random.default_rng(2)
    values = rng.random((30, 2))
    units = np.arange(30) // 3
    classes = np.arange(30) // 9
    micro, macro = mean_intervals(values, units, classes, samples=100, seed=4)
    draws = np.random.default_rng(4)
    means, class_means = [], []
    for _ in range(100):
        rows = np.concatenate([np.flatnonzero(units == unit) for unit in draws.integers(10, size=10)])
        means.append(values[rows].mean(0))
        class_means.append(np.mean([values[rows][classes[rows] == c].mean(0) for c in set(classes[rows])], axis=0))
    # The units of a class are drawn by their number, which the fast code keeps as they are sorted by class already.
    for found, expected in ((micro, means), (macro, class_means)):
        np.testing.assert_allclose(np.array(found).T, np.quantile(expected, [0.025, 0.975], axis=0))
