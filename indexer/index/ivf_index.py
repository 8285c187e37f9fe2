"""The FAISS index of very many vectors: each part of them in an inverted file, whose candidates are compared exactly.

    query --part by part--> lists of the nearest centroids, one byte a number --> ``depth`` candidates a part
          --all of them--> exact scores, from the file that memory maps --> hits

What is near by a mean of three cosines is among the nearest by one of them, so that the lists of the parts serve every
mix of weights, where one inverted file of whole vectors would have to read half of itself for a part alone. A part
without weight is not searched.

How many lists are read and how many candidates compared was measured on videos of the index when it was made
(``recall.py``), and is published with it. Where a filter lets a tenth through, ten times as many lists are read; where
few videos are left, all of those are compared.
"""

from collections.abc import Sequence
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Writers
from indexer.index.index_types import IVF, SearchIndex, SegmentIndex, Verified
from indexer.index.inverted import InvertedFile, Mask, Rows
from indexer.index.manifest import Approximation, Segment
from indexer.index.recall import TEN, measured, slices_of
from indexer.index.vector_index import VectorIndex, gpu_number
from rspnet_core.errors import LibraryDamaged

FEW = 10_000
"""Vectors, all or those left by a filter, that are compared exactly."""
GAIN = 4
"""How many times less a search has to read by lists."""
NONE = np.empty(0, np.int64)


class IvfIndex:
    """Vectors float32 (count, D) by key, ascending 63-bit integers; make it with :meth:`of` or :meth:`read`."""

    kind = IVF

    def __init__(
        self,
        exact: VectorIndex,
        files: Sequence[InvertedFile],
        approximation: Approximation,
        kept: Mask | None = None,
    ) -> None:
        """All vectors, and of each part an inverted file; ``kept`` bool (count,) marks those to be found."""
        self._exact, self._files, self._kept = exact, list(files), kept
        self.approximation = approximation

    @classmethod
    def of(cls, exact: VectorIndex, parts: Sequence[int]) -> SegmentIndex:
        """Of the vectors of ``exact``, whose parts have these lengths; ``exact`` itself where lists are no gain."""
        if len(exact) <= FEW:
            return exact
        files = [InvertedFile.of(exact.vectors, place) for place in slices_of(parts)]
        found = measured(exact, files, parts)
        made = exact if found is None else cls(exact, files, found)
        return made if made.bytes_per_search * GAIN <= exact.bytes_per_search else exact

    @classmethod
    def read(cls, verified: Verified, segment: Segment, dims: int) -> "IvfIndex":
        """Map what :meth:`writers` wrote into memory, from bytes whose hash is verified.

        Raises LibraryDamaged when it is not an inverted file a part of the segment's ``count`` vectors.
        """
        known = segment.approximation
        names = [] if known is None else [_file_name(number) for number in range(len(known.probes))]
        files = [InvertedFile.read(verified(name)) for name in names if name in segment.files]
        sound = [file for file in files if file is not None and file.count == segment.count]
        if known is None or len(sound) != len(names) or sum(file.dims for file in sound) != dims:
            raise LibraryDamaged(
                f"the inverted files of segment {segment.generation:06d} are not of its {segment.count} vectors of "
                f"{dims}; run `rspnet-index repair`"
            )
        return cls(VectorIndex.read(verified, segment, dims, mapped=True), sound, known)

    def writers(self) -> Writers:
        """Of the file of the exact vectors, and of one a part."""
        files = {_file_name(number): file.write for number, file in enumerate(self._files)}
        return {**self._exact.writers(), **files}

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """Ascending."""
        return self._exact.keys if self._kept is None else self._exact.keys[self._kept]

    @property
    def dims(self) -> int:
        """Length of a vector."""
        return self._exact.dims

    @property
    def recall(self) -> float:
        """As it was measured when the index was made."""
        return self.approximation.recall

    @property
    def bytes_per_search(self) -> int:
        """Memory that a search by all parts reads for ten hits: lists, and vectors of the candidates."""
        lists = sum(
            file.bytes_read(probes) for file, probes in zip(self._files, self.approximation.probes, strict=True)
        )
        return lists + self.approximation.depth * len(self._files) * self.dims * 4

    @cached_property
    def _places(self) -> NDArray[np.intp] | None:
        return None if self._kept is None else np.flatnonzero(self._kept)

    def take(self, places: NDArray[np.int64]) -> Rows:
        """A copy of the vectors, exactly, of ``keys[places]``: float32 (n, D)."""
        return self._exact.take(places if self._places is None else self._places[places])

    def vector(self, key: int) -> Rows | None:
        """A copy of the vector, float32 (D,), of ``key``; None when the index does not have it."""
        if self._kept is not None and not (self._exact.rows_of(np.array([key])) & self._kept).any():
            return None
        return self._exact.vector(key)

    def without(self, keys: NDArray[np.int64]) -> "IvfIndex":
        """The index less the vectors of these keys, which are found no more."""
        gone = self._exact.rows_of(keys)
        kept = ~gone if self._kept is None else self._kept & ~gone
        return type(self)(self._exact, self._files, self.approximation, kept) if gone.any() else self

    def to(self, device: str) -> SearchIndex:
        """The index to search on that device from now on: on a GPU all vectors, exactly, unless some were taken out.

        Raises DeviceUnavailable.
        """
        return self._exact.to(device) if gpu_number(device) is not None and self._kept is None else self

    def search(
        self, queries: Rows, top: int, *, allowed_keys: NDArray[np.int64] | None = None
    ) -> tuple[Rows, NDArray[np.int64]]:
        """Nearly always the ``top`` vectors of highest inner product with each query float32 (n, D), scores exact.

        Returns scores float32 and keys int64, both (n, min(top, vectors allowed)), by descending score, equal scores by
        ascending key.
        """
        chosen = self._kept
        if allowed_keys is not None:
            allowed = self._exact.rows_of(allowed_keys)
            chosen = allowed if chosen is None else allowed & chosen
        available = len(self._exact) if chosen is None else int(chosen.sum())
        tens = max(1, top / TEN)
        depth = ceil(tens * self.approximation.depth)
        if available > max(FEW, depth * len(self._files)):
            probed = tens * len(self._exact) / available
            found = [self._best(query, top, probed, depth, chosen) for query in queries]
            if all(len(keys) == top for _, keys in found):
                return np.array([scores for scores, _ in found]), np.array([keys for _, keys in found])
        return self._exact.search(queries, top, allowed_keys=None if chosen is None else self._exact.keys[chosen])

    def _best(
        self, query: Rows, top: int, probed: float, depth: int, chosen: Mask | None
    ) -> tuple[Rows, NDArray[np.int64]]:
        """Scores and keys, (top,) each, of one query float32 (D,); fewer where its lists hold fewer of those chosen.

        ``probed``: how many times the lists are read that ten hits among all need.
        """
        places = slices_of([file.dims for file in self._files])
        near = [
            file.nearest(query[None, place], depth, probes=ceil(probes * probed), chosen=chosen)[0]
            for file, place, probes in zip(self._files, places, self.approximation.probes, strict=True)
            if query[place].any()
        ]
        rows = np.unique(np.concatenate(near)) if near else NONE
        rows = rows[rows >= 0]
        return self._exact.best_among(rows, query, top)


def _file_name(part: int) -> str:
    """Of the inverted file of a part, counted from 0."""
    return f"part{part}.faiss"
