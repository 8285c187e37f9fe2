"""The Accuracy tab's table of weights: each part alone and together, and how far each is from the backbone alone."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from app.page.messages import telling
from app.session.services import Services

_MEASURES = ("top-1", "top-5", "mAP")
_TOPS = ("1", "5")


def weights_compared(services: Services, fold: gr.Dropdown, button: gr.Button) -> None:
    """Lay the table's place out, which ``button`` fills for the split that ``fold`` says."""
    shown = gr.HTML(elem_id="weights-compared")
    button.click(
        telling(lambda fold: weights_table(services.compared_weights(fold))),
        fold,
        shown,
        api_visibility="private",
        concurrency_id="report",
        concurrency_limit=1,
    )


def weights_table(compared: Mapping[str, Any]) -> str:
    """What ``Services.compared_weights`` returns, as HTML."""
    rows = compared["rows"]
    intervals = rows[0]["intervals"]
    unit = "split groups" if intervals["unit"] == "group" else "queries"
    heads = "".join(
        f'<th scope="col" class="number">{name}</th><th scope="col" class="number">less backbone</th>'
        for name in _MEASURES
    )
    return (
        f"<h3>Weights compared</h3><p>{rows[0]['queries']:,} queries, in %. Beside each figure: how far above the "
        f"backbone alone it is, with a {intervals['level']:.0%} interval over {intervals['units']:,} {unit}, drawn for "
        "both alike; one that holds 0 shows no difference.</p>"
        '<div class="table-scroll" tabindex="0" role="region" aria-label="Weights compared"><table class="videos">'
        f'<thead><tr><th scope="col">Weights</th>{heads}</tr></thead><tbody>{"".join(map(_row, rows))}'
        "</tbody></table></div>"
    )


def _row(row: Mapping[str, Any]) -> str:
    used = [part for part, weight in row["weights"].items() if weight]
    name = f"{', '.join(used[:-1])} and {used[-1]}" if len(used) > 1 else f"{used[0]} alone"
    values, differences = _values(row["scores"]["b"]), _values(row["scores"]["difference"])
    ranges = _values(row["intervals"]["difference"]) if row["intervals"]["difference"] else [None] * len(_MEASURES)
    is_itself = used == ["backbone"]
    cells = "".join(
        f'<td class="number">{_percent(value)}</td><td class="number">'
        f"{'' if is_itself else _difference(difference, interval)}</td>"
        for value, difference, interval in zip(values, differences, ranges, strict=True)
    )
    return f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>'


def _values(scores: Mapping[str, Any]) -> list[Any]:
    """Of ``_MEASURES``; None where the gallery is too small for a k."""
    return [*(scores["top_k"].get(k) for k in _TOPS), scores["mean_average_precision"]]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _difference(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    bounds = "" if interval is None else f" ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"
    return f"{100 * value:+.1f}{bounds}"
