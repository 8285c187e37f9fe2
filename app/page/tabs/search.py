"""Search: give a video, see what is like it, weigh motion against appearance."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app.page import permalink
from app.page.messages import message_of, notice, telling
from app.page.state import ENCODER, SharedState, TabHandles, Updates
from app.page.tabs import cards
from app.page.tabs.filters import field_values, filter_choices
from app.page.tabs.ranked import Ranker, explained
from app.page.tabs.restoring import connect_address
from app.page.tabs.search_layout import (
    ANY,
    PLAYER_TIME,
    SearchParts,
    example_cards,
    lay_out,
    speed_told,
    welcome,
)  # fmt: skip
from app.serving.visitors import visitor_of
from app.session.queries import QueryHandle, check_segment
from app.session.services import Services
from indexer.retrieval.search import usual_weights
from rspnet_core.errors import QueryNotFound

_PROGRESS = gr.Progress()


def search_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out and connect it."""
    parts = lay_out(services)
    search = _Search(services, parts, state, Ranker(services, parts, state))
    search.connect_queries()
    search.connect_ranking()
    search.connect_cards()
    parts.exporting.connect(services, state)
    parts.tagging.connect(services)
    connect_address(search.ranker, app, query_panel)

    parts.examples.change(
        lambda handle: gr.skip() if handle else welcome(services),
        state.query,
        parts.welcome,
        show_progress="hidden",
        api_visibility="private",
    )

    def refresh() -> Updates:
        services.reload()
        choices = filter_choices(services)
        speed = gr.Radio(**speed_told(services))
        updates: Updates = {parts.examples: example_cards(services), parts.speed: speed}
        return updates | {parts.filters[name]: gr.Dropdown(choices=offered) for name, offered in choices.items()}

    return TabHandles(refresh=refresh, outputs=[parts.examples, parts.speed, *parts.filters.values()])


def query_panel(services: Services, handle: QueryHandle) -> str:
    """The query as a small card. Raises what ``services.query`` raises."""
    segment = ""
    if not handle.is_whole:
        end = "the end" if handle.end_seconds is None else f"{handle.end_seconds:g} s"
        segment = (
            f"<p>from {handle.start_seconds or 0:g} s to {end} "
            '<button type="button" data-action="whole">Whole video</button></p>'
        )
    predicted = cards.predicted(services.query(handle).predicted)
    examples = "".join(
        cards.example_chips(kind, {each: services.stored(each).name for each in handle.others.of_kind(kind)})
        for kind in cards.EXAMPLES
    )
    eyebrow = "Videos that move like" if handle.others.look_of else "Videos like"
    origin = "video of this library" if handle.video_id else "uploaded video, not in this library"
    return (
        f'<section class="query card" aria-label="The query"><div class="screen">'
        f'{cards.player(handle.media_id, handle.name, at_once=handle.video_id is None)}</div><div class="facts">'
        f'<p class="eyebrow">{eyebrow}</p><h2>{escape(handle.name)}</h2><p>{origin}</p>{segment}{examples}{predicted}'
        f"</div></section>"
    )


@dataclass(frozen=True)
class _Search:
    """The tab's events. The last thing chosen is the query; what cannot be one leaves the query as it is."""

    services: Services
    parts: SearchParts
    state: SharedState
    ranker: Ranker

    def show(self, handle: QueryHandle) -> Updates:
        """Make it the query; raises what embedding it raises."""
        return {
            self.state.query: handle,
            self.parts.query: query_panel(self.services, handle),
            self.parts.message: "",
            self.parts.welcome: "",
            self.parts.start: handle.start_seconds,
            self.parts.end: handle.end_seconds,
            self.parts.page: 1,
        }

    @property
    def _shown(self) -> list[Block]:
        """Outputs of ``show``."""
        parts = self.parts
        return [self.state.query, parts.query, parts.message, parts.welcome, parts.start, parts.end, parts.page]

    def take(self, path: str | None, request: gr.Request, progress: gr.Progress = _PROGRESS) -> Updates:
        """Search with a file that was uploaded or recorded; its place is free again for the next one."""
        emptied: Updates = {self.parts.video: None, self.parts.camera: None}
        if path is None:
            return emptied
        try:
            self.services.reload()
            return emptied | self.show(self.services.embed(visitor_of(request), path, progress=progress))
        except Exception as error:
            return emptied | {self.parts.message: notice(message_of(error))}

    def cut(
        self, current: QueryHandle | None, start: float | None, end: float | None, progress: gr.Progress = _PROGRESS
    ) -> Updates:
        """Search with a part of the query."""
        if current is None:
            text = "Choose a video first: upload one, record a clip, or press an example."
            return {self.parts.message: notice(text, kind="info")}
        try:
            start, end = check_segment(start, end)
            handle = replace(current, start_seconds=start, end_seconds=end)
            self.services.query(handle, progress=progress)  # else the panel would embed it without showing progress
            return self.show(handle)
        except Exception as error:
            return {self.parts.message: notice(message_of(error))}

    def change(self, current: QueryHandle | None, event: gr.EventData) -> Updates:
        """What the panel's buttons do: search by the whole video again, or without one of the examples."""
        if current is None or event.action != "without":
            return self.cut(current, None, None)
        try:
            return self.show(current.without(str(event.id)))
        except Exception as error:  # another example has left the library
            return {self.parts.message: notice(message_of(error))}

    def ask(self, current: QueryHandle | None, kind: str, video_id: str) -> Updates:
        """Make a hit an example of the question; a look weighs both heads alike. Raises what cannot be one."""
        if current is None:
            raise QueryNotFound("choose a video first")
        handle = current.asking(kind, self.services.video(video_id).id)
        updates = self.show(handle)
        if kind == "look_of":
            usual = usual_weights(handle.others.composition)
            updates |= {slider: getattr(usual, part) for part, slider in self.parts.sliders.items()}
        return updates

    def connect_queries(self) -> None:
        """What is uploaded, recorded or cut is embedded, then ranked."""
        parts, query = self.parts, self.state.query
        segment = [query, parts.start, parts.end]
        cuts: list[tuple[Any, Callable[..., Updates], list[Any], str | None]] = [
            (parts.search.click, self.cut, segment, None),
            (parts.start_here.click, self.cut, segment, f"(query, start, end) => [query, {PLAYER_TIME}, end]"),
            (parts.end_here.click, self.cut, segment, f"(query, start, end) => [query, start, {PLAYER_TIME}]"),
            (parts.query.select, self.change, [query], None),
            (parts.video.upload, self.take, [parts.video], None),
            (parts.camera.stop_recording, self.take, [parts.camera], None),
        ]
        for trigger, function, inputs, js in cuts:
            trigger(
                function,
                inputs,
                [*self._shown, parts.video, parts.camera],
                js=js,
                concurrency_id=ENCODER,
                concurrency_limit=1,
                show_progress_on=parts.query,
                api_visibility="private",
            ).then(**self._ranking(first_page=True))

    def connect_ranking(self) -> None:
        """Sliders and filters rank again from the first page; the pager turns pages."""
        moved = [self.parts.sliders[part].input for part in self.services.parts]
        texts = [field for field in self.parts.filters.values() if isinstance(field, gr.Textbox)]
        chosen = [field.input for field in self.parts.filters.values() if not isinstance(field, gr.Textbox)]
        entered = [text.submit for text in texts]
        gr.on(
            [*moved, *chosen, *entered, self.parts.speed.input],
            **self._ranking(first_page=True),
            trigger_mode="always_last",
        )
        # A text that is left may be as it was, and the line says nothing of the order: the page of hits then stays.
        left = [text.blur for text in texts]
        gr.on([*left, self.parts.false_alarms.input], **self._ranking(), trigger_mode="always_last")
        for button, step in ((self.parts.previous, -1), (self.parts.following, 1)):
            button.click(**self._ranking(step=step))

        @telling
        def drop(event: gr.EventData) -> Updates:
            name = str(event.id)
            return {self.parts.filters[name]: field_values(permalink.NO_FILTERS)[name]}

        self.parts.chips.select(
            drop, None, [*self.parts.filters.values()], show_progress="hidden", api_visibility="private"
        ).success(**self._ranking(first_page=True))

    def connect_cards(self) -> None:
        """Go to the tab of "Why?", and search by a stored video."""

        @telling
        def press(current: QueryHandle | None, event: gr.EventData) -> Updates:
            video_id = str(event.id)
            kind = str(event.action).removeprefix(cards.AS_EXAMPLE)
            if kind != event.action and kind in cards.EXAMPLES:
                return self.ask(current, kind, video_id)
            if event.action == "why":
                self.services.video(video_id)
                tabs = gr.Tabs(selected="why")
                return {self.state.hit_id: video_id, self.state.tabs: tabs, self.state.address: explained(video_id)}
            return self.show(self.services.stored(video_id))

        outputs = [self.state.hit_id, self.state.tabs, self.state.address, *self._shown, *self.parts.sliders.values()]
        for component in (self.parts.results, self.parts.examples):
            component.select(
                press, self.state.query, outputs, show_progress="hidden", api_visibility="private"
            ).success(**self._ranking())

    def _ranking(self, *, first_page: bool = False, step: int = 0) -> dict[str, Any]:
        """An event's function, inputs and outputs that rank."""

        def rank(values: dict[Block, Any]) -> Updates:
            shares = {part: values[slider] for part, slider in self.parts.sliders.items()}
            chosen = {name: values[field] for name, field in self.parts.filters.items()}
            speed = None if values[self.parts.speed] == ANY else values[self.parts.speed]
            page = 1 if first_page else values[self.parts.page] + step
            return self.ranker.chosen(
                values[self.state.query], shares, chosen, page, values[self.parts.false_alarms], speed
            )

        return {
            "fn": rank,
            "inputs": {
                self.state.query, self.parts.page, self.parts.false_alarms, self.parts.speed,
                *self.parts.sliders.values(), *self.parts.filters.values(),
            },
            "outputs": self.ranker.outputs,
            "show_progress": "hidden",
            "api_visibility": "private",
        }  # fmt: skip
