"""The kinds of index that a library may be searched by; a generation says which one it holds."""

from collections.abc import Callable, Iterable
from io import BufferedReader
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Sink
from rspnet_core.errors import LibraryDamaged

FILE_NAME = "index.faiss"
SCORE_DECIMALS = 6
"""Of the scores that an index gives."""
FLAT = "flat"


class SearchIndex(Protocol):
    """Vectors float32 (count, D) by key, ascending 63-bit integers."""

    @property
    def keys(self) -> NDArray[np.int64]:
        """All keys, ascending."""

    def __len__(self) -> int: ...

    @property
    def dims(self) -> int:
        """Length of a vector."""

    @property
    def bytes_per_search(self) -> int:
        """Memory that a search reads at least."""

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """A copy of the vectors, exactly, of ``keys[places]``: float32 (n, D)."""

    def vector(self, key: int) -> NDArray[np.float32] | None:
        """A copy of the vector of ``key``; None when there is none."""

    def to(self, device: str) -> Self:
        """Search on that device, or ``auto``, from now on. Raises DeviceUnavailable."""

    def search(
        self, queries: NDArray[np.float32], top: int, *, allowed_keys: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores float32 and keys int64, both (n, min(top, vectors allowed)), best first, equal scores by key."""


class SegmentIndex(SearchIndex, Protocol):
    """The index of one segment, which files hold."""

    @classmethod
    def build(cls, batches: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]], dims: int) -> Self:
        """An index of batches of keys int64 (n,), ascending over all batches, and vectors float32 (n, dims)."""

    @classmethod
    def read(cls, file: BufferedReader, *, count: int, dims: int) -> Self:
        """Read what :meth:`write` wrote, from bytes whose hash is verified. Raises LibraryDamaged."""

    def write(self, sink: Sink) -> None:
        """Write the index piece by piece."""

    def without(self, keys: NDArray[np.int64]) -> Self:
        """The index less the vectors of these keys, whether it has them or not; this one is used no more."""


def _flat() -> type[SegmentIndex]:
    from indexer.index.vector_index import VectorIndex

    return VectorIndex


INDEX_TYPES: dict[str, Callable[[], type[SegmentIndex]]] = {FLAT: _flat}
"""Name, as generations and ``info`` say it -> gives the class; FAISS (170 MB in its build for GPUs) is loaded then."""


def index_type(name: str) -> type[SegmentIndex]:
    """One of INDEX_TYPES. Raises LibraryDamaged for a name that this version does not know."""
    if name not in INDEX_TYPES:
        raise LibraryDamaged(
            f"the index is of type {name!r}, this version of rspnet knows {', '.join(INDEX_TYPES)}; update rspnet, or "
            "run `rspnet-index repair`, which makes it anew"
        )
    return INDEX_TYPES[name]()
