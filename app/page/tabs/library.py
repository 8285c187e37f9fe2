"""Library: what is indexed, and what failed and why."""

from dataclasses import dataclass
from html import escape
from math import ceil

import gradio as gr
from gradio.components import Component

from app.page.messages import notice
from app.page.state import SharedState, TabHandles, Updates
from app.page.tabs import cards
from app.page.tabs.adding import adding_panel
from app.session.services import Services
from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.filters import SHOWN_FOLD
from rspnet_core.text import printable

ROWS_PER_PAGE = 25
_FAILURES_SHOWN = 200


@dataclass(frozen=True)
class Listing:
    """The components of the table of videos and its pager."""

    table: gr.HTML
    position: gr.HTML
    previous: gr.Button
    following: gr.Button
    page: gr.State

    @property
    def outputs(self) -> list[Component]:
        """What ``updates`` changes."""
        return [self.table, self.position, self.previous, self.following, self.page]

    def updates(self, services: Services, wanted: str, number: int) -> Updates:
        """A page of the videos that hold ``wanted``, where it stands, and which way one can turn."""
        rows: list[VideoRow] = []
        count, pages = 0, 1
        if not services.is_empty:
            count = len(services.opened.ids_with(wanted))
            pages = max(1, ceil(count / ROWS_PER_PAGE))
            number = min(max(number, 1), pages)
            rows = services.videos(offset=(number - 1) * ROWS_PER_PAGE, limit=ROWS_PER_PAGE, text=wanted)
        nothing = "" if services.is_empty else notice("No name or class holds this text.", kind="info")
        return {
            self.table: _table(rows) if rows else nothing,
            self.position: "" if services.is_empty else f"Page {number} of {pages}, {count:,} videos",
            self.previous: gr.Button(interactive=not services.is_empty and number > 1),
            self.following: gr.Button(interactive=number < pages),
            self.page: 1 if services.is_empty else number,
        }


def library_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out and connect it."""
    facts = gr.HTML(elem_id="library-facts")
    with gr.Row(elem_classes="library-page"):
        with gr.Column(scale=5, min_width=320):
            failed = gr.HTML(elem_id="library-failed")
            text = gr.Textbox(
                placeholder="Part of a name or class", label="Find in the list", elem_id="library-find", max_lines=1
            )
            table = gr.HTML(elem_id="library-table")
            with gr.Row(elem_classes="pager"):
                previous = gr.Button("‹ Previous", size="sm", elem_id="library-previous", min_width=90)
                position = gr.HTML(elem_id="library-position")
                following = gr.Button("Next ›", size="sm", elem_id="library-next", min_width=90)
        with gr.Column(scale=2, min_width=300):
            panel = adding_panel(services, app)
    page = gr.State(1)
    listing = Listing(table, position, previous, following, page)

    def refresh() -> Updates:
        services.reload()
        top: Updates = {facts: _facts(services), failed: _failed(services), text: ""}
        return top | listing.updates(services, "", 1) | {panel.folder: panel.folders()}

    text.change(
        lambda wanted: listing.updates(services, wanted, 1),
        text,
        listing.outputs,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    for button, step in ((previous, -1), (following, 1)):
        button.click(
            lambda wanted, number, step=step: listing.updates(services, wanted, number + step),
            [text, page],
            listing.outputs,
            show_progress="hidden",
            api_visibility="private",
        )
    outputs = [facts, failed, text, *listing.outputs, panel.folder]
    panel.ended.change(refresh, None, outputs, show_progress="hidden", api_visibility="private")
    return TabHandles(refresh=refresh, outputs=outputs)


def _facts(services: Services) -> str:
    """Numbers and the encoder, as a list of terms."""
    if services.is_empty and not services.encoder:
        return cards.empty("There are no videos here yet.", "Add some: upload them, or name a folder on the server.")
    info, encoder = services.info(), services.encoder
    geometry = encoder["geometry"]
    facts = {
        "Videos": f"{info['videos']['indexed']:,}",
        "Failed": f"{info['videos']['failed']:,}",
        "Clips": f"{info['clips']:,}",
        "Generation": str(info["generation"]) + ("" if info["up_to_date"] else ", a newer one is being made"),
        "Encoder": f"{encoder['backbone']}, {encoder['weights']}",
        "Fingerprint": encoder["fingerprint"],
        "Looks at": f"{geometry['num_clips']} clips of {geometry['frames_per_clip']} frames, {geometry['size']} pixels",
        "Vectors": ", ".join(services.parts),
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(printable(value))}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts-list" aria-label="About this library">{rows}</dl>'


def _table(rows: list[VideoRow]) -> str:
    body = "".join(
        f'<tr><th scope="row"><a href="?video={row.id}" title="Search for videos like this one">'
        f"{escape(printable(row.path))}</a></th><td>{escape(printable(row.label or ''))}</td>"
        f'<td>{_split(row)}</td><td class="number">{_duration(row)}{_partial(row)}</td></tr>'
        for row in rows
    )
    return (
        '<div class="table-scroll"><table class="videos"><caption class="visually-hidden">Indexed videos</caption>'
        '<thead><tr><th scope="col">Video</th><th scope="col">Class</th><th scope="col">Split</th>'
        f'<th scope="col" class="number">Duration</th></tr></thead><tbody>{body}</tbody></table></div>'
    )


def _split(row: VideoRow) -> str:
    return escape(row.splits.get(SHOWN_FOLD, ""))


def _duration(row: VideoRow) -> str:
    return "" if row.duration_seconds is None else cards.clock(row.duration_seconds)


def _partial(row: VideoRow) -> str:
    """A mark at a file that was cut; what it declares and what was found is its title."""
    return "" if row.reason is None else f' <span class="partial" title="{escape(row.reason)}">partial</span>'


def _failed(services: Services) -> str:
    """Files that could not be indexed; folded away, because most are of no interest."""
    failed = [] if not services.encoder else services.library.catalogue.failed()
    if not failed:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(printable(row.path))}</th><td>{escape(printable(row.reason or ""))}</td></tr>'
        for row in failed[:_FAILURES_SHOWN]
    )
    more = f"<p>and {len(failed) - _FAILURES_SHOWN:,} more</p>" if len(failed) > _FAILURES_SHOWN else ""
    noun = "file" if len(failed) == 1 else "files"
    return (
        f'<details class="failed"><summary>{len(failed):,} {noun} could not be indexed</summary>'
        '<div class="table-scroll"><table class="videos"><thead><tr><th scope="col">File</th>'
        f'<th scope="col">Reason</th></tr></thead><tbody>{rows}</tbody></table></div>{more}</details>'
    )
