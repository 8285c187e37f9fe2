"""The Search tab follows the address: of a link, after Back and Forward, after a reload."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import gradio as gr

from app.page import permalink
from app.page.components import content
from app.page.messages import message_of, notice
from app.page.state import ENCODER, Updates
from app.page.tabs.filters import field_values
from app.page.tabs.ranked import Ranker, checksum
from app.page.tabs.search_layout import ANY, welcome
from app.serving.visitors import Visitor, visitor_of
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.retrieval.composition import Examples
from indexer.retrieval.filters import Filters
from indexer.retrieval.speed import Speed
from rspnet_core.config import PARTS
from rspnet_core.errors import InvalidSetting, NothingMatches, QueryNotFound, VideoError

Panel = Callable[[Services, QueryHandle], str]
_ADDRESS = "() => location.search"


def connect_address(ranker: Ranker, app: gr.Blocks, panel: Panel) -> None:
    """Show what the address says when the page is opened, and when the address has changed."""
    parts, state = ranker.parts, ranker.state
    outputs = [
        state.query, state.hit_id, state.other, state.tabs, parts.query, parts.message, parts.welcome,
        parts.start, parts.end,
        *parts.sliders.values(), parts.false_alarms, parts.speed, *parts.filters.values(), *ranker.outputs,
    ]  # fmt: skip
    restorer = _Restorer(ranker, panel)

    def arrive(search: str | None, request: gr.Request) -> Updates:
        """A page that was opened stands at its Search tab, and may have been used before this comes."""
        if not search:
            return {state.address: gr.skip()}  # an empty dictionary would be a value
        updates = restorer.restore(search, visitor_of(request))
        if permalink.parse(search)[0].tab == "search":
            del updates[state.tabs]
        return updates

    def navigate(search: str | None, request: gr.Request) -> Updates:
        return restorer.restore(search or "", visitor_of(request))

    common: dict[str, Any] = {"show_progress": "hidden", "concurrency_id": ENCODER, "api_visibility": "private"}
    app.load(arrive, state.address, outputs, js=_ADDRESS, **common)
    state.address.navigate(navigate, state.address, outputs, js=_ADDRESS, trigger_mode="always_last", **common)


class _Restorer:
    """Brings the page to what an address says, and says what of it is wrong."""

    def __init__(self, ranker: Ranker, panel: Panel) -> None:
        self._ranker = ranker
        self._services = ranker.services
        self._panel = panel

    def restore(self, search: str, visitor: Visitor) -> Updates:
        """New values of all that an address says. Never raises."""
        asked, problems = permalink.parse(search)
        parts, state = self._ranker.parts, self._ranker.state
        handle, panel = self._query(asked, visitor, problems)
        filters = self._filters(asked.filters, problems) if handle else asked.filters
        speed = self._speed(asked, problems) if handle else asked.speed
        shares = {part: getattr(asked.weights, part) for part in PARTS}
        ranked = self._ranker.updates(handle, shares, filters, asked.page, asked.false_alarms, speed, restored=search)
        if handle and ranked[parts.page] != asked.page:
            problems.append(f"hits: got {asked.page}, this search has fewer pages; page {ranked[parts.page]} is shown")
        updates: Updates = {
            state.query: handle,
            state.hit_id: self._match(asked, handle, problems),
            state.other: self._other(asked, problems),
            state.tabs: gr.Tabs(selected=asked.tab),
            parts.query: panel,
            parts.welcome: "" if handle else welcome(self._services),
            parts.start: handle and handle.start_seconds,
            parts.end: handle and handle.end_seconds,
            parts.false_alarms: asked.false_alarms,
            parts.speed: speed or ANY,
        }
        updates |= {slider: shares[part] for part, slider in parts.sliders.items()}
        updates |= {parts.filters[name]: value for name, value in field_values(filters).items()}
        if not handle:
            updates[state.address] = content(restored=checksum(search))
        return ranked | updates | {parts.message: _notice(problems)}

    def _query(self, asked: permalink.Request, visitor: Visitor, problems: list[str]) -> tuple[QueryHandle | None, str]:
        """The query that was asked for, and its panel; the whole video where there is no such part of it."""
        if asked.video_id is None and asked.upload_id is None:
            return None, ""
        for start, end in ((asked.start_seconds, asked.end_seconds), (None, None)):
            try:
                self._services.reload()
                if asked.video_id is not None:
                    handle = self._services.stored(asked.video_id, start, end)
                else:
                    handle = self._services.uploaded(visitor, asked.upload_id or "", start, end)
                handle = replace(handle, others=self._others(asked.others, problems))
                return handle, self._panel(self._services, handle)
            except (InvalidSetting, VideoError) as error:
                problems.append(message_of(error))
                if start is end is None:
                    break
            except Exception as error:
                problems.append(message_of(error))
                break
        return None, ""

    def _others(self, asked: Examples[str], problems: list[str]) -> Examples[str]:
        """Those of the further examples that the library holds."""
        for video_id in asked:
            try:
                self._services.video(video_id)
            except QueryNotFound as error:
                problems.append(f"{', '.join(permalink.EXAMPLES)}: {message_of(error)}; this example is left out")
                asked = asked.without(video_id)
        return asked

    def _filters(self, asked: Filters, problems: list[str]) -> Filters:
        """Those of the filters that some video passes."""
        known: dict[str, Any] = {}
        for field in fields(asked):
            value = getattr(asked, field.name)
            try:
                self._services.opened.allowed_keys(Filters(**{field.name: value}))
                known[field.name] = value
            except NothingMatches as error:  # a class of another library, or one that is gone
                problems.append(f"{field.name}: {message_of(error)}; this filter is left out")
        return Filters(**known)

    def _speed(self, asked: permalink.Request, problems: list[str]) -> Speed | None:
        """What was asked for, where the library's encoder tells it."""
        try:
            if asked.speed is not None:
                self._services.library.playback()
        except InvalidSetting as error:
            problems.append(f"{message_of(error)}; it is left out")
            return None
        return asked.speed

    def _other(self, asked: permalink.Request, problems: list[str]) -> str | None:
        names = self._services.others.names
        if asked.other is not None and asked.other not in names:
            problems.append(f"with: got none of the libraries to compare with here: {', '.join(names) or 'none'}")
            return None
        return asked.other

    def _match(self, asked: permalink.Request, handle: QueryHandle | None, problems: list[str]) -> str | None:
        if asked.match_id is None or handle is None:
            return None
        try:
            return self._services.video(asked.match_id).id
        except QueryNotFound as error:
            problems.append(f"match: {message_of(error)}")
            return None


def _notice(problems: list[str]) -> str:
    """What is wrong with a link, one line for each."""
    if not problems:
        return ""
    return notice("\n".join(["Not all of this link could be followed.", *problems]))
