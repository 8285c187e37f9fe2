"""Vectors by key in one array."""

from collections.abc import Iterator
from typing import Any
from weakref import ref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.benchmark.keyed_rows import KeyedRows


@given(st.sets(st.integers(0, 2**62), max_size=40), st.integers(1, 9), st.data())
def test_batches_are_one_array_from_which_any_are_taken(keys: set[int], size: int, data: st.DataObject) -> None:
    ordered = np.array(sorted(keys), np.int64)
    vectors = np.arange(len(keys) * 3, dtype=np.float32).reshape(len(keys), 3)
    starts = range(0, len(keys), size)
    rows = KeyedRows.of((ordered[at : at + size], vectors[at : at + size]) for at in starts)
    assert len(rows) == len(keys)
    assert rows.holds(keys)
    wanted = data.draw(st.lists(st.sampled_from(sorted(keys)), max_size=50)) if keys else []
    by_key = dict(zip(ordered.tolist(), vectors.tolist(), strict=True))
    assert rows.at(wanted).tolist() == [by_key[key] for key in wanted]


def test_a_key_that_is_not_there_is_an_error() -> None:
    rows = KeyedRows(np.array([3, 5]), np.ones((2, 4), np.float32))
    assert not rows.holds([3, 4])
    for key in (2, 4, 9):
        with pytest.raises(KeyError):
            rows.at([3, key])


def test_each_batch_is_freed_once_it_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ref[NDArray[np.float32]]] = []
    alive: list[int] = []

    class Watched(np.ndarray[Any, Any]):
        def __setitem__(self, place: Any, some: Any) -> None:
            super().__setitem__(place, some)
            alive.append(sum(each() is not None for each in given))

    def batches() -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        for number in range(10):
            vectors = np.full((3, 5), number, np.float32)
            given.append(ref(vectors))
            yield np.arange(number * 3, number * 3 + 3), vectors

    empty = np.empty
    with monkeypatch.context() as patched:
        patched.setattr(np, "empty", lambda *facts: empty(*facts).view(Watched))
        rows = KeyedRows.of(batches())
    assert alive == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert rows.at([0, 29])[:, 0].tolist() == [0, 9]
