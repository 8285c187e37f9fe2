"""How rare a score is in this library: the share of the library's own pairs of videos that are less alike.

Cosines of one encoder lie close together: 0.98 among all of 0.95 to 0.99 says nothing, "closer than 99.7 % of pairs"
does. The pairs are those of up to 512 videos drawn from the generation, the same ones each time it is opened: reading
these vectors again takes milliseconds, so nothing is stored.

    512 videos --cosines of each part--> 130,816 pairs --weights--> scores --> percentile of a hit
                                             of different classes only --> score that chance exceeds once in 1,000

A question made of several videos is compared with questions of videos drawn from the same 512: one that gives the
motion and one that gives the look, or one to be like and one near it to be unlike. In place of several to be like there
is one, as they are alike themselves: the mean of unrelated ones would vary less than theirs does.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import id_of_key
from indexer.catalogue.published import AnyCatalogue
from indexer.index.index_types import SCORE_DECIMALS, SearchIndex
from indexer.ingest.pooling import Layout
from indexer.retrieval.chance import DEFAULT_RATE, Chance
from indexer.retrieval.composition import ONE_VIDEO, Composition
from rspnet_core.config import PARTS

MOST_VIDEOS = 512
"""Drawn for the pairs."""
_ORDERS = 256
"""Of the drawn videos, for questions made of several: as many questions as there are pairs."""
_PAGE = 12
"""Hits that people look at before they say which ones are not meant."""
MIX = "mix"
"""Names the percentile of the weighted score, beside those of the parts."""

Percentiles = dict[str, float | None]
"""For ``mix`` and each of PARTS: share of the library's pairs that are less alike, 0 to 1; None for a missing head."""

Scores = NDArray[np.float32]


class PairScores:
    """Cosines of a library's pairs of videos, by part; or those of questions made of several videos with a video."""

    def __init__(
        self, vectors: Scores, labels: Sequence[str | None], layout: Layout, composition: Composition = ONE_VIDEO
    ) -> None:
        """All pairs of the videos float32 (n, D), parts of unit length, with their classes.

        Of another ``composition`` than one video, questions and the video that each is compared with are drawn.
        """
        self._videos = (vectors, labels, layout)
        self.composition = composition
        *examples, target = _pairs(len(vectors)) if composition == ONE_VIDEO else _draws(vectors, composition)
        self._cosines = {part: np.zeros(len(target), np.float32) for part in layout.dims}
        for part, place in layout.slices().items():
            cosines = vectors[:, place] @ vectors[:, place].T
            for example, coefficient in zip(examples, composition.coefficients(part), strict=True):
                self._cosines[part] += coefficient * cosines[example, target]
        classes, has_class = np.array(labels, object), np.array([label is not None for label in labels], bool)
        unrelated = has_class[target]
        for example in examples[: composition.likes]:
            unrelated = unrelated & has_class[example] & (classes[example] != classes[target])
        self._unrelated = unrelated if unrelated.any() else np.ones_like(unrelated)
        self._sorted = lru_cache(maxsize=16)(self._sort)
        self._drawn = lru_cache(maxsize=4)(lambda composition: PairScores(*self._videos, composition))

    def of(self, composition: Composition) -> "PairScores":
        """Those of such questions, made of the same videos."""
        of_few = composition.of_few
        return self if of_few == self.composition else self._drawn(of_few)

    def __len__(self) -> int:
        return len(self._unrelated)

    def percentiles(self, score: float, scores: Mapping[str, float | None], shares: Mapping[str, float]) -> Percentiles:
        """Where a hit lies among all pairs: its ``score`` by ``shares`` of sum 1, and its cosines of parts."""
        found: Percentiles = {MIX: self.percentile(score, shares)}
        for part in PARTS:
            value = scores[part]
            found[part] = None if value is None else self.percentile(value, {part: 1.0})
        return found

    def spread(self, shares: Mapping[str, float]) -> float:
        """The standard deviation of all pairs' scores by ``shares``; 0 where there is no pair."""
        scores = self._sorted(_key(shares))
        return float(scores.std()) if len(scores) else 0.0

    def chance(self, shares: Mapping[str, float], rate: float = DEFAULT_RATE) -> Chance:
        """From which score by ``shares`` on a hit is unusual."""
        scores = self._sorted(_key(shares), unrelated=True)
        enough = len(scores) * rate >= 1
        score = float(np.quantile(scores, 1 - rate, method="higher")) if enough else None
        return Chance(rate, score, len(scores))

    def percentile(self, score: float, shares: Mapping[str, float]) -> float | None:
        """The share of all pairs whose score by ``shares`` of sum 1 is lower, 0 to 1; None where there is no pair."""
        scores = self._sorted(_key(shares))
        below = np.searchsorted(scores, np.float32(round(score, SCORE_DECIMALS)))
        return float(below) / len(scores) if len(scores) else None

    def _sort(self, shares: tuple[tuple[str, float], ...], *, unrelated: bool = False) -> Scores:
        """Scores of all pairs, or of the unrelated ones, ascending; rounded as those of the index are."""
        chosen = self._unrelated if unrelated else slice(None)
        mixed = sum((np.float32(share) * self._cosines[part][chosen] for part, share in shares), np.float32(0))
        return np.sort(np.asarray(mixed, np.float32).round(SCORE_DECIMALS))


def library_pairs(catalogue: AnyCatalogue, index: SearchIndex, layout: Layout) -> PairScores:
    """Pairs of the videos of a generation, of up to ``MOST_VIDEOS`` that are drawn where there are more."""
    rows = drawn_rows(len(index))
    ids = [id_of_key(int(key)) for key in index.keys[rows]]
    labels = {video.id: video.label for video in catalogue.videos(ids=ids)}
    return PairScores(index.take(rows), [labels.get(video_id) for video_id in ids], layout)


def drawn_rows(count: int) -> NDArray[np.intp]:
    """The rows of up to ``MOST_VIDEOS`` videos of ``count``, int (n,) ascending; the same ones each time."""
    return np.sort(np.random.default_rng(0).choice(count, size=min(count, MOST_VIDEOS), replace=False))


def _pairs(count: int) -> tuple[NDArray[np.intp], ...]:
    """Both places, int (P,) each, of all pairs among ``count`` videos."""
    return np.triu_indices(count, 1)


def _draws(vectors: Scores, composition: Composition) -> list[NDArray[np.intp]]:
    """Places, int (P,) each, of the examples and of a video to compare with, all different in each draw.

    They are neighbours in orders drawn at random, which are closed to rings; none where there are too few videos. What
    is to be unlike is of a page of those nearest to the one to be like: who marks it has seen it among the hits.
    """
    count = len(vectors)
    if count <= composition.count:
        return [np.empty(0, np.intp)] * (composition.count + 1)
    rng = np.random.default_rng(0)
    orders = rng.permuted(np.tile(np.arange(count), (_ORDERS, 1)), axis=1)
    *examples, target = [np.roll(orders, -step, axis=1).ravel() for step in range(composition.count + 1)]
    if composition.unlikes:
        nearest = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")[:, 1 : _PAGE + 1]
        examples[1] = nearest[examples[0], rng.integers(nearest.shape[1], size=len(target))]
        different = examples[1] != target
        return [place[different] for place in (*examples, target)]
    return [*examples, target]


def percent_of_pairs(percentile: float | None) -> str:
    """0.9973 as ``99.7%``, with as many digits as tell it from 100 %; empty for None."""
    if percentile is None:
        return ""
    percent = 100 * percentile
    digits = next((digits for digits in range(1, 4) if percent >= 100 or round(percent, digits) < 100), 4)
    return f"{percent:.{digits}f}%"


def _key(shares: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    return tuple((part, share) for part, share in shares.items() if share > 0)
