"""The retrieval report as plain data: what ``benchmark --json`` prints and what the page and the terminal draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.benchmark.baselines import RandomScores
from indexer.benchmark.scores import RetrievalScores, Summary
from rspnet_core.reports.bootstrap import LEVEL
from rspnet_core.tables.published import published, published_table

_PUBLISHED_CLASSES = 101  # UCF101
_CONFUSIONS_LISTED = 20


def to_json(
    scores: RetrievalScores,
    *,
    random: RandomScores,
    colour_histogram: RetrievalScores | None,
    motion_energy: RetrievalScores | None = None,
    copies: Mapping[str, Any],
    protocol: Mapping[str, Any],
    weights: Mapping[str, float],
    encoder: Mapping[str, Any],
    command: str | None = None,
) -> dict[str, Any]:
    """Everything of a benchmark but the single queries, as JSON types; every score is a fraction.

    ``motion_energy``: None where videos have none, or where it is the encoder itself. ``copies``: of ``found_copies``.
    ``protocol``: how queries and gallery were chosen, ``layout`` and ``fold`` among it. ``encoder``: at least
    ``backbone``, ``weights`` (their source) and ``trained``. ``command``: the line that makes this report again.
    """
    classes = {*scores.per_class, *scores.confusion_labels}
    return {
        "protocol": {
            **protocol,
            "leave_one_out": scores.exclude_self,
            "omitted_k": list(scores.omitted_ks),
            "classes_without_gallery": list(scores.classes_without_gallery),
        },
        "queries": scores.queries,
        "gallery": scores.gallery,
        **_means(scores.overall),
        "intervals": {
            "level": LEVEL,
            "unit": scores.interval_unit,
            "units": scores.interval_units,
            "samples": scores.bootstrap_samples,
            **_intervals(scores.overall),
        },
        "macro": _with_intervals(scores.macro),
        "per_class": {
            label: {**_means(found.summary), "queries": found.queries, "gallery": found.gallery}
            for label, found in scores.per_class.items()
        },
        "within_family": _within_family(scores),
        "confusions": _confusions(scores),
        "baselines": {
            "random": {
                **_means(random.overall),
                "within_family": random.within_overall
                and {
                    "overall": _means(random.within_overall),
                    "families": {name: _means(summary) for name, summary in random.within_family.items()},
                },
            },
            "colour_histogram": _baseline(colour_histogram),
            "motion_energy": _baseline(motion_energy),
        },
        "published": _published(same_data=_is_ucf101_split_1(protocol, len(classes))),
        "copies": dict(copies),
        "weights": dict(weights),
        "encoder": dict(encoder),
        "command": command,
    }


def _baseline(scores: RetrievalScores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    return {**_with_intervals(scores.overall), "within_family": _within_family(scores)}


def _means(summary: Summary) -> dict[str, Any]:
    return {
        "top_k": {str(k): value for k, value in summary.top_k.items()},
        "mean_average_precision": summary.mean_average_precision,
    }


def _intervals(summary: Summary) -> dict[str, Any]:
    """Each interval as [low, high]; ``top_k`` is empty and the other None where there are no intervals."""
    precision = summary.mean_average_precision_interval
    return {
        "top_k": {str(k): list(interval) for k, interval in (summary.top_k_intervals or {}).items()},
        "mean_average_precision": list(precision) if precision else None,
    }


def _with_intervals(summary: Summary) -> dict[str, Any]:
    return {**_means(summary), "intervals": _intervals(summary)}


def _within_family(scores: RetrievalScores) -> dict[str, Any] | None:
    if scores.within_overall is None:
        return None
    families = {
        name: {
            **_with_intervals(found.summary),
            "queries": found.queries,
            "gallery": found.gallery,
            "classes": found.classes,
        }
        for name, found in scores.within_family.items()
    }
    return {"overall": _with_intervals(scores.within_overall), "families": families}


def _confusions(scores: RetrievalScores) -> list[dict[str, Any]]:
    """The most frequent mistakes of the nearest video, as ``class`` taken for another."""
    labels, counts = scores.confusion_labels, scores.confusion
    mistakes = [
        {
            "class": labels[row],
            "taken_for": labels[column],
            "queries": int(counts[row, column]),
            "share": float(counts[row, column] / counts[row].sum()),
        }
        for row, column in zip(*counts.nonzero(), strict=True)
        if row != column
    ]
    mistakes.sort(key=lambda mistake: (-mistake["queries"], -mistake["share"], mistake["class"], mistake["taken_for"]))
    return mistakes[:_CONFUSIONS_LISTED]


def _is_ucf101_split_1(protocol: Mapping[str, Any], num_classes: int) -> bool:
    """Other data come in UCF101's layout too; 101 classes tell the data set itself."""
    layout = str(protocol.get("layout", "")).lower()
    return layout == "ucf101" and num_classes == _PUBLISHED_CLASSES and protocol.get("fold") == 1


def _published(*, same_data: bool) -> dict[str, Any]:
    table = published_table(4)
    return {
        "table": table.number,
        "title": table.title,
        "source": published().source,
        "url": published().url,
        "same_data": same_data,
        "rows": [
            {
                "method": row.method,
                "architecture": row.architecture,
                "ours": row.ours,
                "published": True,
                "top_k": table.fractions(row),
            }
            for row in table.rows
        ],
    }


def copies_line(report: Mapping[str, Any]) -> str:
    """What is to be said of copies; empty where no query finds one first."""
    copies = report["copies"]
    if not copies["queries"]:
        return ""
    found = f"{copies['queries']:,} of {report['queries']:,} queries find a copy of themselves first"
    share = f"{100 * copies['top_1']:.1f} points of top-1 are of copies"
    other = "; rspnet-index duplicates finds those of other content too" if copies["by"] == "content" else ""
    return f"{found}: {share}{other}"


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the table that sets this library beside baselines and published figures."""

    name: str
    kind: str
    """``library``, ``macro``, ``histogram``, ``energy``, ``random``, ``published`` or ``published-ours``."""
    top_k: dict[str, float]
    intervals: dict[str, list[float]]
    mean_average_precision: float | None = None
    mean_average_precision_interval: list[float] | None = None


def comparison_rows(report: Mapping[str, Any]) -> list[ComparisonRow]:
    """Rows for this library, the mean over classes, the baselines and the published figures, in this order."""
    baselines = report["baselines"]
    measured = [
        ("This library", "library", report),
        ("Mean over classes", "macro", report["macro"]),
        ("Colour histogram", "histogram", baselines["colour_histogram"]),
        ("Motion energy", "energy", baselines["motion_energy"]),
        ("Random order", "random", baselines["random"]),
    ]
    rows = []
    for name, kind, found in measured:
        if found:
            intervals = found.get("intervals", {"top_k": {}, "mean_average_precision": None})
            precision = (found["mean_average_precision"], intervals["mean_average_precision"])
            rows.append(ComparisonRow(name, kind, found["top_k"], intervals["top_k"], *precision))
    for row in report["published"]["rows"]:
        kind = "published-ours" if row["ours"] else "published"
        rows.append(ComparisonRow(f"{row['method']}, {row['architecture']}", kind, row["top_k"], {}))
    return rows
