"""The queue against a deque, key by key."""

from collections import deque

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rspnet_core.models.two_head import PROJECTION_SIZE
from rspnet_core.pretext.queue import KeyQueue


def some_keys(count: int, seed: int) -> Tensor:
    return torch.randn(count, PROJECTION_SIZE, generator=torch.Generator().manual_seed(seed))


def held(queue: KeyQueue) -> list[tuple[int, tuple[float, ...]]]:
    keys, ids = queue.negatives()
    return sorted(zip(ids.tolist(), map(tuple, keys.tolist()), strict=True))


@settings(deadline=None, max_examples=50)
@given(data=st.data(), size=st.integers(1, 9))
def test_any_sequence_of_batches_leaves_what_a_deque_holds(data: st.DataObject, size: int) -> None:
    near = st.sampled_from([0, 1, max(size - 1, 1), size, size + 1, 2 * size, 3 * size + 1])
    counts = data.draw(st.lists(near, max_size=7))
    reload_after = data.draw(st.integers(0, 7))
    queue, oracle = KeyQueue(size), deque[tuple[int, tuple[float, ...]]](maxlen=size)
    for step, count in enumerate(counts):
        keys = some_keys(count, step)
        ids = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), dtype=torch.long)
        queue.put(keys, ids)
        oracle.extend(zip(ids.tolist(), map(tuple, keys.tolist()), strict=True))
        if step == reload_after:
            state, queue = queue.state_dict(), KeyQueue(size)
            queue.load_state_dict(state)
        assert held(queue) == sorted(oracle)
        assert int(queue.written) == sum(counts[: step + 1])


def test_a_new_queue_has_no_negatives() -> None:
    keys, ids = KeyQueue(4).negatives()
    assert keys.shape == (0, PROJECTION_SIZE)
    assert ids.shape == (0,)


def test_the_oldest_keys_go_first() -> None:
    queue = KeyQueue(4)
    for start in (0, 3, 6):
        queue.put(some_keys(3, start), torch.arange(start, start + 3))
    assert sorted(queue.negatives()[1].tolist()) == [5, 6, 7, 8]


def test_a_queue_keeps_values_and_no_graph() -> None:
    queue, keys = KeyQueue(4), some_keys(2, 0).requires_grad_()
    queue.put(keys * 1, torch.arange(2))
    with torch.no_grad():
        keys.zero_()
    got, _ = queue.negatives()
    assert not got.requires_grad
    assert got.equal(some_keys(2, 0))


def test_keys_of_lower_precision_are_kept_in_float32() -> None:
    queue = KeyQueue(4)
    queue.put(some_keys(2, 0).bfloat16(), torch.arange(2))
    assert queue.negatives()[0].equal(some_keys(2, 0).bfloat16().float())


def test_all_of_a_queue_is_saved_and_nothing_of_it_is_trained() -> None:
    assert set(KeyQueue(3).state_dict()) == {"keys", "video_ids", "written"}
    assert list(KeyQueue(3).parameters()) == []


def test_the_state_of_a_queue_of_another_size_is_refused() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        KeyQueue(5).load_state_dict(KeyQueue(4).state_dict())
