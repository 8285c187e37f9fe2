"""Score retrieval as the paper does: test videos query the training gallery (section 4.3).

A query is a hit at k when a video of its class is among its k nearest. Beside the paper's top-k accuracy there are mean
average precision, means over classes, bootstrap intervals, and scores within families of classes, where recognising the
source of a video does not help.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.benchmark.ranking import LabelledVectors, QueryResult, findable, rank_gallery
from indexer.benchmark.scores import ClassScores, FamilyScores, RetrievalScores, Summary
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.reports.bootstrap import Interval, draw_units, mean_intervals

PAPER_KS = (1, 5, 10, 20, 50)


def score(
    queries: LabelledVectors,
    gallery: LabelledVectors,
    *,
    ks: Sequence[int] = PAPER_KS,
    families: Mapping[str, str] | None = None,
    exclude_self: bool = False,
    bootstrap_samples: int = 1000,
    seed: int = 0,
) -> RetrievalScores:
    """Retrieve every query's nearest gallery videos and score them.

    ``families`` maps a class to its family. ``exclude_self`` is the leave-one-out protocol: a query never finds the
    gallery video of its own id. A k larger than the gallery is left out and named in ``omitted_ks``. Raises
    DatasetError for an empty side, vectors of two sizes, or a query that is in the gallery without ``exclude_self``;
    InvalidSetting for a k below 1.
    """
    ks = sorted(set(ks))
    _check(queries, gallery, ks, exclude_self)
    queries, gallery = queries.sorted_by_id(), gallery.sorted_by_id()
    bootstrap = _Bootstrap(dict(zip(queries.ids, queries.groups, strict=True)), bootstrap_samples, seed)
    kept = fitting_ks(ks, findable(queries, gallery, exclude_self=exclude_self))
    results = rank_gallery(queries, gallery, exclude_self=exclude_self)
    overall, macro = bootstrap.summaries(results, kept)
    within_overall, within_family = _within_families(
        queries, gallery, ks=ks, families=families or {}, exclude_self=exclude_self, bootstrap=bootstrap
    )
    grouped, units = draw_units(queries.ids, queries.groups)
    labels, confusion = _confusion(results)
    return RetrievalScores(
        overall=overall,
        macro=macro,
        per_class=_per_class(results, gallery, kept),
        within_overall=within_overall,
        within_family=within_family,
        results=results,
        confusion_labels=labels,
        confusion=confusion,
        gallery=len(gallery),
        omitted_ks=tuple(k for k in ks if k not in kept),
        exclude_self=exclude_self,
        interval_unit="group" if grouped else "query",
        interval_units=int(units.max()) + 1,
        bootstrap_samples=bootstrap_samples,
    )


def fitting_ks(ks: Sequence[int], findable: int) -> tuple[int, ...]:
    """The values of k that a gallery of ``findable`` videos has room for."""
    return tuple(k for k in ks if k <= findable)


def _check(queries: LabelledVectors, gallery: LabelledVectors, ks: Sequence[int], exclude_self: bool) -> None:
    if not ks or ks[0] < 1:
        raise InvalidSetting(f"k: got {list(ks)}, allowed are whole numbers from 1; the paper uses {list(PAPER_KS)}")
    if not len(queries) or findable(queries, gallery, exclude_self=exclude_self) < 1:
        raise DatasetError(
            f"benchmark: got {len(queries)} labelled queries and {len(gallery)} labelled gallery videos; index "
            "labelled videos of both sides of a split"
        )
    if queries.vectors.shape[1] != gallery.vectors.shape[1]:
        raise DatasetError(
            f"benchmark: got vectors of {queries.vectors.shape[1]} values for queries and of "
            f"{gallery.vectors.shape[1]} for the gallery; encode both with one encoder"
        )
    shared = set(queries.ids) & set(gallery.ids)
    if shared and not exclude_self:
        raise DatasetError(
            f"benchmark: {len(shared)} videos are both query and gallery (such as {min(shared)!r}) and would find "
            "themselves; use a split that separates them, or leave each out of its own gallery"
        )


def summarise(results: Sequence[QueryResult], ks: Sequence[int]) -> Summary:
    """Means over ``results`` (not empty), without intervals."""
    means = values_of(results, ks).mean(0)
    return _summary(ks, means)


def values_of(results: Sequence[QueryResult], ks: Sequence[int]) -> NDArray[np.float64]:
    """float64 (n, len(ks) + 1) of n results: hit or miss at each k, and the average precision."""
    ranks = np.array([result.first_hit_rank or np.inf for result in results])
    precisions = np.array([result.average_precision for result in results])
    return np.column_stack([ranks[:, None] <= np.array(ks, dtype=np.float64), precisions])


def _summary(ks: Sequence[int], means: NDArray[np.float64], intervals: list[Interval] | None = None) -> Summary:
    top_k = {k: float(mean) for k, mean in zip(ks, means[:-1], strict=True)}
    if intervals is None:
        return Summary(top_k, float(means[-1]))
    return Summary(top_k, float(means[-1]), dict(zip(ks, intervals[:-1], strict=True)), intervals[-1])


@dataclass(frozen=True)
class _Bootstrap:
    groups: Mapping[str, str | None]
    """Recording of each query's id."""
    samples: int
    seed: int

    def summaries(self, results: Sequence[QueryResult], ks: Sequence[int]) -> tuple[Summary, Summary]:
        """Means over queries and means over classes, both with intervals."""
        values = values_of(results, ks)
        labels = [result.label for result in results]
        ids = [result.id for result in results]
        _, units = draw_units(ids, [self.groups[video_id] for video_id in ids])
        _, classes = np.unique(np.array(labels, dtype=object), return_inverse=True)
        class_means = [values[classes == number].mean(0) for number in range(int(classes.max()) + 1)]
        micro, macro = mean_intervals(values, units, classes, samples=self.samples, seed=self.seed)
        return _summary(ks, values.mean(0), micro), _summary(ks, np.mean(class_means, axis=0), macro)


def _per_class(results: Sequence[QueryResult], gallery: LabelledVectors, ks: Sequence[int]) -> dict[str, ClassScores]:
    by_class: dict[str, list[QueryResult]] = {}
    for result in results:
        by_class.setdefault(result.label, []).append(result)
    in_gallery = Counter(gallery.labels)
    return {
        label: ClassScores(summarise(by_class[label], ks), len(by_class[label]), in_gallery[label])
        for label in sorted(by_class)
    }


def _within_families(
    queries: LabelledVectors,
    gallery: LabelledVectors,
    *,
    ks: Sequence[int],
    families: Mapping[str, str],
    exclude_self: bool,
    bootstrap: _Bootstrap,
) -> tuple[Summary | None, dict[str, FamilyScores]]:
    """Search each family by itself; the k of all families together are those that the smallest gallery has room for."""
    scores: dict[str, FamilyScores] = {}
    room: list[int] = []
    everything: list[QueryResult] = []
    for family in sorted(set(families.values())):
        own_queries, own_gallery = (_of_family(side, family, families) for side in (queries, gallery))
        classes = len({*own_queries.labels, *own_gallery.labels})
        if not len(own_queries) or findable(own_queries, own_gallery, exclude_self=exclude_self) < 1 or classes < 2:
            continue
        results = rank_gallery(own_queries, own_gallery, exclude_self=exclude_self)
        room.append(findable(own_queries, own_gallery, exclude_self=exclude_self))
        kept = fitting_ks(ks, room[-1])
        summary, _ = bootstrap.summaries(results, kept)
        scores[family] = FamilyScores(summary, results, len(own_gallery), classes)
        everything += results
    if not scores:
        return None, {}
    common = fitting_ks(ks, min(room))
    return bootstrap.summaries(everything, common)[0], scores


def _of_family(videos: LabelledVectors, family: str, families: Mapping[str, str]) -> LabelledVectors:
    rows = [row for row, label in enumerate(videos.labels) if families.get(label) == family]
    return videos.take(np.array(rows, dtype=np.intp))


def _confusion(results: Sequence[QueryResult]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    labels = sorted({result.label for result in results} | {result.hits[0].label for result in results})
    numbers = {label: number for number, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for result in results:
        confusion[numbers[result.label], numbers[result.hits[0].label]] += 1
    return tuple(labels), confusion
