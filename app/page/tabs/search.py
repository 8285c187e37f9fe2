"""Search: give a video, see what is like it, weigh motion against appearance."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app.page import permalink
from app.page.messages import message_of, notice, telling
from app.page.state import ENCODER, SharedState, TabHandles, Updates
from app.page.tabs import cards
from app.page.tabs.search_layout import ALL, SearchParts, example_cards, filter_choices, lay_out, welcome
from app.serving.visitors import visitor_of
from app.session.queries import QueryHandle
from app.session.ranking import RankedPage
from app.session.services import Services
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import NothingMatches, RspnetError


def search_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out and connect it."""
    parts = lay_out(services)
    _connect_queries(services, parts, state)
    _connect_ranking(services, parts, state)
    _connect_cards(services, parts, state)
    _connect_address(services, app, parts, state)

    parts.examples.change(
        lambda handle: gr.skip() if handle else welcome(services),
        state.query,
        parts.query,
        show_progress="hidden",
        api_visibility="private",
    )

    def refresh() -> Updates:
        services.reload()
        choices = filter_choices(services)
        updates: Updates = {parts.examples: example_cards(services)}
        return updates | {dropdown: gr.Dropdown(choices=choices[name]) for name, dropdown in parts.filters.items()}

    return TabHandles(refresh=refresh, outputs=[parts.examples, *parts.filters.values()])


def _query_panel(services: Services, handle: QueryHandle) -> str:
    """The query as a small card. Raises what ``services.query`` raises."""
    segment = ""
    if not handle.is_whole:
        end = "the end" if handle.end_seconds is None else f"{handle.end_seconds:g} s"
        segment = f"<p>from {handle.start_seconds or 0:g} s to {end}</p>"
    predicted = cards.predicted(services.query(handle).predicted)
    origin = "video of this library" if handle.video_id else "uploaded video, not in this library"
    return (
        f'<section class="query card" aria-label="The query"><div class="screen">'
        f'{cards.poster(handle.media_id, handle.name)}</div><div class="facts"><p class="eyebrow">Videos like</p>'
        f"<h3>{escape(handle.name)}</h3><p>{origin}</p>{segment}{predicted}</div></section>"
    )


def _connect_queries(services: Services, parts: SearchParts, state: SharedState) -> None:
    """Upload, recording and button embed, then rank."""

    def embed(
        current: QueryHandle | None,
        path: str | None,
        start: float | None,
        end: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[QueryHandle | None, str]:
        if services.is_empty:
            return None, welcome(services)
        try:
            services.reload()
            if path is not None:
                handle = services.embed(visitor_of(request), path, start, end, progress=progress)
            elif current is not None and current.video_id is not None:
                handle = services.stored(current.video_id, start, end)
                services.query(handle, progress=progress)  # else the panel would embed it without showing progress
            else:
                return None, notice("Choose a video: upload one, record a clip, or press an example.", kind="info")
            return handle, _query_panel(services, handle)
        except Exception as error:
            return None, notice(message_of(error))

    for trigger in (parts.video.upload, parts.video.stop_recording, parts.search.click):
        trigger(
            embed,
            [state.query, parts.video, parts.start, parts.end],
            [state.query, parts.query],
            concurrency_id=ENCODER,
            concurrency_limit=1,
            show_progress_on=parts.query,
            api_visibility="private",
        ).then(
            _ranker(services, parts, state, first_page=True),
            _ranking_inputs(parts, state),
            parts.ranked,
            show_progress="hidden",
            api_visibility="private",
        )


@dataclass(frozen=True)
class Ranking:
    """What the page shows of a ranking; by default that there is none."""

    results: str = ""
    """Cards, or why there are none; HTML."""
    summary: str = ""
    page: int = 1
    num_pages: int = 1

    def updates(self, parts: SearchParts) -> Updates:
        """For the outputs ``parts.ranked``."""
        has_pager = self.num_pages > 1
        return {
            parts.results: self.results,
            parts.summary: self.summary,
            parts.position: f"Page {self.page} of {self.num_pages}" if has_pager else "",
            parts.previous: gr.Button(interactive=self.page > 1, visible=has_pager),
            parts.following: gr.Button(interactive=self.page < self.num_pages, visible=has_pager),
            parts.page: self.page,
        }


def _ranking_inputs(parts: SearchParts, state: SharedState) -> set[Block]:
    """What decides a ranking; as a set, so that a function takes their values by component."""
    return {state.query, parts.page, *parts.sliders.values(), *parts.filters.values()}


def _ranker(
    services: Services, parts: SearchParts, state: SharedState, *, first_page: bool = False, step: int = 0
) -> Callable[[dict[Block, Any]], Updates]:
    """A function from the values of ``_ranking_inputs`` to the outputs ``parts.ranked``."""

    def rank(values: dict[Block, Any]) -> Updates:
        handle: QueryHandle | None = values[state.query]
        if handle is None:
            return Ranking().updates(parts)
        shares = {part: values[slider] for part, slider in parts.sliders.items()}
        chosen = {name: values[dropdown] for name, dropdown in parts.filters.items()}
        filters = Filters(**{name: None if value == ALL else value for name, value in chosen.items()})
        try:
            weights = PartWeights(**shares)
            found = services.rank(handle, weights, filters, page=1 if first_page else values[parts.page] + step)
        except Exception as error:
            text = "Move at least one slider above 0." if _all_zero(error, *shares.values()) else None
            kind = "info" if isinstance(error, NothingMatches) else "warning" if text else "error"
            problem = notice(text or message_of(error), kind=kind)
            return Ranking(problem).updates(parts)
        results = cards.results(found, can_explain=services.has_heads)
        summary = _summary(handle, weights, filters, found)
        return Ranking(results, summary, found.page, found.num_pages).updates(parts)

    return rank


def _all_zero(error: Exception, *weights: float) -> bool:
    return isinstance(error, RspnetError) and not any(weights)


def _summary(handle: QueryHandle, weights: PartWeights, filters: Filters, found: RankedPage) -> str:
    """How many, how fast, and the link that restores this search."""
    passing = "video" if found.num_videos == 1 else "videos"
    text = f"{found.num_videos:,} {passing} ranked in {max(1, round(found.seconds * 1000))} ms"
    address = permalink.link(handle, weights, filters, found.page)
    share = '<span class="muted">A search by an uploaded file has no link.</span>'
    if address is not None:
        share = (
            f'<a class="permalink" href="{escape(address)}">Link to this search</a> '
            '<button type="button" class="copy" data-copy aria-label="Copy the link to this search">Copy</button>'
        )
    return f'<div class="summary"><span role="status">{text}</span><span class="share">{share}</span></div>'


def _connect_ranking(services: Services, parts: SearchParts, state: SharedState) -> None:
    """Sliders and filters rank again from the first page; the pager turns pages."""
    inputs = _ranking_inputs(parts, state)
    moved = [parts.sliders[part].input for part in services.parts]
    chosen = [dropdown.input for dropdown in parts.filters.values()]
    gr.on(
        [*moved, *chosen],
        _ranker(services, parts, state, first_page=True),
        inputs,
        parts.ranked,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    for button, step in ((parts.previous, -1), (parts.following, 1)):
        button.click(
            _ranker(services, parts, state, step=step),
            inputs,
            parts.ranked,
            show_progress="hidden",
            api_visibility="private",
        )


def _connect_cards(services: Services, parts: SearchParts, state: SharedState) -> None:
    """Connect the cards' buttons: "Why?" goes to its tab, "More like this" and examples search by a stored video."""

    @telling
    def press(event: gr.EventData) -> Updates:
        video_id = str(event.id)
        if event.action == "why":
            services.video(video_id)
            return {state.hit_id: video_id, state.tabs: gr.Tabs(selected="why")}
        handle = services.stored(video_id)
        return {state.query: handle, parts.query: _query_panel(services, handle)}

    for component in (parts.results, parts.examples):
        component.select(
            press,
            None,
            [state.query, state.hit_id, state.tabs, parts.query],
            show_progress="hidden",
            api_visibility="private",
        ).success(
            _ranker(services, parts, state, first_page=True),
            _ranking_inputs(parts, state),
            parts.ranked,
            show_progress="hidden",
            api_visibility="private",
        )


def _connect_address(services: Services, app: gr.Blocks, parts: SearchParts, state: SharedState) -> None:
    """A page that is opened by a link restores its search."""
    outputs = [state.query, parts.query, parts.page, *parts.sliders.values(), *parts.filters.values()]

    def restore(request: gr.Request) -> Updates:
        asked = permalink.parse(dict(request.query_params))
        if asked is None:
            return {state.query: gr.skip()}  # an empty dictionary would be a value
        try:
            handle = services.stored(asked.video_id, asked.start_seconds, asked.end_seconds)
            panel = _query_panel(services, handle)
        except Exception as error:
            return {state.query: None, parts.query: notice(message_of(error))}
        filters = asked.filters
        try:
            services.opened.allowed_keys(filters)
        except NothingMatches as error:  # a class of another library, or one that is gone
            filters, panel = Filters(), panel + notice(f"{message_of(error)}; all videos are shown", kind="info")
        updates: Updates = {state.query: handle, parts.query: panel, parts.page: asked.page}
        updates |= {slider: getattr(asked.weights, part) for part, slider in parts.sliders.items()}
        updates |= {dropdown: getattr(filters, name) or ALL for name, dropdown in parts.filters.items()}
        return updates

    app.load(restore, None, outputs, show_progress="hidden", concurrency_id=ENCODER, api_visibility="private").success(
        _ranker(services, parts, state),
        _ranking_inputs(parts, state),
        parts.ranked,
        show_progress="hidden",
        api_visibility="private",
    )
