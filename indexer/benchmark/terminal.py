"""The retrieval report for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from indexer.benchmark.document import ComparisonRow, comparison_rows, copies_line
from rspnet_core.text import counted, printable

_WORST_CLASSES = 10
_ALONE = 5
_STYLES = {"library": "bold", "published": "dim italic", "published-ours": "italic"}


def render_table(report: Mapping[str, Any]) -> Group:
    """The report dict of ``to_json`` as rich renderables; names are shown as plain text, never as markup."""
    ks = list(report["top_k"])
    parts: list[RenderableType] = []
    if report["encoder"]["trained"] is False:
        parts.append(Text("The encoder is untrained: random weights. Give --weights to measure the method.", "yellow"))
    parts += [_overall(report, ks), _footnote(report)]
    if report["within_family"]:
        parts.append(_families(report, ks))
    parts.append(_worst_classes(report, ks))
    return Group(*parts)


def _table(title: str, first: str, columns: Sequence[str]) -> Table:
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text(first), overflow="ellipsis", max_width=34)
    for column in columns:
        table.add_column(Text(column), justify="right", no_wrap=True)
    return table


def _overall(report: Mapping[str, Any], ks: Sequence[str]) -> Table:
    title = f"\nRetrieval, % ({report['queries']:,} queries, gallery of {report['gallery']:,})"
    table = _table(title, "", [*(f"top-{k}" for k in ks), "mAP"])
    for row in comparison_rows(report):
        mark = "†" if row.kind.startswith("published") else ""
        precision = "" if row.mean_average_precision is None else _percent(row.mean_average_precision)
        figures = [_percent(row.top_k[k]) if k in row.top_k else "" for k in ks]
        table.add_row(Text(row.name + mark), *figures, precision, style=_STYLES.get(row.kind, ""))
        if row.kind == "library" and row.intervals:
            table.add_row(*_interval_row(row, ks), style="dim")
    return table


def _interval_row(row: ComparisonRow, ks: Sequence[str]) -> list[str]:
    pairs = [*(row.intervals[k] for k in ks), row.mean_average_precision_interval]
    return ["  95 % interval", *(f"{_percent(low)}–{_percent(high)}" for low, high in filter(None, pairs))]


def _footnote(report: Mapping[str, Any]) -> Text:
    lines = ["† published figures (UCF101 split 1), not measured here"]
    if not report["published"]["same_data"]:
        lines[0] += ": another data set"
    if whitened := report["protocol"].get("whitened"):
        lines.append(
            f"whitened: each part on the {whitened} directions in which the gallery spreads most, scaled alike"
        )
    elif report["protocol"].get("centred"):
        lines.append("centred: all vectors less the gallery's mean, part by part, then of unit length")
    if omitted := report["protocol"]["omitted_k"]:
        lines.append(f"k = {', '.join(map(str, omitted))} left out: the gallery is smaller")
    if missing := report["protocol"]["classes_without_gallery"]:
        lines.append(f"counted as misses, no gallery video of: {', '.join(map(printable, missing))}")
    lines += filter(None, [copies_line(report)])
    return Text("\n".join(lines), "dim")


def _families(report: Mapping[str, Any], ks: Sequence[str]) -> Table:
    """Each family searching itself alone, with the baselines at the first k."""
    named = {"random": "random", "histogram": "colour_histogram", "energy": "motion_energy"}
    baselines = {name: found for name, key in named.items() if (found := report["baselines"][key])}
    first = ks[0]
    columns = ["queries", *(f"top-{k}" for k in ks), "mAP", *(f"{name} {first}" for name in baselines)]
    table = _table("\nWithin families, %", "family", columns)
    for name, family in report["within_family"]["families"].items():
        figures = [_percent(family["top_k"][k]) if k in family["top_k"] else "" for k in ks]
        cells = [str(family["queries"]), *figures, _percent(family["mean_average_precision"])]
        cells += [_percent(each["within_family"]["families"][name]["top_k"][first]) for each in baselines.values()]
        table.add_row(Text(printable(name)), *cells)
    return table


def _worst_classes(report: Mapping[str, Any], ks: Sequence[str]) -> Table:
    table = _table("\nWorst classes, %", "class", ["queries", "gallery", *(f"top-{k}" for k in ks), "mAP"])
    worst = sorted(report["per_class"].items(), key=lambda item: (item[1]["mean_average_precision"], item[0]))
    for label, found in worst[:_WORST_CLASSES]:
        figures = [_percent(found["top_k"][k]) for k in ks]
        counts = [str(found["queries"]), str(found["gallery"])]
        table.add_row(Text(printable(label)), *counts, *figures, _percent(found["mean_average_precision"]))
    return table


def render_comparison(document: Mapping[str, Any]) -> Group:
    """The dict of ``compare`` as rich renderables."""
    ks = list(document["overall"]["scores"]["a"]["top_k"])
    sides = "\n".join(f"{name.upper()}: {_encoder(document[name])}" for name in ("a", "b"))
    parts: list[RenderableType] = [Text(sides)]
    for family, found in ("", document["overall"]), *document["within_family"].items():
        title = f"\n{'Retrieval' if not family else f'Within {printable(family)}'}, % ({found['queries']:,} queries)"
        parts.append(_difference(title, found, ks))
    intervals = document["overall"]["intervals"]
    unit = "recordings" if intervals["unit"] == "group" else "queries"
    lines = [f"B - A with its {100 * intervals['level']:.0f} % interval over {intervals['units']} {unit}"]
    if not_shared := document["not_shared"]:
        lines.append(f"not in all of these libraries, so not counted: {counted(not_shared, 'video')}")
    lines += [
        f"right first by {name[-1].upper()} alone: {found['videos']}, such as"
        + "".join(f"\n  {printable(p)}" for p in found["paths"][:_ALONE])
        for name in ("only_a", "only_b")
        if (found := document[name])["videos"]
    ]
    return Group(*parts, Text("\n".join(lines), "dim"))


def _encoder(side: Mapping[str, Any]) -> str:
    encoder = side["encoder"]
    seeds = f" x {side['seeds']}" if side["seeds"] > 1 else ""
    return printable(f"{encoder['backbone']}, {encoder['weights']}{seeds}")


def _difference(title: str, found: Mapping[str, Any], ks: Sequence[str]) -> Table:
    table = _table(title, "", [*(f"top-{k}" for k in ks), "mAP"])
    for name, row in (("A", "a"), ("B", "b")):
        scores = found["scores"][row]
        figures = [_percent(scores["top_k"][k]) if k in scores["top_k"] else "" for k in ks]
        table.add_row(name, *figures, _percent(scores["mean_average_precision"]))
    difference, between = found["scores"]["difference"], found["intervals"]["difference"]
    values = [*difference["top_k"].values(), difference["mean_average_precision"]]
    blank = [""] * (len(ks) - len(difference["top_k"]))
    cells = [f"{100 * value:+.1f}" for value in values]
    table.add_row("B - A", *cells[:-1], *blank, cells[-1], style="bold")
    if between:
        pairs = [*between["top_k"].values(), between["mean_average_precision"]]
        cells = [f"{100 * low:+.1f} to {100 * high:+.1f}" for low, high in pairs]
        table.add_row("", *cells[:-1], *blank, cells[-1], style="dim")
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
