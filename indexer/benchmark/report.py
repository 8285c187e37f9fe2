"""Write the retrieval report as one HTML file that needs no network, no script and no other file."""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from markupsafe import Markup

from indexer.benchmark.document import ComparisonRow, comparison_rows, copies_line
from indexer.benchmark.plots import Line, curve_svg
from indexer.benchmark.ranking import QueryResult
from indexer.benchmark.scores import RetrievalScores
from indexer.retrieval.posters import data_address
from indexer.retrieval.rarity import percent_of_pairs
from rspnet_core.reports.html_page import environment, write_page
from rspnet_core.reports.svg_plots import ACCENT, MUTED, VIOLET, WARM, confusion_svg
from rspnet_core.text import printable, printable_texts, short

Posters = Callable[[str], bytes | None]
_QUERIES_SHOWN = 6
_LINES = {  # kind of comparison row -> colour, dashes, width
    "random": (MUTED, ":", 1.6),
    "histogram": (WARM, "-", 1.8),
    "energy": (WARM, "--", 1.8),
    "published": (MUTED, "--", 0.8),
    "published-ours": (VIOLET, "--", 1.8),
    "library": (ACCENT, "-", 2.6),
}


SECTIONS = ("headline", "accuracy", "families", "classes", "confusion", "examples", "protocol")
"""Parts of the page in their order: templates in ``templates/sections``."""


def write_html(
    report: Mapping[str, Any],
    details: RetrievalScores,
    posters: Posters,
    out_dir: str | os.PathLike[str],
    *,
    names: Mapping[str, str] | None = None,
) -> Path:
    """Write ``report.html`` into ``out_dir`` (made when missing) and return its path.

    ``report`` is ``to_json``'s dict of ``details``. ``posters`` gives a video's thumbnail as JPEG, or None; it is
    asked once for each shown id. ``names`` maps ids to what people call the videos, such as paths. Raises RspnetError
    when the folder cannot be written.
    """
    report = printable_texts(report)
    templates = environment("indexer.benchmark")
    templates.filters["of_pairs"] = percent_of_pairs
    page = templates.get_template("report.html.j2")
    worst, best = _telling_queries(details.results)
    labels = [short(printable(label)) for label in details.confusion_labels]
    confusion = confusion_svg(
        labels, details.confusion, rows="class of the query", columns="class of the nearest video", name="confusion"
    )
    html = page.render(
        sections=SECTIONS,
        ks=list(report["top_k"]),
        report=report,
        rows=comparison_rows(report),
        copies=copies_line(report),
        curves={name: Markup(svg) for name, svg in _curves(comparison_rows(report)).items()},  # noqa: S704 # our own SVG
        confusion=Markup(confusion),  # noqa: S704
        classes=sorted(report["per_class"].items(), key=lambda item: (-item[1]["mean_average_precision"], item[0])),
        worst=worst,
        best=best,
        names=names or {},
        images=_images([*worst, *best], posters),
    )
    return write_page(Path(out_dir), html)


def _telling_queries(results: Sequence[QueryResult]) -> tuple[list[QueryResult], list[QueryResult]]:
    """The worst and the best queries, each class at most once as long as there are classes left."""
    ordered = sorted(results, key=lambda r: (r.first_hit_rank or float("inf"), -r.average_precision, r.id))
    best = _one_a_class([result for result in ordered if result.first_hit_rank == 1])
    worst = _one_a_class([result for result in reversed(ordered) if result.first_hit_rank != 1])
    return worst, best


def _one_a_class(results: Sequence[QueryResult]) -> list[QueryResult]:
    first: dict[str, QueryResult] = {}
    for result in results:
        first.setdefault(result.label, result)
    return list(first.values())[:_QUERIES_SHOWN]


def _curves(rows: Sequence[ComparisonRow]) -> dict[str, str]:
    """The accuracy plot, drawn twice so that its text is readable on a wide and on a narrow screen."""
    lines = []
    for kind, (colour, dashes, width) in _LINES.items():
        for row in (row for row in rows if row.kind == kind):
            values = {int(k): value for k, value in row.top_k.items()}
            ours = kind == "library"
            band = {int(k): (low, high) for k, (low, high) in row.intervals.items()} if ours else {}
            lines.append(Line(values, colour, dashes, width, ours, band or None))
    sizes = {"wide": (760.0, 360.0), "narrow": (360.0, 320.0)}
    return {name: curve_svg(lines, name=f"curve-{name}", width=w, height=h) for name, (w, h) in sizes.items()}


def _images(shown: Sequence[QueryResult], posters: Posters) -> dict[str, str]:
    """Thumbnails as ``data:`` addresses, by id."""
    ids = dict.fromkeys(chain.from_iterable([result.id, *(hit.id for hit in result.hits)] for result in shown))
    found = {video_id: posters(video_id) for video_id in ids}
    return {video_id: data_address(jpeg) for video_id, jpeg in found.items() if jpeg}
