"""A generation as a list of immutable segments, as in a log-structured merge tree (O'Neil et al., 1996).

    generations/000001/  index.faiss  rows.sqlite            all that there was: 1,000,000 videos
    generations/000008/  index.faiss  rows.sqlite  keys.npy  100 videos added, 3 replaced, 2 taken out
    generations/000009/  index.faiss  rows.sqlite  keys.npy  1 video added; the manifest names all three, oldest first

``keys.npy`` lists the videos that a segment decides: what it says of them wins over earlier segments, and one that it
has no row of is taken out. So publishing writes what has changed and a manifest, whatever the library's size.

A segment that is not twice as large as what comes after it is merged with that into one: sizes halve from each to the
next, so that N videos lie in at most log2(N) + 1 segments, and a video is written again O(log N) times in all.

Readers read all segments, take out of each what later ones decide, search each and merge the best. All orders hits by
score and then key, so that the answer is that of one index of all vectors.
"""

import io
from collections.abc import Iterator, Sequence
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Sink
from indexer.index.generations import Generation
from indexer.index.index_types import SearchIndex, SegmentIndex, index_type
from indexer.index.manifest import Segment
from rspnet_core.errors import LibraryDamaged

KEYS_NAME = "keys.npy"

Keys = NDArray[np.int64]
NONE: Keys = np.empty(0, np.int64)


def count_kept(sizes: Sequence[int], added: int) -> int:
    """How many segments, of these sizes and oldest first, the next generation goes on with; it merges the others."""
    kept, size = len(sizes), max(added, 1)
    while kept and sizes[kept - 1] < 2 * size:
        kept -= 1
        size += sizes[kept]
    return kept


def write_keys(keys: Keys, sink: Sink) -> None:
    """Write ``keys.npy``."""
    content = io.BytesIO()
    np.save(content, keys, allow_pickle=False)
    sink.write(content.getvalue())


def decided_keys(generation: Generation, segments: Sequence[Segment]) -> list[Keys]:
    """Keys, ascending, that each segment decides over earlier ones; none of the first. Raises LibraryDamaged."""
    return [_read_keys(generation, segment) for segment in segments]


def _read_keys(generation: Generation, segment: Segment) -> Keys:
    if KEYS_NAME not in segment.files:
        return NONE
    try:
        keys: Keys = np.load(io.BytesIO(generation.verified(KEYS_NAME, segment).read()), allow_pickle=False)
    except ValueError as error:
        raise _unsound(segment, "its keys cannot be read") from error
    if keys.dtype != np.int64 or keys.shape != (segment.replaced,):
        raise _unsound(segment, f"keys {keys.dtype} {keys.shape}, expected int64 ({segment.replaced},)")
    return keys


def _unsound(segment: Segment, reason: str) -> LibraryDamaged:
    return LibraryDamaged(f"segment {segment.generation:06d} is damaged ({reason}); run `rspnet-index repair`")


def open_index(generation: Generation) -> SearchIndex:
    """The index over all segments of a generation, on the CPU, its bytes verified. Raises LibraryDamaged."""
    parts = read_parts(generation, generation.segments)
    return parts[0] if len(parts) == 1 else SegmentedIndex(parts)


def read_parts(generation: Generation, segments: Sequence[Segment], replaced: Keys = NONE) -> list[SegmentIndex]:
    """Of each of these segments the index, without what later ones decide and what is ``replaced``.

    Raises LibraryDamaged.
    """
    dims = generation.manifest.content.dims
    parts = []
    for segment, keys in reversed(list(zip(segments, decided_keys(generation, segments), strict=True))):
        verified = partial(generation.verified, segment=segment)
        parts.append(index_type(segment.index_type).read(verified, segment, dims).without(replaced))
        replaced = np.union1d(replaced, keys)
    return parts[::-1]


def batches(index: SearchIndex, size: int) -> Iterator[tuple[Keys, NDArray[np.float32]]]:
    """All keys int64 (n,), ascending, and vectors float32 (n, D), at most ``size`` at a time."""
    for start in range(0, len(index), size):
        places = np.arange(start, min(start + size, len(index)))
        yield index.keys[places], index.take(places)


class SegmentedIndex:
    """Indexes of disjoint keys, searched as one."""

    def __init__(self, parts: Sequence[SearchIndex]) -> None:
        self._parts = list(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def dims(self) -> int:
        """Length of a vector."""
        return self._parts[0].dims

    @property
    def bytes_per_search(self) -> int:
        """Memory that a search reads at least."""
        return sum(part.bytes_per_search for part in self._parts)

    @property
    def recall(self) -> float:
        """That of the part for which it is least."""
        return min(part.recall for part in self._parts)

    @cached_property
    def keys(self) -> Keys:
        """All keys, ascending."""
        return self._stacked[self._order]

    @cached_property
    def _stacked(self) -> Keys:
        """All keys, part by part."""
        return np.concatenate([part.keys for part in self._parts])

    @cached_property
    def _order(self) -> Keys:
        order: Keys = self._stacked.argsort()
        return order

    def take(self, places: Keys) -> NDArray[np.float32]:
        """A copy of the vectors of ``keys[places]``: float32 (n, D)."""
        stacked = self._order[places]
        taken = np.empty((len(stacked), self.dims), np.float32)
        start = 0
        for part in self._parts:
            own = (stacked >= start) & (stacked < start + len(part))
            taken[own] = part.take(stacked[own] - start)
            start += len(part)
        return taken

    def vector(self, key: int) -> NDArray[np.float32] | None:
        """A copy of the vector, float32 (D,), of ``key``; None when no part has it."""
        found = (part.vector(key) for part in self._parts)
        return next((vector for vector in found if vector is not None), None)

    def to(self, device: str) -> "SegmentedIndex":
        """Search on that device from now on. Raises DeviceUnavailable."""
        self._parts = [part.to(device) for part in self._parts]
        return self

    def search(
        self, queries: NDArray[np.float32], top: int, *, allowed_keys: Keys | None = None
    ) -> tuple[NDArray[np.float32], Keys]:
        """As one index of all vectors would: of each part its best, and of them the best by score, then key."""
        found = [part.search(queries, top, allowed_keys=allowed_keys) for part in self._parts]
        scores, keys = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        order = np.lexsort((keys, -scores))[:, :top]
        return np.take_along_axis(scores, order, 1), np.take_along_axis(keys, order, 1)
