"""The Library tab's list of videos: its table, how it is sorted and paged."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Any

import gradio as gr
from gradio.components import Component

from app.page.messages import notice
from app.page.state import Updates
from app.page.tabs import cards
from app.page.tabs.ticks import tick
from app.session.opened import Order
from app.session.services import Services
from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.filters import SHOWN_FOLD
from indexer.retrieval.tagging import tags_of
from rspnet_core.text import counted, printable

ROWS_PER_PAGE = 25
ORDERS: list[tuple[str, Order]] = [
    ("Name", "name"),
    ("Class", "class"),
    ("Split", "split"),
    ("Longest first", "longest"),
    ("Shortest first", "shortest"),
]
_EMPTY = (
    '<div class="empty" role="status"><strong>There are no videos here yet.</strong>'
    '<p class="editors-only">Add some: upload them, or name a folder on the server, under “Add videos”.</p>'
    '<p class="viewers-only">Whoever runs this app, and its other editors, can add some.</p></div>'
)


@dataclass(frozen=True)
class Listing:
    """The components of the table of videos and its pager."""

    text: gr.Textbox
    order: gr.Dropdown
    table: gr.HTML
    position: gr.HTML
    previous: gr.Button
    following: gr.Button
    page: gr.State

    @property
    def outputs(self) -> list[Component]:
        """What ``updates`` changes."""
        return [self.table, self.position, self.previous, self.following, self.page]

    def connect(self, services: Services) -> None:
        """What is typed and the order chosen list anew from the first page; the pager turns pages."""
        common: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        gr.on(
            [self.text.change, self.order.change],
            lambda wanted, order: self.updates(services, wanted, order, 1),
            [self.text, self.order],
            self.outputs,
            trigger_mode="always_last",
            **common,
        )
        for button, step in ((self.previous, -1), (self.following, 1)):
            button.click(
                lambda wanted, order, number, step=step: self.updates(services, wanted, order, number + step),
                [self.text, self.order, self.page],
                self.outputs,
                **common,
            )

    def updates(self, services: Services, wanted: str, order: Order, number: int) -> Updates:
        """A page of the videos that hold ``wanted``, where it stands, and which way one can turn."""
        found = [] if services.is_empty else services.opened.ids_with(wanted, order)
        pages = max(1, ceil(len(found) / ROWS_PER_PAGE))
        number = min(max(number, 1), pages)
        shown = found[(number - 1) * ROWS_PER_PAGE : number * ROWS_PER_PAGE]
        rows = list(services.library.catalogue.videos(ids=shown, status="indexed")) if shown else []
        nothing = _EMPTY if services.is_empty else notice("No name or class holds this text.", kind="info")
        return {
            self.table: _table(rows, tags_of(services.library, rows)) if rows else nothing,
            self.position: "" if services.is_empty else f"Page {number} of {pages}, {counted(len(found), 'video')}",
            self.previous: gr.Button(interactive=number > 1),
            self.following: gr.Button(interactive=number < pages),
            self.page: number,
        }


def _table(rows: list[VideoRow], tags: Mapping[str, list[str]]) -> str:
    return (
        '<div class="table-scroll"><table class="videos listed">'
        '<caption class="visually-hidden">Indexed videos</caption>'
        '<thead><tr><th scope="col"><span class="visually-hidden">Tick</span></th>'
        '<th scope="col"><span class="visually-hidden">Picture</span></th><th scope="col">Video</th>'
        '<th scope="col">Class</th><th scope="col">Split</th><th scope="col" class="number">Duration</th></tr></thead>'
        f"<tbody>{''.join(_row(row, tags.get(row.id, [])) for row in rows)}</tbody></table></div>"
    )


def _row(row: VideoRow, tags: list[str]) -> str:
    name = escape(printable(row.path))
    named = "".join(f'<span class="chip tag">{escape(printable(tag))}</span>' for tag in tags)
    chips = f'<div class="chips">{named}</div>' if tags else ""
    return (
        f"<tr><td>{tick(row.id, row.path)}</td>"
        f'<td class="thumb"><img src="media/poster/{row.id}.jpg" alt="" loading="lazy" decoding="async"></td>'
        f'<th scope="row"><a href="?video={row.id}" title="Search for videos like this one">{name}</a>{chips}</th>'
        f"<td>{escape(printable(row.label or ''))}</td><td>{escape(row.splits.get(SHOWN_FOLD, ''))}</td>"
        f'<td class="number">{_duration(row)}{_partial(row)}</td></tr>'
    )


def _duration(row: VideoRow) -> str:
    return "" if row.duration_seconds is None else cards.clock(row.duration_seconds)


def _partial(row: VideoRow) -> str:
    """A mark at a file that was cut; what it declares and what was found is its title."""
    return "" if row.reason is None else f' <span class="partial" title="{escape(row.reason)}">partial</span>'
