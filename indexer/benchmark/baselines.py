"""What retrieval without understanding reaches: chance, computed exactly, and colour histograms."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.benchmark.protocol import PAPER_KS, fitting_ks
from indexer.benchmark.scores import Summary


@dataclass(frozen=True)
class RandomScores:
    """Expected scores of a gallery in random order."""

    overall: Summary
    within_overall: Summary | None
    """All queries of ``within_family`` together; None without families."""
    within_family: dict[str, Summary]
    """Families of at least two classes, as in RetrievalScores."""


def random_baseline(
    query_labels: Sequence[str],
    gallery_labels: Sequence[str],
    *,
    ks: Sequence[int] = PAPER_KS,
    families: Mapping[str, str] | None = None,
    exclude_self: bool = False,
    left_out: Sequence[str] | None = None,
) -> RandomScores:
    """Exact expectation over all orders of the gallery (not a simulation). Neither side may be empty.

    ``exclude_self``: each query is itself one of the gallery's videos, in the same order, and is left out of it; with
    ``left_out`` so are all those of the same value.
    """
    ks, families = sorted(set(ks)), families or {}
    apart = list(left_out) if left_out is not None else None
    within: dict[str, Summary] = {}
    queries: dict[str, int] = {}
    for family in sorted(set(families.values())):
        own_queries, own_gallery = (
            [label for label in side if families.get(label) == family] for side in (query_labels, gallery_labels)
        )
        own_apart = apart and [
            name for label, name in zip(gallery_labels, apart, strict=True) if families.get(label) == family
        ]
        if not own_queries or len({*own_queries, *own_gallery}) < 2:
            continue
        chances = _chances(own_queries, own_gallery, exclude_self, own_apart)
        if min(size for size, _ in chances) > 0:
            within[family] = _expectation(chances, ks)
            queries[family] = len(own_queries)
    overall = _expectation(_chances(query_labels, gallery_labels, exclude_self, apart), ks)
    return RandomScores(overall, _weighted(within, queries) if within else None, within)


def _chances(
    query_labels: Sequence[str], gallery_labels: Sequence[str], exclude_self: bool, left_out: Sequence[str] | None
) -> Counter[tuple[int, int]]:
    """How many queries have galleries of so many videos, of which so many are of the query's class."""
    size, of_class = len(gallery_labels), Counter(gallery_labels)
    if not exclude_self:
        return Counter((size, of_class[label]) for label in query_labels)
    if left_out is None:
        return Counter((size - 1, of_class[label] - (of_class[label] > 0)) for label in query_labels)
    gone, own = Counter(left_out), Counter(zip(gallery_labels, left_out, strict=True))
    pairs = zip(query_labels, left_out, strict=True)
    return Counter((size - gone[name], of_class[label] - own[label, name]) for label, name in pairs)


def _weighted(summaries: Mapping[str, Summary], queries: Mapping[str, int]) -> Summary:
    """Mean over the queries of all families, at the k that each family has."""
    common = sorted(set.intersection(*(set(summary.top_k) for summary in summaries.values())))
    total = sum(queries.values())
    top_k = {k: sum(queries[name] * summary.top_k[k] for name, summary in summaries.items()) / total for k in common}
    precision = sum(queries[name] * summary.mean_average_precision for name, summary in summaries.items()) / total
    return Summary(top_k, precision)


def _expectation(chances: Mapping[tuple[int, int], int], ks: Sequence[int]) -> Summary:
    weights = np.array(list(chances.values())) / sum(chances.values())
    smallest = min(size for size, _ in chances)
    top_k = {k: float(weights @ [expected_top_k(*chance, k) for chance in chances]) for k in fitting_ks(ks, smallest)}
    return Summary(top_k, float(weights @ [expected_average_precision(*chance) for chance in chances]))


def expected_top_k(size: int, relevant: int, k: int) -> float:
    """Chance that the first ``k`` of ``size`` videos in random order hold one of ``relevant`` (hypergeometric)."""
    drawn = np.arange(k)
    return float(1 - np.prod(np.clip((size - relevant - drawn) / (size - drawn), 0, None)))


def expected_average_precision(size: int, relevant: int) -> float:
    """Expected average precision of a random order.

    A relevant video stands at each rank j of N with equal chance, and (R - 1)(j - 1)/(N - 1) others before it:
    E = 1/N sum_j (1 + (R - 1)(j - 1)/(N - 1))/j = (H_N + (R - 1)/(N - 1) (N - H_N))/N, H_N the harmonic number.
    """
    if relevant == 0:
        return 0.0
    if size == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, size + 1)).sum())
    return (harmonic + (relevant - 1) / (size - 1) * (size - harmonic)) / size


def histogram_vectors(histograms: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors of colour histograms: float32 (n, bins), counts or shares, to float32 (n, bins).

    The square root of the shares makes the inner product the Bhattacharyya coefficient (Hellinger), which is less at
    the mercy of one large plain surface than a plain cosine. A histogram of zeros stays zero.
    """
    shares = np.sqrt(np.maximum(histograms.astype(np.float64), 0))
    norms = np.linalg.norm(shares, axis=1, keepdims=True)
    return (shares / np.where(norms > 0, norms, 1)).astype(np.float32)
