"""Search: give a video, see what is like it, weigh motion against appearance."""

from html import escape
from typing import Any

import gradio as gr

from app.page import permalink
from app.page.messages import message_of, notice, telling
from app.page.state import ENCODER, SharedState, TabHandles
from app.page.tabs import cards
from app.page.tabs.search_layout import ALL, SearchParts, example_cards, filter_choices, lay_out, welcome
from app.serving.visitors import visitor_of
from app.session.opened import Filters
from app.session.queries import QueryHandle
from app.session.ranking import RankedPage
from app.session.services import Services
from indexer.ingest.pooling import PARTS
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import RspnetError


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

    def refresh() -> list[Any]:
        services.reload()
        choices = filter_choices(services)
        return [example_cards(services), *(gr.Dropdown(choices=choices[name]) for name in parts.filters)]

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
            _ranker(services, first_page=True),
            [state.query, parts.page, *parts.weighing],
            parts.ranked,
            show_progress="hidden",
            api_visibility="private",
        )


def _ranker(services: Services, *, first_page: bool = False, step: int = 0) -> Any:
    """A function from query, page, weights and filters to the outputs of a ranking."""

    def rank(
        handle: QueryHandle | None,
        page: int,
        backbone: float,
        motion: float,
        appearance: float,
        *chosen: str | None,
    ) -> tuple[Any, ...]:
        if handle is None:
            return _no_results("")
        filters = Filters(*(None if value in (None, ALL) else value for value in chosen))
        try:
            weights = PartWeights(backbone=backbone, motion=motion, appearance=appearance)
            found = services.rank(handle, weights, filters, page=1 if first_page else page + step)
        except Exception as error:
            text = "Move at least one slider above 0." if _all_zero(error, backbone, motion, appearance) else None
            problem = notice(text or message_of(error), kind="warning" if text else "error")
            return _no_results(problem)
        return (
            cards.results(found, can_explain=services.has_heads),
            _summary(handle, weights, filters, found),
            f"Page {found.page} of {found.num_pages}" if found.num_pages > 1 else "",
            gr.Button(interactive=found.page > 1, visible=found.num_pages > 1),
            gr.Button(interactive=found.page < found.num_pages, visible=found.num_pages > 1),
            found.page,
        )

    return rank


def _no_results(message: str) -> tuple[Any, ...]:
    """Outputs of a ranking where there is none."""
    return message, "", "", gr.Button(visible=False), gr.Button(visible=False), 1


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
    inputs = [state.query, parts.page, *parts.weighing]
    moved = [parts.sliders[part].input for part in services.parts]
    chosen = [dropdown.input for dropdown in parts.filters.values()]
    gr.on(
        [*moved, *chosen],
        _ranker(services, first_page=True),
        inputs,
        parts.ranked,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    for button, step in ((parts.previous, -1), (parts.following, 1)):
        button.click(
            _ranker(services, step=step), inputs, parts.ranked, show_progress="hidden", api_visibility="private"
        )


def _connect_cards(services: Services, parts: SearchParts, state: SharedState) -> None:
    """Connect the cards' buttons: "Why?" goes to its tab, "More like this" and examples search by a stored video."""

    @telling
    def press(current: QueryHandle | None, event: gr.EventData) -> tuple[Any, ...]:
        video_id = str(event.id)
        if event.action == "why":
            services.video(video_id)
            return current, video_id, gr.Tabs(selected="why"), gr.skip()
        handle = services.stored(video_id)
        return handle, gr.skip(), gr.skip(), _query_panel(services, handle)

    for component in (parts.results, parts.examples):
        component.select(
            press,
            state.query,
            [state.query, state.hit_id, state.tabs, parts.query],
            show_progress="hidden",
            api_visibility="private",
        ).success(
            _ranker(services, first_page=True),
            [state.query, parts.page, *parts.weighing],
            parts.ranked,
            show_progress="hidden",
            api_visibility="private",
        )


def _connect_address(services: Services, app: gr.Blocks, parts: SearchParts, state: SharedState) -> None:
    """A page that is opened by a link restores its search."""
    outputs = [state.query, parts.query, parts.page, *parts.weighing]

    def restore(request: gr.Request) -> tuple[Any, ...]:
        asked = permalink.parse(dict(request.query_params))
        skipped = tuple(gr.skip() for _ in outputs)
        if asked is None:
            return skipped
        try:
            handle = services.stored(asked.video_id, asked.start_seconds, asked.end_seconds)
            panel = _query_panel(services, handle)
        except Exception as error:
            return (None, notice(message_of(error)), *skipped[2:])
        filters = [getattr(asked.filters, name) or ALL for name in parts.filters]
        weights = [getattr(asked.weights, part) for part in PARTS]
        return handle, panel, asked.page, *weights, *filters

    app.load(restore, None, outputs, show_progress="hidden", concurrency_id=ENCODER, api_visibility="private").success(
        _ranker(services),
        [state.query, parts.page, *parts.weighing],
        parts.ranked,
        show_progress="hidden",
        api_visibility="private",
    )
