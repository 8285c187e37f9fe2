"""Library: what is indexed, what failed and why; editors add videos and take them out."""

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.page.messages import notice, telling
from app.page.state import SharedState, TabHandles, Updates
from app.page.tabs import ticks
from app.page.tabs.adding import adding_panel
from app.page.tabs.copies import copies_card
from app.page.tabs.exporting import exporting_row
from app.page.tabs.failures import failures
from app.page.tabs.listing import ORDERS, Listing
from app.page.tabs.tagging import tagging_row
from app.serving.visitors import visitor_of
from app.session.services import Services
from app.session.upkeep import take_out
from rspnet_core.text import printable

_CARDS_JS = Path(__file__).with_name("cards.js").read_text(encoding="utf-8")
_ASKED = "Take the ticked videos out of the library? Their files stay where they are."


def library_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out and connect it."""
    facts = gr.HTML(elem_id="library-facts")
    with gr.Row(elem_classes="library-page"):
        with gr.Column(scale=5, min_width=320):
            failed = gr.HTML(elem_id="library-failed", js_on_load=_CARDS_JS)
            copies = gr.HTML(elem_id="library-copies")
            text, order = _finding()
            exporting = exporting_row("#library-table")
            tagging = tagging_row("library")
            removal = _Removal()
            listing = _listing(text, order)
        with gr.Column(scale=2, min_width=300):
            panel = adding_panel(services, app, failed)
    listing.connect(services)
    exporting.connect(services)
    tagging.connect(services)

    def refresh() -> Updates:
        services.reload()
        top: Updates = {facts: _facts(services), failed: failures(services), copies: copies_card(services)}
        listed = listing.updates(services, "", "name", 1) | {listing.text: "", listing.order: "name"}
        return top | listed | {panel.folder: panel.folders()}

    outputs = [facts, failed, copies, listing.text, listing.order, *listing.outputs, panel.folder]
    panel.ended.change(refresh, None, outputs, show_progress="hidden", api_visibility="private")
    removal.connect(services, panel.ended)
    return TabHandles(refresh=refresh, outputs=outputs)


def _finding() -> tuple[gr.Textbox, gr.Dropdown]:
    with gr.Row():
        text = gr.Textbox(
            placeholder="Part of a name or class",
            label="Find in the list",
            elem_id="library-find",
            max_lines=1,
            scale=3,
        )
        order = gr.Dropdown(ORDERS, value="name", label="Sort by", elem_id="library-order", min_width=150, scale=1)
    return text, order


def _listing(text: gr.Textbox, order: gr.Dropdown) -> Listing:
    table = gr.HTML(elem_id="library-table")
    with gr.Row(elem_classes="pager"):
        previous = gr.Button("‹ Previous", size="sm", elem_id="library-previous", min_width=90)
        position = gr.HTML(elem_id="library-position")
        following = gr.Button("Next ›", size="sm", elem_id="library-next", min_width=90)
    return Listing(text, order, table, position, previous, following, gr.State(1))


class _Removal:
    """Taking the ticked videos out, for editors: asked first, as nothing brings their vectors back but a build."""

    def __init__(self) -> None:
        self.ask = gr.Button(
            "Take the ticked ones out", size="sm", elem_id="library-remove", elem_classes="editors-only if-ticked"
        )
        with gr.Column(visible=False) as self.asked:
            gr.HTML(notice(_ASKED, kind="warning"))
            with gr.Row():
                self.yes = gr.Button("Take them out", variant="stop", size="sm", elem_id="library-remove-yes")
                self.no = gr.Button("Keep them", size="sm", elem_id="library-remove-no")
        self.said = gr.HTML(elem_id="library-removed")
        self.ticked = gr.Textbox(visible=False)

    def connect(self, services: Services, ended: gr.State) -> None:
        """Ask, then take out; the list is read anew when ``ended`` changes."""
        common: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

        @telling
        def ask_removal(ticked: str) -> tuple[Any, ...]:
            count = len(ticks.ids_of(ticked))
            nothing = "" if count else notice("Tick videos in the list first.", kind="info")
            return gr.Column(visible=bool(count)), nothing

        @telling
        def remove(ticked: str, count: int, request: gr.Request) -> tuple[Any, ...]:
            removed = take_out(services, visitor_of(request), ticks.ids_of(ticked))
            noun = "video has" if removed == 1 else "videos have"
            return gr.Column(visible=False), notice(f"{removed:,} {noun} left the library.", kind="info"), count + 1

        sent = f"(ticked, ...others) => [{ticks.TICKED_JS}, ...others]"
        self.ask.click(ask_removal, self.ticked, [self.asked, self.said], js=sent, **common)
        self.yes.click(remove, [self.ticked, ended], [self.asked, self.said, ended], js=sent, **common).success(
            None, js=ticks.UNTICK_JS, **common
        )
        self.no.click(lambda: gr.Column(visible=False), None, self.asked, **common)


def _facts(services: Services) -> str:
    """Numbers and the encoder, as a list of terms; empty for a library that never held a video."""
    if services.is_empty and not services.encoder:
        return ""
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
