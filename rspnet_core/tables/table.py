"""A table of measured rows beside the paper's: JSON, Markdown for people, intervals over recordings."""

from collections import defaultdict
from typing import Any

import numpy as np

from rspnet_core.recognition.estimates import BOOTSTRAP_SAMPLES
from rspnet_core.reports.bootstrap import Interval, draw_units, mean_intervals
from rspnet_core.tables.published import ARCHITECTURES, PublishedRow, published_table
from rspnet_core.tables.rows import Row
from rspnet_core.text import printable

Document = dict[str, Any]


def measured(tests: list[list[Document]], ks: tuple[int, ...]) -> Document:
    """One row: ``tests`` of each seed, one a fold.

    A figure is the mean over seeds and folds; its interval, bootstrapped over recordings, is that of the mean over
    seeds of whether a video is right. ``retrieve``'s documents have ``queries``, ``evaluate``'s ``predictions``.
    """
    hits: dict[tuple[int, str], list[list[float]]] = defaultdict(list)
    about: dict[tuple[int, str], Document] = {}
    for of_seed in tests:
        for test in of_seed:
            for video in test.get("queries") or test["predictions"]:
                key = (test["fold"], video["path"])
                about[key] = video
                hits[key].append([float(_is_hit(video, k)) for k in ks])
    values = np.array([np.mean(each, axis=0) for each in hits.values()])
    labels, groups = ([about[key][name] for key in hits] for name in ("label", "group"))
    _, units = draw_units([path for _, path in hits], groups)
    _, classes = np.unique(labels, return_inverse=True)
    intervals, _ = mean_intervals(values, units, classes, samples=BOOTSTRAP_SAMPLES, seed=0)
    per_test = [[_top(test, ks) for test in of_seed] for of_seed in tests]
    return {
        "top_k": _by_k(ks, np.mean([np.mean(of_seed, axis=0) for of_seed in per_test], axis=0).tolist()),
        "intervals": None if intervals is None else _by_k(ks, intervals),
        "seeds": [_by_k(ks, np.mean(of_seed, axis=0).tolist()) for of_seed in per_test],
        "videos": len(values),
    }


def _top(test: Document, ks: tuple[int, ...]) -> list[float]:
    videos = test.get("queries") or test["predictions"]
    return [sum(_is_hit(video, k) for video in videos) / len(videos) for k in ks]


def _is_hit(video: Document, k: int) -> bool:
    if "first_hit_rank" in video:
        return video["first_hit_rank"] is not None and video["first_hit_rank"] <= k
    return bool(video["predicted"] == video["label"])


def _by_k(ks: tuple[int, ...], values: list[Any]) -> dict[str, Any]:
    return {str(k): value for k, value in zip(ks, values, strict=True)}


def published_of(table: int, row: Row) -> PublishedRow | None:
    """The paper's row of the same method and network, if it has one; of several the first (200 epochs, Kinetics)."""
    for found in published_table(table).rows:
        same_start = found.pretraining != "ImageNet"  # table 2 has two supervised rows; torchvision's are of Kinetics
        if (found.method, found.architecture) == (row.method, ARCHITECTURES[row.backbone]) and same_start:
            return found
    return None


def table_document(table: int, rows: dict[Row, Document]) -> Document:
    """All rows as JSON; a row that was not run has ``reason`` in place of figures."""
    paper = published_table(table)
    return {
        "table": table,
        "title": paper.title,
        "measure": paper.measure,
        "rows": [
            {
                "method": row.method,
                "network": row.supervised_weights or ARCHITECTURES[row.backbone],
                **found,
                "published": paper.fractions(quoted) if (quoted := published_of(table, row)) else None,
            }
            for row, found in rows.items()
        ],
    }


def markdown(document: Document) -> str:
    """The table for people, in percent; published columns are marked."""
    paper = published_table(document["table"])
    ks = next((list(row["top_k"]) for row in document["rows"] if "top_k" in row), ["1"])
    names = [f"top-{k}" for k in ks] if document["table"] == 4 else ["top-1"]
    quoted = [f"{'top-' + column if document['table'] == 4 else column}†" for column in paper.columns]
    lines = [
        _line(["method", "network", *names, "each seed", *quoted]),
        _line(["---"] * (3 + len(names) + len(quoted))),
    ]
    for row in document["rows"]:
        published = row["published"] or {}
        figures = [f"{100 * published[column]:.1f}" if published else "" for column in paper.columns]
        lines.append(_line([row["method"], row["network"], *_cells(row, ks), *figures]))
    lines += ["", f"† published ({paper.title}), not measured here: other data, other settings"]
    return "\n".join(lines) + "\n"


def _cells(row: Document, ks: list[str]) -> list[str]:
    """Figures with intervals, and what each seed gave."""
    if "reason" in row:
        return [f"not run: {printable(row['reason'])}", *[""] * len(ks)]
    cells = [_figure(row["top_k"][k], (row["intervals"] or {}).get(k)) for k in ks]
    return [*cells, ", ".join(f"{100 * seed[ks[0]]:.1f}" for seed in row["seeds"])]


def _figure(value: float, interval: Interval | None) -> str:
    return f"{100 * value:.1f}" + (f" ({100 * interval[0]:.0f}-{100 * interval[1]:.0f})" if interval else "")


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
