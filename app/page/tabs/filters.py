"""The filters of the Search tab: fields that are typed or chosen, what they say, and the chips that take them away."""

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any

import gradio as gr

from app.session.services import Services
from indexer.retrieval.bounds import BOUNDS, NUMBERS_ALLOWED, read_date
from indexer.retrieval.filters import Filters
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import printable, short

ALL = "All"
Field = gr.Dropdown | gr.Textbox | gr.Checkbox
NAMED = {"label": "Class", "split": "Split", "folder": "Folder", "tag": "Tag"}
"""Filters whose values are chosen from those that the library has, and their titles."""
_TYPED = {
    "min_seconds": "At least (seconds)",
    "max_seconds": "At most (seconds)",
    "min_mb": "At least (MB)",
    "max_mb": "At most (MB)",
    "since": "Dated from",
    "until": "Dated until",
    "added_since": "Added since",
}
_LEFT_OUT = "leave_out"
_A_ROW = 2


def filter_fields(services: Services) -> dict[str, Field]:
    """A field for each filter, by its name."""
    choices = filter_choices(services)
    fields: dict[str, Field] = {
        name: gr.Dropdown(choices[name], value=ALL, label=title, elem_id=f"filter-{name}", interactive=True)
        for name, title in NAMED.items()
    }
    names = list(_TYPED)
    for first in range(0, len(names), _A_ROW):
        with gr.Row():
            fields |= {name: _typed(name) for name in names[first : first + _A_ROW]}
    label, info = "Leave out the query's recording", "other clips of its source, as names tell them"
    return fields | {_LEFT_OUT: gr.Checkbox(False, label=label, info=info, elem_id="filter-leave-out")}


def _typed(name: str) -> gr.Textbox:
    """Numbers are texts too: the browser would make an empty ``gr.Number`` 0, which is a bound."""
    return gr.Textbox(
        "",
        label=_TYPED[name],
        placeholder="2026-03-01" if BOUNDS[name].takes_date else "any",
        max_lines=1,
        elem_id=f"filter-{name.replace('_', '-')}",
        min_width=100,
    )


def filter_choices(services: Services) -> dict[str, list[str]]:
    """What each of ``NAMED`` offers."""
    if services.is_empty:
        return {name: [ALL] for name in NAMED}
    opened = services.opened
    found = {
        "label": opened.labels,
        "split": opened.splits,
        "folder": opened.folders,
        "tag": list(opened.library.tags.known()),
    }
    return {name: [ALL, *values] for name, values in found.items()}


def filters_of(chosen: Mapping[str, Any]) -> Filters:
    """What the fields say; raises InvalidSetting for text that is no number or date, and for bounds that cannot be."""
    named: dict[str, Any] = {name: None if chosen[name] == ALL else chosen[name] for name in NAMED}
    typed: dict[str, Any] = {name: _read(name, text) for name in _TYPED if (text := chosen[name].strip())}
    return Filters(**named, **typed, leave_out="recording" if chosen[_LEFT_OUT] else None)


def _read(name: str, text: str) -> Any:
    if BOUNDS[name].takes_date:
        return read_date(name, text)
    try:
        return float(text)
    except ValueError:
        raise InvalidSetting(f"{name}: got {short(text, 40)!r}, allowed {NUMBERS_ALLOWED}") from None


def field_values(filters: Filters) -> dict[str, str | bool]:
    """What the fields show for these filters."""
    texts = {name: _shown(name, getattr(filters, name)) for name in (*NAMED, *_TYPED)}
    return texts | {_LEFT_OUT: filters.leave_out is not None}


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ALL if name in NAMED else ""
    return value.isoformat() if isinstance(value, date) else str(value).removesuffix(".0")


def chips(filters: Filters) -> str:
    """Each filter that is obeyed, as a button that takes it away."""
    buttons = "".join(
        f'<button type="button" class="chip filter" data-action="drop" data-id="{name}" '
        f'aria-label="Remove the filter {text}">{text}<span aria-hidden="true">×</span></button>'
        for name in (*NAMED, *BOUNDS, _LEFT_OUT)
        if (value := getattr(filters, name)) is not None
        for text in [escape(printable(_said(name, value)))]
    )
    return (
        f'<div class="chips filters" role="group" aria-label="Filters of this search">{buttons}</div>'
        if buttons
        else ""
    )


def _said(name: str, value: Any) -> str:
    if name in NAMED:
        return f"{NAMED[name]}: {value}"
    if name == _LEFT_OUT:
        return f"Without its {value}"
    said = BOUNDS[name].said(value)
    return said[0].upper() + said[1:]
