"""Bootstrap intervals against plain resampling and against what theory says of their widths."""

import math

import numpy as np
import pytest

from rspnet_core.reports.bootstrap import group_units, mean_intervals


def test_whole_groups_are_drawn_where_they_are_known():
    # 10 groups of 10 videos that succeed or fail together carry as much evidence as 10 videos.
    values = np.repeat([[1.0], [0.0]] * 5, 10, axis=0)
    labels = ["a"] * 100
    groups = [f"g{number // 10}" for number in range(100)]
    ids = [str(number) for number in range(100)]
    widths = {}
    for unit, given_groups in (("group", groups), ("video", [None] * 100)):
        grouped, units = group_units(ids, labels, given_groups)
        assert grouped == (unit == "group")
        micro, _ = mean_intervals(values, units, np.zeros(100, dtype=np.intp), samples=1000, seed=0)
        widths[unit] = micro[0][1] - micro[0][0]
    assert widths["group"] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(10), abs=0.08)
    assert widths["video"] == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(100), abs=0.03)


def test_a_group_name_of_two_classes_is_two_units():
    _, units = group_units(["1", "2", "3"], ["a", "b", "a"], ["g01", "g01", "g01"])
    assert units.tolist() == [0, 1, 0]


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
