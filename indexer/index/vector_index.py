"""The exact index: inner-product search over the video vectors, by NumPy, or by FAISS for many queries or on a GPU.

A search reads every vector once, so its floor is ``count * dims * 4`` bytes of memory traffic for a batch of queries,
and for a single one (100,000 vectors of 512 numbers: 205 MB, 7 ms at 29 GB/s).

Answers are the same on every device and whatever the order of insertion: float32 sums only choose candidates, whose
scores are summed in float64 and rounded to 1e-6; equal scores are ordered by key.
"""

import ctypes
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Writers
from indexer.index.flat_file import read_flat, write_flat
from indexer.index.index_types import FILE_NAME, FLAT, SCORE_DECIMALS, Batches, Verified
from indexer.index.manifest import Segment
from rspnet_core.errors import LibraryDamaged

if TYPE_CHECKING:
    from indexer.index.by_faiss import GpuVectors

TIE_MARGIN = 16
"""Neighbours fetched beyond those asked for, so that ties at the end can be ordered."""
_FEW_QUERIES = 20
"""From so many on FAISS multiplies matrices, by all cores."""
_ROWS_AT_ONCE = 128
"""Copied to be multiplied, which the cache then still holds: 10,000 of 768 numbers take 3 ms, by 1,024 rows 27 ms."""
_SLACK = 1e-5


class VectorIndex:
    """Vectors float32 (count, D) by key, ascending 63-bit integers; make it with :meth:`build` or :meth:`read`."""

    kind = FLAT
    approximation = None
    recall = 1.0

    def __init__(self, keys: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Take over both. Raises LibraryDamaged where the keys do not ascend."""
        self.keys, self.vectors = keys, vectors
        self._on_gpu: GpuVectors | None = None
        if (np.diff(keys) <= 0).any():
            raise LibraryDamaged(f"the keys of {FILE_NAME} do not ascend; run `rspnet-index repair`")

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def dims(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    @property
    def bytes_per_search(self) -> int:
        """Memory that a search reads at least: every vector once."""
        return len(self) * self.dims * 4

    @classmethod
    def build(cls, batches: Batches, dims: int) -> "VectorIndex":
        """Index batches of keys int64 (n,), ascending over all batches, and vectors float32 (n, dims)."""
        parts = deque(batches)
        vectors = np.empty((sum(len(keys) for keys, _ in parts), dims), np.float32)
        keys = np.empty(len(vectors), np.int64)
        stop = 0
        while parts:  # each is let go once it is copied
            some, rows = parts.popleft()
            start, stop = stop, stop + len(some)
            keys[start:stop], vectors[start:stop] = some, rows
        return cls(keys, vectors)

    @classmethod
    def of(cls, exact: "VectorIndex", parts: Sequence[int]) -> "VectorIndex":
        """That index."""
        return exact

    @classmethod
    def read(cls, verified: Verified, segment: Segment, dims: int, *, mapped: bool = False) -> "VectorIndex":
        """Read what :meth:`writers` wrote, or map it into memory, which then is not to be written to.

        In a file that memory maps the vectors lie at an odd address: NumPy takes some rows of them as they are, and
        copies all of them for anything else. Raises LibraryDamaged when it is not a flat index of the segment's
        ``count`` vectors of ``dims`` numbers.
        """
        return cls(*read_flat(verified(FILE_NAME), segment.count, dims, mapped=mapped))

    def vector(self, key: int) -> NDArray[np.float32] | None:
        """A copy of the vector, float32 (D,), of ``key``; None when the index does not have it."""
        row = int(np.searchsorted(self.keys, key))
        return self.vectors[row].copy() if row < len(self) and self.keys[row] == key else None

    def rows_at(self, keys: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows, of the same shape, of keys that the index has."""
        return np.searchsorted(self.keys, keys)

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """A copy of the vectors of ``keys[places]``: float32 (n, D)."""
        taken: NDArray[np.float32] = self.vectors[places]
        return taken

    def without(self, keys: NDArray[np.int64]) -> "VectorIndex":
        """The index less the vectors of these keys, in the same memory; this one is used no more."""
        gone = self.rows_of(keys)
        if not gone.any():
            return self
        kept = np.flatnonzero(~gone)
        for start in range(0, len(kept), _ROWS_AT_ONCE):  # each moves down, to where nothing is left to be moved
            rows = kept[start : start + _ROWS_AT_ONCE]
            self.vectors[start : start + len(rows)] = self.vectors[rows]
        return type(self)(self.keys[kept], self.vectors[: len(kept)])

    def writers(self) -> Writers:
        """Of the index's file, written piece by piece, so that no second copy of it is in memory."""
        return {FILE_NAME: partial(write_flat, self.keys, self.vectors)}

    def to(self, device: str) -> "VectorIndex":
        """Search on ``auto`` (a GPU if FAISS sees one), ``cpu``, ``cuda`` or ``cuda:N`` from now on.

        Raises DeviceUnavailable when FAISS does not see that device.
        """
        number = gpu_number(device)
        if number is None:
            self._on_gpu = None
        else:
            from indexer.index.by_faiss import GpuVectors

            self._on_gpu = GpuVectors(self.vectors, number)
        return self

    def search(
        self, queries: NDArray[np.float32], top: int, *, allowed_keys: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The ``top`` vectors of highest inner product with each query float32 (n, D), exactly.

        ``allowed_keys`` restricts the search (it then runs on the CPU). Returns scores float32 and keys int64, both
        (n, min(top, vectors allowed)), by descending score, equal scores by ascending key.
        """
        chosen = None if allowed_keys is None else self.rows_of(allowed_keys)
        available = len(self) if chosen is None else int(chosen.sum())
        top = min(top, available)
        if top == 0 or len(queries) == 0:
            return np.empty((len(queries), top), np.float32), np.empty((len(queries), top), np.int64)
        asked = np.ascontiguousarray(queries, np.float32)
        if len(asked) < _FEW_QUERIES and chosen is not None:
            near: Iterable[NDArray[np.intp]] = [np.flatnonzero(chosen)] * len(asked)
        elif len(asked) < _FEW_QUERIES and self._on_gpu is None and self.vectors.flags.aligned:
            near = (self._scanned(query, top) for query in asked)
        else:
            near = self._nearest(asked, top, available, chosen)
        found = [self.best_among(rows, query, top) for rows, query in zip(near, asked, strict=True)]
        return np.stack([scores for scores, _ in found]), np.stack([keys for _, keys in found])

    def best_among(
        self, rows: NDArray[np.intp], query: NDArray[np.float32], top: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and keys, (top,) each, of the best of these rows for one query float32 (D,); fewer of fewer rows.

        Summed in float64 and then rounded, scores do not hang on what else is searched, and by what.
        """
        near = rows[_may_be_best(self._products(rows, query), query, top)] if len(rows) > top else rows
        scores = self._products(near, query.astype(np.float64)).round(SCORE_DECIMALS).astype(np.float32)
        order = np.lexsort((self.keys[near], -scores))[:top]
        return scores[order] + np.float32(0), self.keys[near[order]]  # no -0.0

    def _products(self, rows: NDArray[np.intp], query: NDArray[Any]) -> NDArray[Any]:
        """Of the vectors of these rows with a query (D,), summed in its precision."""
        pieces = np.array_split(rows, len(rows) // _ROWS_AT_ONCE + 1)
        return np.concatenate([self.vectors[piece] @ query for piece in pieces])

    def _scanned(self, query: NDArray[np.float32], top: int) -> NDArray[np.intp]:
        """Rows that may be among the ``top`` best of one query float32 (D,).

        FAISS has one core look at one query; this product is of all cores, at the speed of memory.
        """
        return np.flatnonzero(_may_be_best(self.vectors @ query, query, top))

    def _nearest(
        self, queries: NDArray[np.float32], top: int, available: int, chosen: NDArray[np.bool_] | None
    ) -> NDArray[np.intp]:
        """Rows (n, m) among which are the ``top`` best of each query, whatever the order of sums, ties included."""
        fetched = min(available, top + TIE_MARGIN)
        while True:
            scores, rows = self._by_faiss(queries, fetched, chosen)
            if fetched == available or (scores[:, top - 1] - scores[:, -1] > _slack(queries)).all():
                return rows
            fetched = min(available, fetched * 4)

    def _by_faiss(
        self, queries: NDArray[np.float32], count: int, chosen: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        from indexer.index.by_faiss import MOST_ON_GPU, nearest

        if chosen is None and self._on_gpu is not None and count <= MOST_ON_GPU:
            return self._on_gpu.nearest(queries, count)
        return nearest(self.vectors, queries, count, chosen)

    def rows_of(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mark, bool (count,), those whose key is among ``keys``; keys that the index does not have are no rows."""
        places = np.searchsorted(self.keys, keys)
        inside = places < len(self)
        found = places[inside][self.keys[places[inside]] == keys[inside]]
        chosen = np.zeros(len(self), dtype=bool)
        chosen[found] = True
        return chosen


def gpu_number(device: str) -> int | None:
    """Of the GPU meant by ``auto``, ``cuda`` or ``cuda:N``; None for ``cpu``, and ``auto`` where FAISS sees none.

    Raises DeviceUnavailable when FAISS does not see that device.
    """
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return None
    from indexer.index import by_faiss

    return by_faiss.gpu_number(device)


def _has_driver() -> bool:
    """Whether NVIDIA's driver is there: without it FAISS sees no GPU, and need not be loaded to say so."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _may_be_best(scores: NDArray[np.float32], query: NDArray[np.float32], top: int) -> NDArray[np.bool_]:
    """Marks float32 scores that could be among the ``top`` best if they were summed otherwise."""
    marked: NDArray[np.bool_] = scores >= np.partition(scores, -top)[-top] - _slack(query)
    return marked


def _slack(queries: NDArray[np.float32]) -> Any:
    """More than float32 sums of different order differ by, of queries float32 (..., D) with vectors of three parts."""
    return _SLACK * np.linalg.norm(queries, axis=-1)
