"""The kinds of index that a library may be searched by; a generation says which one it holds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BufferedReader
from typing import TYPE_CHECKING, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from indexer.index.durable import Writers
from indexer.index.manifest import Approximation, Segment
from rspnet_core.errors import LibraryDamaged

if TYPE_CHECKING:
    from indexer.index.vector_index import VectorIndex

FILE_NAME = "index.faiss"
SCORE_DECIMALS = 6
"""Of the scores that an index gives."""
FLAT: Literal["flat"] = "flat"
IVF: Literal["ivf"] = "ivf"
IndexKind = Literal["flat", "ivf"]
INDEX_KINDS: tuple[IndexKind, ...] = (FLAT, IVF)
IndexChoice = Literal["auto", "flat", "ivf"]
"""``auto``: by the number of vectors."""
MOST_EXACT = 100_000
"""Vectors of a segment up to which it is searched exactly where no kind is asked for."""

Verified = Callable[[str], BufferedReader]
"""Gives the file of a segment, at its start. Raises LibraryDamaged when its bytes are not those that were published."""
Batches = Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]
"""Keys int64 (n,), ascending over all batches, and vectors float32 (n, D)."""


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

    @property
    def recall(self) -> float:
        """Share of the ten nearest that a search finds, 1 where it is exact; by the weights for which it is least."""

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """A copy of the vectors, exactly, of ``keys[places]``: float32 (n, D)."""

    def vector(self, key: int) -> NDArray[np.float32] | None:
        """A copy of the vector of ``key``; None when there is none."""

    def to(self, device: str) -> "SearchIndex":
        """To search on that device, or ``auto``, from now on. Raises DeviceUnavailable."""

    def search(
        self, queries: NDArray[np.float32], top: int, *, allowed_keys: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores float32 and keys int64, both (n, min(top, vectors allowed)), best first, equal scores by key."""


class SegmentIndex(SearchIndex, Protocol):
    """The index of one segment, which files hold."""

    @property
    def kind(self) -> IndexKind:
        """Its name in INDEX_TYPES."""

    @property
    def approximation(self) -> Approximation | None:
        """None where searches are exact."""

    @classmethod
    def of(cls, exact: "VectorIndex", parts: Sequence[int]) -> "SegmentIndex":
        """Of the vectors of ``exact``, whose parts have these lengths; ``exact`` itself where this kind is no gain."""

    @classmethod
    def read(cls, verified: Verified, segment: Segment, dims: int) -> Self:
        """Read what :meth:`writers` wrote, from bytes whose hash is verified. Raises LibraryDamaged."""

    def writers(self) -> Writers:
        """Of its files, each written piece by piece."""

    def without(self, keys: NDArray[np.int64]) -> Self:
        """The index less the vectors of these keys, whether it has them or not; this one is used no more."""


def _flat() -> type[SegmentIndex]:
    from indexer.index.vector_index import VectorIndex

    return VectorIndex


def _ivf() -> type[SegmentIndex]:
    from indexer.index.ivf_index import IvfIndex

    return IvfIndex


INDEX_TYPES: Mapping[str, Callable[[], type[SegmentIndex]]] = {FLAT: _flat, IVF: _ivf}
"""Name, as generations and ``info`` say it -> gives the class; that of inverted files loads FAISS."""


def index_type(name: str) -> type[SegmentIndex]:
    """One of INDEX_TYPES. Raises LibraryDamaged for a name that this version does not know."""
    if name not in INDEX_TYPES:
        raise LibraryDamaged(
            f"the index is of type {name!r}, this version of rspnet knows {', '.join(INDEX_TYPES)}; update rspnet, or "
            "run `rspnet-index repair`, which makes it anew"
        )
    return INDEX_TYPES[name]()


def build_index(batches: Batches, parts: Sequence[int], kind: IndexKind | None = None) -> SegmentIndex:
    """The index of a segment's vectors, whose parts have these lengths.

    Of the ``kind`` asked for, else flat up to MOST_EXACT vectors, with inverted files above; flat where those are no
    gain.
    """
    from indexer.index.vector_index import VectorIndex

    exact = VectorIndex.build(batches, sum(parts))
    return index_type(kind or (FLAT if len(exact) <= MOST_EXACT else IVF)).of(exact, parts)
