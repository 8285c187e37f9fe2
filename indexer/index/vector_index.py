"""The exact FAISS index: inner-product search over the video vectors, on the CPU or a GPU.

The index is flat: a search reads every vector once, so its floor is ``count * dims * 4`` bytes of memory traffic for a
batch of queries, and for a single one (100,000 vectors of 512 numbers: 205 MB, 7 ms at 29 GB/s).

Answers are the same on every device and whatever the order of insertion: float32 sums only choose candidates, whose
scores are summed in float64 and rounded to 1e-6; equal scores are ordered by key.
"""

import os
from collections.abc import Iterable, Sequence
from functools import cached_property, partial
from io import BufferedReader
from typing import Any

import faiss as untyped_faiss
import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Sink, Writers
from indexer.index.index_types import FILE_NAME, FLAT, SCORE_DECIMALS, Batches, Verified
from indexer.index.manifest import Segment
from rspnet_core.errors import DeviceUnavailable, LibraryDamaged

faiss: Any = untyped_faiss  # its type stubs leave out what its Python layer adds

TIE_MARGIN = 16
"""Neighbours fetched beyond those asked for, so that ties at the end can be ordered."""
MOST_ON_GPU = 2048
"""FAISS's limit of neighbours on a GPU."""
MOST_SCRATCH_BYTES = 1536 << 20
"""That FAISS sets aside on a GPU for intermediate results, which it allocates one by one where they do not fit."""
_FEW_QUERIES = 20
"""From so many on FAISS multiplies matrices, by all cores."""
_ROWS_AT_ONCE = 1024
_SLACK = 1e-5
_IO_BYTES = 1 << 20
"""Read or written at once."""


class VectorIndex:
    """Vectors float32 (count, D) by key, ascending 63-bit integers; make it with :meth:`build` or :meth:`read`."""

    kind = FLAT
    approximation = None
    recall = 1.0

    def __init__(self, index: Any) -> None:
        self._index = index
        self._flat = faiss.downcast_index(index.index)
        self._resources: Any = None
        self._on_gpu: Any = None
        self.keys = ids_of(index)
        """Ascending."""
        if (np.diff(self.keys) <= 0).any():
            raise LibraryDamaged(f"the keys of {FILE_NAME} do not ascend; run `rspnet-index repair`")

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def dims(self) -> int:
        """Length of a vector."""
        return int(self._index.d)

    @property
    def bytes_per_search(self) -> int:
        """Memory that a search reads at least: every vector once."""
        return len(self) * self.dims * 4

    @classmethod
    def build(cls, batches: Batches, dims: int) -> "VectorIndex":
        """Index batches of keys int64 (n,), ascending over all batches, and vectors float32 (n, dims)."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dims))
        for keys, vectors in batches:
            index.add_with_ids(vectors, keys)
        return cls(index)

    @classmethod
    def of(cls, exact: "VectorIndex", parts: Sequence[int]) -> "VectorIndex":
        """That index."""
        return exact

    @classmethod
    def read(cls, verified: Verified, segment: Segment, dims: int, *, mapped: bool = False) -> "VectorIndex":
        """Read what :meth:`writers` wrote, or map it into memory; from verified bytes: FAISS trusts what it reads.

        Raises LibraryDamaged when it is not a flat index of the segment's ``count`` vectors of ``dims`` numbers.
        """
        index = (read_mapped if mapped else _read_copied)(verified(FILE_NAME))
        is_ours = isinstance(index, faiss.IndexIDMap2) and isinstance(
            faiss.downcast_index(index.index), faiss.IndexFlatIP
        )
        if not is_ours or (index.ntotal, index.d) != (segment.count, dims):
            raise LibraryDamaged(
                f"{FILE_NAME} is {type(index).__name__} of {index.ntotal} x {index.d}, expected a flat index of "
                f"{segment.count} x {dims}; run `rspnet-index repair`"
            )
        return cls(index)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """The vectors, float32 (count, D), in the order of ``keys``: a view of the index's own memory.

        In a file that memory maps they lie at an odd address: NumPy takes some rows of them as they are, and copies all
        of them for anything else.
        """
        flat: NDArray[np.float32] = faiss.rev_swig_ptr(self._flat.get_xb(), len(self) * self.dims)
        return flat.reshape(len(self), self.dims)

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
        self._index.remove_ids(faiss.IDSelectorBatch(self.keys[gone]))
        return type(self)(self._index)

    def writers(self) -> Writers:
        """Of the index's file, written piece by piece, so that no second copy of it is in memory."""
        return {FILE_NAME: partial(write_faiss, self._index)}

    def to(self, device: str) -> "VectorIndex":
        """Search on ``auto`` (a GPU if FAISS sees one), ``cpu``, ``cuda`` or ``cuda:N`` from now on.

        Raises DeviceUnavailable when FAISS does not see that device.
        """
        number = gpu_number(device)
        if number is None:
            self._on_gpu = None
            return self
        self._resources = faiss.StandardGpuResources()
        # It would take 1.5 GB for each segment, however small.
        self._resources.setTempMemory(min(MOST_SCRATCH_BYTES, self.bytes_per_search))
        self._on_gpu = faiss.index_cpu_to_gpu(self._resources, number, self._flat)
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
        if chosen is None and self._on_gpu is None and len(asked) < _FEW_QUERIES and self.vectors.flags.aligned:
            near: Iterable[NDArray[np.intp]] = (self._scanned(query, top) for query in asked)
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
        if chosen is not None:
            selector = faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
            found = self._flat.search(queries, count, params=faiss.SearchParameters(sel=selector))
        elif self._on_gpu is not None and count <= MOST_ON_GPU:
            found = self._on_gpu.search(queries, count)
        else:
            found = self._flat.search(queries, count)
        scores, positions = found
        return scores, positions

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
    count: int = faiss.get_num_gpus()
    allowed = {"auto": 0 if count else None, "cpu": None, "cuda": 0} | {
        f"cuda:{number}": number for number in range(count)
    }
    number = allowed.get(device, count)
    if number is not None and number >= count:
        choices = "use cpu" if count == 0 else f"use cpu or cuda:0 to cuda:{count - 1}"
        raise DeviceUnavailable(f"FAISS cannot search on {device!r}: it sees {count} GPUs; {choices}")
    return number


def ids_of(index: Any) -> NDArray[np.int64]:
    """The keys, int64 (count,), of an IndexIDMap2."""
    keys: NDArray[np.int64] = faiss.vector_to_array(index.id_map)
    return keys


def write_faiss(index: Any, sink: Sink) -> None:
    """Write a FAISS index piece by piece. Raises what ``sink`` raises."""
    faiss.write_index(index, faiss.PyCallbackIOWriter(sink.write, _IO_BYTES))


def read_mapped(file: BufferedReader) -> Any:
    """A FAISS index whose vectors and codes stay in the file, which memory maps. Raises LibraryDamaged."""
    return _read(f"/dev/fd/{file.fileno()}", faiss.IO_FLAG_MMAP_IFC)


def _read_copied(file: BufferedReader) -> Any:
    return _read(faiss.PyCallbackIOReader(file.read, _IO_BYTES))


def _read(*source: Any) -> Any:
    try:
        return faiss.read_index(*source)
    except RuntimeError as error:
        raise LibraryDamaged("a file of the index cannot be read by FAISS; run `rspnet-index repair`") from error


def _may_be_best(scores: NDArray[np.float32], query: NDArray[np.float32], top: int) -> NDArray[np.bool_]:
    """Marks float32 scores that could be among the ``top`` best if they were summed otherwise."""
    marked: NDArray[np.bool_] = scores >= np.partition(scores, -top)[-top] - _slack(query)
    return marked


def _slack(queries: NDArray[np.float32]) -> Any:
    """More than float32 sums of different order differ by, of queries float32 (..., D) with vectors of three parts."""
    return _SLACK * np.linalg.norm(queries, axis=-1)


def _set_threads() -> None:
    """FAISS counts the machine's cores, also those that this process may not use."""
    if "OMP_NUM_THREADS" not in os.environ and hasattr(os, "sched_getaffinity"):
        faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))


_set_threads()
