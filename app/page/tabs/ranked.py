"""What the Search tab shows of a ranking: cards, their number, the filters obeyed, the pager, and the address."""

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.blocks import Block

from app.page import permalink
from app.page.components import content
from app.page.messages import message_of, notice
from app.page.state import SharedState, Updates
from app.page.tabs import cards
from app.page.tabs.filters import chips, filters_of
from app.page.tabs.search_layout import SearchParts
from app.session.queries import QueryHandle
from app.session.ranking import RankedPage
from app.session.services import Services
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from indexer.retrieval.speed import Speed
from rspnet_core.errors import InvalidSetting, NothingMatches, RspnetError
from rspnet_core.text import printable


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


@dataclass(frozen=True)
class Ranker:
    """Ranks for the tab's events."""

    services: Services
    parts: SearchParts
    state: SharedState

    @property
    def outputs(self) -> list[Block]:
        """What ``updates`` changes."""
        return [*self.parts.ranked, self.parts.chips, *self.state.asked[1:], self.state.address]

    def chosen(
        self,
        handle: QueryHandle | None,
        shares: Mapping[str, float],
        fields: Mapping[str, Any],
        page: int,
        false_alarms: float,
        speed: Speed | None,
    ) -> Updates:
        """A page of the ranking by what the fields of the filters say; why there is none where one says it wrongly."""
        try:
            filters = filters_of(fields)
        except InvalidSetting as error:
            problem = Ranking(notice(message_of(error), kind="warning"))
            return problem.updates(self.parts) | {self.state.address: gr.skip()}
        return self.updates(handle, shares, filters, page, false_alarms, speed)

    def updates(
        self,
        handle: QueryHandle | None,
        shares: Mapping[str, float],
        filters: Filters,
        page: int,
        false_alarms: float,
        speed: Speed | None,
        *,
        restored: str = "",
    ) -> Updates:
        """A page of the ranking; ``restored`` is the address that asked for it, where one did."""
        shown: Updates = {self.parts.chips: chips(filters) if handle else ""}
        address: dict[str, object] = {"restored": checksum(restored)} if restored else {}
        if handle is None:
            return shown | Ranking().updates(self.parts) | {self.state.address: _address(**address)}
        try:
            weights = PartWeights(**shares)
        except RspnetError:
            problem = notice("Move at least one slider above 0.", kind="warning")
            return shown | Ranking(problem).updates(self.parts) | {self.state.address: gr.skip()}
        try:
            found = self.services.rank(handle, weights, filters, page=page, false_alarms=false_alarms, speed=speed)
        except Exception as error:
            kind = "info" if isinstance(error, NothingMatches) else "error"
            ranking = Ranking(notice(message_of(error), kind=kind))
        else:
            results = cards.results(found, can_explain=self.services.has_heads)
            ranking = Ranking(results, _summary(handle, weights, filters, found, speed), found.page, found.num_pages)
        address |= {
            "search": permalink.address(handle, weights, filters, ranking.page, false_alarms, speed),
            "name": printable(handle.name) + (" and others" if handle.others.used() else ""),
            "is_link": handle.video_id is not None,
        }
        asked: Updates = dict(zip(self.state.asked[1:], (weights, filters, false_alarms, speed), strict=True))
        return shown | ranking.updates(self.parts) | asked | {self.state.address: _address(**address)}


def _address(**said: object) -> str:
    """The value of the component ``address``; no two are the same, as each has to be seen."""
    return content(at=time.monotonic_ns(), **said)


def checksum(search: str) -> int:
    """Names an address without repeating it: the page knows by it which of its addresses was restored. CRC-32."""
    return zlib.crc32(search.encode("utf-8", "replace"))


def explained(match_id: str) -> str:
    """The value of the component ``address`` when a hit is explained."""
    return _address(match=match_id)


def _summary(
    handle: QueryHandle, weights: PartWeights, filters: Filters, found: RankedPage, speed: Speed | None
) -> str:
    """How many, how fast, and the link that restores this search."""
    passing = "video" if found.num_videos == 1 else "videos"
    text = f"{found.num_videos:,} {passing} ranked in {max(1, round(found.seconds * 1000))} ms"
    address = permalink.link(handle, weights, filters, found.page, found.chance.rate, speed)
    share = '<span class="muted">A search by an uploaded file has no link.</span>'
    if address is not None:
        share = (
            f'<a class="permalink" href="{escape(address)}">Link to this search</a> '
            '<button type="button" class="copy" data-copy aria-label="Copy the link to this search">Copy</button>'
        )
    return f'<div class="summary"><span role="status">{text}</span><span class="share">{share}</span></div>'
