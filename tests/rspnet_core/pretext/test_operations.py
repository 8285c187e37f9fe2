"""What is done to frames: index arithmetic against loops, and pictures put together by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.pretext.operations import frame_orders, permute_tiles, quarter_turns, tile_orders

OPERATIONS = ("forwards", "backwards", "shuffled", "exchanged", "turned", "permuted", "remote")


def drawn(seed: int, frames_per_clip: int, num: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    operations = rng.choice(OPERATIONS, size=(num, 3))
    return operations, frame_orders(rng, operations, frames_per_clip)


def exchanges(frames_per_clip: int) -> set[tuple[int, ...]]:
    """All that two of four parts of a clip can be exchanged to, by lists."""
    count = min(4, frames_per_clip)
    parts = [[n for n in range(frames_per_clip) if n * count // frames_per_clip == part] for part in range(count)]
    found = set()
    for one in range(count):
        for other in range(one):
            moved = list(parts)
            moved[one], moved[other] = moved[other], moved[one]
            found.add(tuple(n for part in moved for n in part))
    return found or {(0,)}


@settings(deadline=None)
@given(seed=st.integers(0, 999), frames_per_clip=st.integers(1, 19))
def test_every_order_shows_each_frame_once_as_its_operation_says(seed: int, frames_per_clip: int) -> None:
    operations, orders = drawn(seed, frames_per_clip)
    straight, exchanged = tuple(range(frames_per_clip)), exchanges(frames_per_clip)
    assert (np.sort(orders, axis=2) == straight).all()
    for operation, order in zip(operations.ravel(), orders.reshape(-1, frames_per_clip).tolist(), strict=True):
        if operation == "exchanged":
            assert tuple(order) in exchanged
        elif operation == "backwards":
            assert tuple(order) == straight[::-1]
        elif operation != "shuffled":
            assert tuple(order) == straight


def test_every_exchange_of_two_parts_is_drawn_and_none_leaves_the_clip_as_it_is() -> None:
    operations, orders = drawn(0, 8, num=300)
    told = {tuple(order) for order in orders[operations == "exchanged"].tolist()}
    assert told == exchanges(8)
    assert len(told) == 6
    assert tuple(range(8)) not in told


def test_an_order_hangs_not_on_what_is_done_to_other_clips() -> None:
    operations = np.array([["exchanged", "forwards"], ["shuffled", "backwards"]])
    others = np.array([["exchanged", "shuffled"], ["forwards", "exchanged"]])
    one, other = (frame_orders(np.random.default_rng(4), each, 8) for each in (operations, others))
    assert (one[0, 0] == other[0, 0]).all()


def test_clips_are_turned_by_each_quarter_and_others_not_at_all() -> None:
    operations = np.random.default_rng(0).choice(OPERATIONS, size=(100, 3))
    turns = quarter_turns(np.random.default_rng(1), operations)
    assert set(turns[operations == "turned"].tolist()) == {1, 2, 3}
    assert not turns[operations != "turned"].any()


def test_tiles_are_shown_in_every_order_but_their_own_and_those_of_other_clips_in_that() -> None:
    operations = np.random.default_rng(0).choice(OPERATIONS, size=(600, 3))
    orders = tile_orders(np.random.default_rng(1), operations)
    told = {tuple(order) for order in orders[operations == "permuted"].tolist()}
    assert len(told) == 23
    assert all(sorted(order) == [0, 1, 2, 3] for order in told)
    assert (0, 1, 2, 3) not in told
    assert (orders[operations != "permuted"] == np.arange(4)).all()


@pytest.mark.parametrize("size", [6, 7])
def test_tiles_are_those_of_the_picture_put_together_anew(size: int) -> None:
    rng = np.random.default_rng(2)
    pictures = rng.random((50, 3, 2, size, size), np.float32)
    operations = rng.choice(["permuted", "forwards"], size=50)
    orders, shown, half = tile_orders(rng, operations), torch.from_numpy(pictures.copy()), size // 2
    permute_tiles(shown, torch.from_numpy(orders))
    for picture, order, found in zip(pictures, orders, shown.numpy(), strict=True):
        first, last = slice(half), slice(half, 2 * half)
        tiles = [picture[..., rows, columns] for rows in (first, last) for columns in (first, last)]
        a, b, c, d = (tiles[number] for number in order)
        expected = picture.copy()
        expected[..., : 2 * half, : 2 * half] = np.block([[a, b], [c, d]])
        assert (found == expected).all()
