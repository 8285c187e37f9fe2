import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from rspnet_core.explain.regions import Box, box_shares, boxes_around


def boxes_by_flood_fill(mask: NDArray[np.bool_]) -> list[Box]:
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    boxes = []
    while left:
        area, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            area.add((y, x))
            for beside in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if beside in left:
                    left.remove(beside)
                    edge.append(beside)
        rows, columns = [y for y, _ in area], [x for _, x in area]
        boxes.append(Box(min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return sorted(boxes, key=lambda box: (box.top, box.left))


@settings(max_examples=150, deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.booleans()))
def test_boxes_are_those_of_a_flood_fill(mask: NDArray[np.bool_]) -> None:
    key = lambda box: (box.top, box.left, box.bottom, box.right)  # noqa: E731
    assert sorted(boxes_around(mask), key=key) == sorted(boxes_by_flood_fill(mask), key=key)


def test_two_arms_that_meet_further_down_are_one_area() -> None:
    rows = ["#.#", "#.#", "###", "...", ".#."]
    mask = np.array([[cell == "#" for cell in row] for row in rows])
    assert boxes_around(mask) == [Box(0, 0, 3, 3), Box(1, 4, 2, 5)]


def test_shares_count_a_place_in_two_boxes_once_and_leave_negative_values_out() -> None:
    values = np.zeros((2, 2, 4), np.float32)
    values[0, 0] = [3, 1, -5, 0]
    values[1, 1] = [0, 0, 0, 4]
    shares = box_shares(values, [[Box(0, 0, 2, 1), Box(0, 0, 1, 2)], []])
    assert shares.energy == pytest.approx(4 / 8)
    assert shares.area == pytest.approx(3 / 16)


def test_a_map_without_positive_values_has_no_energy_to_hold() -> None:
    shares = box_shares(np.full((1, 2, 2), -1, np.float32), [[Box(0, 0, 1, 2)]])
    assert (shares.energy, shares.area) == (0.0, 0.5)
