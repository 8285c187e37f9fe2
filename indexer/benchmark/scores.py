"""What a benchmark measures: plain values, ready for a report."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexer.benchmark.ranking import QueryResult
from rspnet_core.reports.bootstrap import Interval


@dataclass(frozen=True)
class Summary:
    """Means over a set of queries: fractions from 0 to 1. Intervals are None where there is nothing to draw from."""

    top_k: dict[int, float]
    mean_average_precision: float
    top_k_intervals: dict[int, Interval] | None = None
    mean_average_precision_interval: Interval | None = None


@dataclass(frozen=True)
class ClassScores:
    """One class: means over its queries, how many these are, and how many videos of it the gallery has."""

    summary: Summary
    queries: int
    gallery: int


@dataclass(frozen=True)
class FamilyScores:
    """One family of classes, its queries searching its own gallery videos only."""

    summary: Summary
    results: tuple[QueryResult, ...]
    gallery: int
    classes: int

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.results)


@dataclass(frozen=True)
class RetrievalScores:
    """Everything that a report says about one set of vectors."""

    overall: Summary
    """Every query counts the same (micro)."""
    macro: Summary
    """Every class of the queries counts the same."""
    per_class: dict[str, ClassScores]
    within_overall: Summary | None
    """All queries of ``within_family`` together; None without families."""
    within_family: dict[str, FamilyScores]
    """Families of at least two classes; in a family of one class every video is a hit."""
    results: tuple[QueryResult, ...]
    confusion_labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    """(C, C): queries of the row's class whose nearest video is of the column's class."""
    gallery: int
    omitted_ks: tuple[int, ...]
    """Values of k that exceed the gallery."""
    exclude_self: bool
    interval_unit: str
    """What the bootstrap draws: "group" (split groups, where known) or "query"."""
    interval_units: int
    """How many of these there are."""
    bootstrap_samples: int

    @property
    def queries(self) -> int:
        """Number of queries."""
        return len(self.results)

    @property
    def top_k(self) -> dict[int, float]:
        """Share of the queries with a video of their class among the k nearest."""
        return self.overall.top_k

    @property
    def mean_average_precision(self) -> float:
        """Mean over the queries of their average precision."""
        return self.overall.mean_average_precision

    @property
    def classes_without_gallery(self) -> tuple[str, ...]:
        """Classes of queries that no gallery video has: their queries count as misses."""
        return tuple(sorted({result.label for result in self.results if result.first_hit_rank is None}))
