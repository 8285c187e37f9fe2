"""Compare: the present search in this library and in another one of the same videos, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from app.page import permalink
from app.page.components import content
from app.page.messages import message_of, notice
from app.page.state import ENCODER, SharedState, TabHandles, Updates
from app.page.tabs import cards
from app.session.comparing import Compared, compare
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights, folded
from indexer.retrieval.speed import Speed
from rspnet_core.errors import NothingMatches
from rspnet_core.text import printable

_NONE = notice(
    "There is no other library to compare with. Build one of the same videos with another encoder, and serve this one "
    "with --compare-with OTHER.",
    kind="info",
)
_START = notice("Search for a video first: what both libraries find is then shown here, side by side.", kind="info")
_SEEN_JS = """
new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) trigger('seen'); },
  {rootMargin: '99999px'}).observe(element);
"""
"""Tells that the tab was opened."""
_IS_SHOWN = "(_, ...rest) => [document.querySelector('#compare-summary')?.checkVisibility() ?? false, ...rest]"
_NO_COLUMNS = ("", "")


@dataclass(frozen=True)
class _Asked:
    """What the columns are of."""

    generations: tuple[str, str]
    name: str
    handle: QueryHandle
    weights: PartWeights
    filters: Filters
    false_alarms: float
    speed: Speed | None


def compare_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out; called inside its ``gr.Tab``."""
    names = services.others.names
    if not names:
        gr.HTML(_NONE, elem_id="compare-summary")
        return TabHandles()
    is_shown = gr.Checkbox(visible=False)
    shown = gr.State(None)
    with gr.Row():
        other = gr.Dropdown(
            names, value=names[0], label="Compare with", elem_id="compare-with", interactive=True, filterable=False,
            scale=0, min_width=320,
        )  # fmt: skip
    summary = gr.HTML(_START, js_on_load=_SEEN_JS, elem_id="compare-summary")
    columns = []
    with gr.Row(equal_height=False):
        for side in ("ours", "theirs"):
            with gr.Column(min_width=320):
                columns.append(gr.HTML(js_on_load=cards.SCRIPT, elem_id=f"compared-{side}"))

    def updates(asked: _Asked | None, name: str, *texts: str) -> Updates:
        """``texts``: the summary, then the columns."""
        return {shown: asked, other: name, summary: texts[0], columns[0]: texts[1], columns[1]: texts[2]}

    def show(
        is_shown: bool,
        before: _Asked | None,
        name: str | None,
        handle: QueryHandle | None,
        weights: PartWeights | None,
        filters: Filters | None,
        false_alarms: float | None,
        speed: Speed | None,
    ) -> Updates:
        """Both columns, where the tab is open and shows something else."""
        name = name if name in names else names[0]
        if not is_shown:
            return {shown: gr.skip()}
        if handle is None or weights is None or filters is None or false_alarms is None:
            return updates(None, name, _START, *_NO_COLUMNS)
        services.reload()
        try:
            generations = (services.generation, services.others.opened(name).generation)
            asked = _Asked(generations, name, handle, weights, filters, false_alarms, speed)
            if asked == before:
                return {shown: gr.skip()}
            found = compare(services, name, handle, weights, filters, false_alarms, speed)
            texts = (_summary(found, handle), *_columns(services, found, asked))
        except Exception as error:
            kind = "info" if isinstance(error, NothingMatches) else "error"
            asked, texts = None, (notice(message_of(error), kind=kind), *_NO_COLUMNS)
        return updates(asked, name, *texts)

    for arrives in (summary.seen, *(each.change for each in (state.other, *state.asked))):
        arrives(
            show,
            [is_shown, shown, state.other, *state.asked],
            [shown, other, summary, *columns],
            js=_IS_SHOWN,
            trigger_mode="always_last",
            concurrency_id=ENCODER,
            show_progress_on=summary,
            api_visibility="private",
        )
    other.input(
        lambda name: (name, content(other=name)),
        other,
        [state.other, state.address],
        show_progress="hidden",
        api_visibility="private",
    )
    return TabHandles()


def _summary(found: Compared, handle: QueryHandle) -> str:
    """How many videos both find first, and of how many."""
    first = [hit.id for hit, _ in folded(found.ours.hits)]
    return (
        f'<div class="summary"><span role="status">Videos like <b>{escape(printable(handle.name))}</b>: '
        f"{len(found.common.intersection(first))} of the first {len(first)} in common. "
        f"{found.ours.num_videos:,} of the {found.num_shared:,} "
        f"videos that both libraries hold were ranked.</span></div>"
    )


def _columns(services: Services, found: Compared, asked: _Asked) -> tuple[str, str]:
    def address(video_id: str) -> str:
        handle = services.stored(video_id)
        search = permalink.address(handle, asked.weights, asked.filters, 1, asked.false_alarms, asked.speed)
        return permalink.comparing(search, asked.name)

    sides = (services.others.own, services.encoder, found.ours), (asked.name, found.encoder, found.theirs)
    ours, theirs = (
        _heading(name, encoder) + cards.compared(page, common=found.common, address=address)
        for name, encoder, page in sides
    )
    return ours, theirs


def _heading(name: str, encoder: Mapping[str, Any]) -> str:
    """A library's name, and what its vectors were made by."""
    geometry = encoder["geometry"]
    clips = f"{geometry['num_clips']} clips of {geometry['frames_per_clip']} frames, {geometry['size']} pixels"
    made_by = f"{encoder['backbone']}, {encoder['weights']}, {encoder['pooling']}, {clips}"
    return f'<header class="compared"><h2>{escape(name)}</h2><p class="muted">{escape(printable(made_by))}</p></header>'
