"""How many lists a search reads and how many candidates it compares, so that it finds the true ten nearest.

Chosen on some videos of the index; what is found then is measured on others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from indexer.index.inverted import InvertedFile, Rows
from indexer.index.manifest import Approximation
from indexer.index.vector_index import VectorIndex

TEN = 10
"""Hits that recall is said of."""
AIM = 0.99
"""Recall by each part alone and by all alike, when the numbers are chosen."""
QUERIES = 100
"""Videos by which they are chosen; as many others tell what is found."""
_LEAST_DEPTH, _MOST_DEPTH = 32, 2048

Keys = NDArray[np.int64]


def slices_of(parts: Sequence[int]) -> list[slice]:
    """Where parts of these lengths lie in a vector."""
    return [slice(start, stop) for start, stop in pairwise(accumulate(parts, initial=0))]


def measured(exact: VectorIndex, files: Sequence[InvertedFile], parts: Sequence[int]) -> Approximation | None:
    """The smallest numbers, each a power of two, that reach AIM; None where none do."""
    rows = np.random.default_rng(len(exact)).permutation(len(exact))[: 2 * QUERIES]
    choosing, telling = (_Asked.by(exact, some, parts) for some in np.array_split(rows, 2))
    probes = [_probes(choosing, number, file) for number, file in enumerate(files)]
    depth = _LEAST_DEPTH
    while (recall := choosing.recall(choosing.candidates(files, probes, depth))) < AIM and depth < _MOST_DEPTH:
        depth *= 2
    if recall < AIM:
        return None
    told = telling.recall(telling.candidates(files, probes, depth))
    return Approximation(depth=depth, probes=tuple(probes), recall=told)


def _probes(asked: "_Asked", part: int, file: InvertedFile) -> int:
    """The fewest lists of a part that hold its ten nearest; all of them where fewer do not."""
    probes = 1
    while probes < file.lists:
        near = file.nearest(asked.parts[part], _MOST_DEPTH, probes=probes)
        if _share(asked.truth[part], [near]) >= AIM:
            break
        probes *= 2
    return min(probes, file.lists)


@dataclass(frozen=True)
class _Asked:
    """Videos that are searched by, and what an exact search finds."""

    parts: list[Rows]
    """Of each part the vectors float32 (n, d)."""
    truth: list[Keys]
    """Rows int64 (n, 10) of the ten nearest others, by each part alone, then by all alike."""

    @classmethod
    def by(cls, exact: VectorIndex, rows: Keys, lengths: Sequence[int]) -> "_Asked":
        places = slices_of(lengths)
        vectors = exact.vectors[rows]
        alone = []
        for place in places:
            queries = np.zeros_like(vectors)
            queries[:, place] = vectors[:, place]
            alone.append(queries)
        return cls([vectors[:, place] for place in places], [_others(exact, rows, each) for each in (*alone, vectors)])

    def candidates(self, files: Sequence[InvertedFile], probes: Sequence[int], depth: int) -> list[Keys]:
        """Of each part the rows int64 (n, depth)."""
        asked = zip(files, self.parts, probes, strict=True)
        return [file.nearest(part, depth, probes=number) for file, part, number in asked]

    def recall(self, found: list[Keys]) -> float:
        """By the mix of weights for which the least of the truth is among the candidates."""
        *alone, alike = self.truth
        shares = [_share(truth, [near]) for truth, near in zip(alone, found, strict=True)]
        return min(*shares, _share(alike, found))


def _others(exact: VectorIndex, rows: Keys, queries: Rows) -> Keys:
    """Of each query, which is of the video of that row, the rows of the ten nearest others."""
    _, keys = exact.search(queries, TEN + 1)
    found = exact.rows_at(keys)
    # Where eleven others are as near as it is itself, the last of them goes.
    own = np.where((found == rows[:, None]).any(axis=1), (found == rows[:, None]).argmax(axis=1), TEN)
    return np.array([np.delete(each, place) for each, place in zip(found, own, strict=True)])


def _share(truth: Keys, found: list[Keys]) -> float:
    """How much of it is among what was found of any part."""
    merged = np.concatenate(found, axis=1)
    return float(np.mean([np.isin(own, near).mean() for own, near in zip(truth, merged, strict=True)]))
