"""Tagging what is ticked, for editors: a name, and buttons to put it on and to take it off."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.page.messages import notice, telling
from app.page.tabs import ticks
from app.serving.visitors import visitor_of
from app.session.services import Services
from app.session.upkeep import tag
from rspnet_core.text import printable


@dataclass(frozen=True)
class TaggingRow:
    """The components."""

    name: gr.Textbox
    put: gr.Button
    take: gr.Button
    said: gr.HTML
    ticked: gr.Textbox

    def connect(self, services: Services) -> None:
        """Tag or untag the ticked videos, and say how many changed."""

        def change(ticked: str, name: str, request: gr.Request, *, on: bool) -> str:
            changed = tag(services, visitor_of(request), ticks.ids_of(ticked), name, on=on)
            noun = "video has" if changed == 1 else "videos have"
            done = "the tag" if on else "no longer the tag"
            return notice(f"{changed:,} {noun} {done} {printable(name.strip())} now.", kind="info")

        common: dict[str, Any] = {
            "inputs": [self.ticked, self.name],
            "outputs": self.said,
            "js": f"(ticked, name) => [{ticks.TICKED_JS}, name]",
            "show_progress": "hidden",
            "api_visibility": "private",
        }

        @telling
        def put(ticked: str, name: str, request: gr.Request) -> str:
            return change(ticked, name, request, on=True)

        @telling
        def take(ticked: str, name: str, request: gr.Request) -> str:
            return change(ticked, name, request, on=False)

        self.put.click(put, **common)
        self.take.click(take, **common)


def tagging_row(name: str) -> TaggingRow:
    """Lay the row out; ``name`` begins the ids of its elements. It is there for editors, where something is ticked."""
    with gr.Row(elem_classes="actions-row editors-only if-ticked"):
        text = gr.Textbox(
            show_label=False, label="Tag for the ticked videos", placeholder="a tag for the ticked ones", max_lines=1,
            max_length=40, elem_id=f"{name}-tag", min_width=220, scale=0, container=False,
        )  # fmt: skip
        put = gr.Button("Tag", size="sm", elem_id=f"{name}-tag-put", min_width=70, scale=0)
        take = gr.Button("Untag", size="sm", elem_id=f"{name}-tag-take", min_width=70, scale=0)
        ticked = gr.Textbox(visible=False)
    return TaggingRow(text, put, take, gr.HTML(elem_id=f"{name}-tag-said"), ticked)
