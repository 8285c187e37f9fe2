"""What a library's index finds of the true nearest, and how fast, by weights and by how much a filter lets through."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.index.index_types import FLAT, SearchIndex, build_index
from indexer.index.segments import batches
from indexer.ingest.pooling import Layout
from indexer.retrieval.library import Library
from indexer.retrieval.search import weigh

TOP = 10
FILTERS = (1.0, 0.1, 0.01)
"""Shares of the videos that are let through, drawn at random."""
_VECTORS_PER_BATCH = 4096


@dataclass(frozen=True)
class Row:
    """Of one mix of weights and one filter."""

    weights: dict[str, float]
    let_through: float
    recall: float
    """Share of the true ten nearest others that is found, the mean over all queries."""
    seconds: float
    """Of one search of the index, the median."""
    exact_seconds: float
    """Of one exact search."""


@dataclass(frozen=True)
class RecallTable:
    """What :func:`measure_recall` found."""

    videos: int
    queries: int
    index_type: str
    rows: list[Row]

    def document(self) -> dict[str, Any]:
        """As ``rspnet-index speed recall --json`` prints it."""
        return asdict(self)


def measure_recall(index: Path, *, queries: int = 100) -> RecallTable:
    """Search by ``queries`` videos drawn from a library, without what it takes to describe hits, on a CPU.

    By each part alone, all alike, and the backbone mostly; an exact index of the same vectors, in memory, is searched
    in turns. Raises LibraryError where there is no library.
    """
    with Library.open(index, device="cpu") as library:
        ours, layout = library.index, library.layout
        exact = build_index(batches(ours, _VECTORS_PER_BATCH), [*layout.dims.values()], FLAT)
        rng = np.random.default_rng(0)
        chosen = np.sort(rng.permutation(len(ours))[:queries])
        keys, asked = ours.keys[chosen], ours.take(chosen)
        draws = rng.random(len(ours))
        rows = []
        for shares in _mixes(layout):
            weighted = np.array([weigh(query, shares, layout) for query in asked])
            for share in FILTERS:
                allowed = None if share == 1 else ours.keys[draws < share]
                rows.append(_row(ours, exact, keys, weighted, shares, share, allowed))
        return RecallTable(len(ours), len(asked), library.info()["index_type"], rows)


def _row(
    ours: SearchIndex,
    exact: SearchIndex,
    keys: NDArray[np.int64],
    queries: NDArray[np.float32],
    shares: Mapping[str, float],
    share: float,
    allowed: NDArray[np.int64] | None,
) -> Row:
    """The query itself, which all find, is asked for beside ten others."""
    found, taken, exactly = [], [], []
    for key, query in zip(keys, queries, strict=True):
        started = perf_counter()
        near = ours.search(query[None], TOP + 1, allowed_keys=allowed)[1][0]
        between = perf_counter()
        nearest = exact.search(query[None], TOP + 1, allowed_keys=allowed)[1][0]
        exactly.append(perf_counter() - between)
        taken.append(between - started)
        truth = nearest[nearest != key][:TOP]
        found.append(np.isin(truth, near).mean() if len(truth) else 1.0)
    return Row(dict(shares), share, float(np.mean(found)), median(taken), median(exactly))


def _mixes(layout: Layout) -> list[dict[str, float]]:
    """Weights of sum 1 by part."""
    names = list(layout.dims)
    if len(names) == 1:
        return [{names[0]: 1.0}]
    alone = [{name: float(name == chosen) for name in names} for chosen in names]
    first, *others = names
    alike = dict.fromkeys(names, 1 / len(names))
    return [*alone, alike, {first: 0.6} | dict.fromkeys(others, 0.4 / len(others))]
