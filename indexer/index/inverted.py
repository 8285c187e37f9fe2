"""The inverted file of one part of vectors: lists around centroids, of which a search reads the nearest.

Jegou et al., Product quantization for nearest neighbor search (PAMI 2011), section IV, with a byte a number as code.
"""

from io import BufferedReader
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from indexer.index.by_faiss import faiss, read_mapped, write_faiss
from indexer.index.durable import Sink

_SAMPLED_PER_LIST = 64
"""Vectors that centroids are learnt from."""
_ROUNDS = 10
"""Of k-means."""
_VECTORS_PER_ADD = 16_384

Rows = NDArray[np.float32]
Mask = NDArray[np.bool_]


class InvertedFile:
    """Of ``count`` vectors of ``dims`` numbers, by row."""

    def __init__(self, index: Any) -> None:
        """Take over an IndexIVF."""
        self._index = index
        self.count = int(index.ntotal)
        self.dims = int(index.d)
        self.lists = int(index.nlist)

    @classmethod
    def of(cls, vectors: Rows, part: slice) -> Self:
        """Of one part of vectors float32 (count, D), the same for the same ones: two lists a root of their number."""
        count, dims = len(vectors), part.stop - part.start
        lists = max(1, round(2 * count**0.5))
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(dims), dims, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
        )
        index.cp.niter, index.cp.spherical = _ROUNDS, True
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _SAMPLED_PER_LIST
        sampled = np.random.default_rng(count).permutation(count)[: _SAMPLED_PER_LIST * lists]
        index.train(np.ascontiguousarray(vectors[np.sort(sampled), part]))
        for start in range(0, count, _VECTORS_PER_ADD):
            index.add(np.ascontiguousarray(vectors[start : start + _VECTORS_PER_ADD, part]))
        return cls(index)

    @classmethod
    def read(cls, file: BufferedReader) -> Self | None:
        """Map what :meth:`write` wrote into memory, from bytes whose hash is verified; None where it is another."""
        index = read_mapped(file)
        return cls(index) if isinstance(index, faiss.IndexIVFScalarQuantizer) else None

    def write(self, sink: Sink) -> None:
        """Write it piece by piece. Raises what ``sink`` raises."""
        write_faiss(self._index, sink)

    def bytes_read(self, probes: int) -> int:
        """By a search of so many lists, about: their codes and row numbers."""
        return (int(self._index.code_size) + 8) * self.count * min(probes, self.lists) // self.lists

    def nearest(self, queries: Rows, depth: int, *, probes: int, chosen: Mask | None = None) -> NDArray[np.int64]:
        """Rows int64 (n, depth) in the ``probes`` lists nearest to queries float32 (n, d), best first; -1 for no more.

        ``chosen`` bool (count,) marks those to be found; None is all.
        """
        selector = None if chosen is None else faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))
        params = faiss.SearchParametersIVF(nprobe=min(probes, self.lists), sel=selector)
        rows: NDArray[np.int64] = self._index.search(np.ascontiguousarray(queries), depth, params=params)[1]
        return rows
