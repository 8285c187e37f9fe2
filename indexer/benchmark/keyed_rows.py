"""Vectors of many videos by key, in one array."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.vector_queries import KeyedVectors


@dataclass(frozen=True, eq=False)
class KeyedRows:
    """Keys int64 (n,), ascending, and their vectors float32 (n, D)."""

    keys: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, batches: Iterable[KeyedVectors]) -> Self:
        """All of them, by ascending key over all batches; never twice in memory."""
        parts = list(batches)
        if not parts:
            return cls(np.empty(0, np.int64), np.empty((0, 0), np.float32))
        keys = np.concatenate([some for some, _ in parts])
        vectors = np.empty((len(keys), parts[0][1].shape[1]), np.float32)
        stop = len(keys)
        while parts:  # from the last one on, each freed once it is copied
            some = parts.pop()[1]
            vectors[stop - len(some) : stop] = some
            stop -= len(some)
        return cls(keys, vectors)

    def __len__(self) -> int:
        return len(self.keys)

    def holds(self, keys: Iterable[int]) -> bool:
        """Whether all of these are here."""
        return bool(np.isin(np.fromiter(keys, np.int64), self.keys).all())

    def at(self, keys: Iterable[int]) -> NDArray[np.float32]:
        """A copy of the vectors of these keys, in their order: float32 (len(keys), D). Raises KeyError."""
        wanted = np.fromiter(keys, np.int64)
        places = np.searchsorted(self.keys, wanted)
        if len(wanted) and (places.max() >= len(self) or (self.keys[places] != wanted).any()):
            raise KeyError(wanted)
        found: NDArray[np.float32] = self.vectors[places]
        return found
