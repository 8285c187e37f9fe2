"""The Search tab's components: what is laid out where, and what they offer."""

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from app.page import permalink
from app.page.components import component
from app.page.tabs import cards
from app.page.tabs.exporting import ExportingRow, exporting_row
from app.page.tabs.filters import Field, filter_fields
from app.page.tabs.tagging import TaggingRow, tagging_row
from app.session.services import Services
from indexer.retrieval.chance import DEFAULT_RATE, one_in
from indexer.retrieval.speed import SPEEDS
from rspnet_core.errors import RspnetError

ANY = "any"
"""The speed that is asked for where none is."""
_EXAMPLES = 6
_HINTS = {
    "backbone": "everything the network sees",
    "motion": "how things move (RSP head)",
    "appearance": "what things look like (A-VID head)",
}
PLAYER_TIME = "Math.round((document.querySelector('#query video')?.currentTime ?? 0) * 100) / 100"
"""JavaScript: where the query's player stands, in seconds."""
_FOLD = '<button type="button" class="fold-controls" aria-expanded="false">Weights, filters, examples</button>'


@dataclass(frozen=True)
class SearchParts:
    """The tab's components, by what they are for."""

    video: gr.File
    camera: gr.Video
    message: gr.HTML
    """What went wrong; the query stays as it is."""
    query: gr.HTML
    start: gr.Number
    end: gr.Number
    start_here: gr.Button
    end_here: gr.Button
    search: gr.Button
    examples: gr.HTML
    sliders: dict[str, gr.Slider]
    false_alarms: gr.Dropdown
    speed: gr.Radio
    filters: dict[str, Field]
    welcome: gr.HTML
    chips: gr.HTML
    summary: gr.HTML
    results: gr.HTML
    previous: gr.Button
    position: gr.HTML
    following: gr.Button
    page: gr.State
    exporting: ExportingRow
    tagging: TaggingRow

    @property
    def ranked(self) -> list[Component]:
        """Outputs of a ranking."""
        return [self.results, self.summary, self.position, self.previous, self.following, self.page]


def lay_out(services: Services) -> SearchParts:
    """Make the components; called inside the tab."""
    with gr.Row(elem_classes="search-page", equal_height=False):
        with gr.Column(scale=2, min_width=300, elem_classes="search-side"):
            video = gr.File(
                label="Find videos like this one", file_types=["video"], height=92, elem_id="query-video", buttons=[]
            )
            query = gr.HTML(js_on_load=cards.SCRIPT, elem_id="query")
            gr.HTML(_FOLD, elem_id="fold")
            with gr.Column(elem_classes="search-controls"):
                sliders, false_alarms = _weights(services)
                speed = gr.Radio(
                    [("Any speed", ANY), *((speed.capitalize(), speed) for speed in SPEEDS)],
                    value=ANY,
                    label="First what is",
                    elem_id="speed",
                    **speed_told(services),
                )
                with gr.Accordion("Filters", open=False):
                    filters = filter_fields(services)
                segment = _segment()
                with gr.Accordion("Record a clip", open=False, elem_id="record"):
                    camera = gr.Video(
                        label="Camera",
                        sources=["webcam"],
                        include_audio=True,  # without it the server would run FFmpeg on what was recorded
                        webcam_options=gr.WebcamOptions(mirror=False),
                        elem_id="query-camera",
                        buttons=[],
                    )
                examples = gr.HTML(example_cards(services), js_on_load=cards.SCRIPT, elem_id="examples")
                component("earlier", elem_id="earlier")
                component("views", elem_id="views")
        with gr.Column(scale=5, min_width=320, elem_classes="search-main"):
            message = gr.HTML(elem_id="search-message")
            welcoming = gr.HTML(welcome(services), elem_id="welcome")
            chips = gr.HTML(js_on_load=cards.SCRIPT, elem_id="filter-chips")
            summary = gr.HTML(elem_id="summary")
            exporting, tagging = exporting_row("#results"), tagging_row("search")
            results = gr.HTML(js_on_load=cards.SCRIPT, elem_id="results")
            with gr.Row(elem_classes="pager"):
                previous = gr.Button("‹ Previous", size="sm", visible=False, elem_id="previous-page", min_width=90)
                position = gr.HTML(elem_id="page-position")
                following = gr.Button("Next ›", size="sm", visible=False, elem_id="next-page", min_width=90)
    return SearchParts(
        video, camera, message, query, *segment, examples, sliders, false_alarms, speed, filters, welcoming, chips,
        summary, results, previous, position, following, gr.State(1), exporting, tagging,
    )  # fmt: skip


def _segment() -> tuple[gr.Number, gr.Number, gr.Button, gr.Button, gr.Button]:
    """A part of the query: typed, or cut where the player stands."""
    with gr.Accordion("Search with a part of it", open=False, elem_id="segment"):
        with gr.Row():
            start = gr.Number(None, label="From (seconds)", minimum=0, step=0.1, elem_id="segment-start", min_width=100)
            end = gr.Number(None, label="To (seconds)", minimum=0, step=0.1, elem_id="segment-end", min_width=100)
        with gr.Row():
            start_here = gr.Button("Start here", size="sm", min_width=90, elem_id="start-here")
            end_here = gr.Button("End here", size="sm", min_width=90, elem_id="end-here")
            search = gr.Button("Search", variant="primary", size="sm", min_width=90, elem_id="search-segment")
    return start, end, start_here, end_here, search


def _weights(services: Services) -> tuple[dict[str, gr.Slider], gr.Dropdown]:
    """Sliders by part, and how often chance may pass for more than chance."""
    sliders = {}
    with gr.Group(elem_id="weights"):
        for part in ("motion", "appearance", "backbone"):
            there = part in services.parts
            hint = _HINTS[part] if there else f"this library's encoder has no {part} head"
            sliders[part] = gr.Slider(
                0,
                1,
                getattr(permalink.DEFAULT_WEIGHTS, part),
                step=0.05,
                label=part.capitalize(),
                info=hint,
                interactive=there,
                elem_id=f"weight-{part}",
                buttons=[],
            )
        false_alarms = gr.Dropdown(
            [(f"{one_in(rate)} unrelated pairs", rate) for rate in permalink.RATES],
            value=DEFAULT_RATE,
            label="False alarms",
            info="score above the line of what is unusual",
            interactive=True,
            filterable=False,
            elem_id="false-alarms",
        )
    return sliders, false_alarms


def speed_told(services: Services) -> dict[str, Any]:
    """Settings of the choice of a speed: it rests, and says why, where the encoder is not known to tell speeds."""
    try:
        return {"info": f"the encoder {services.library.playback()}", "interactive": True}
    except RspnetError as error:
        return {"info": str(error).removeprefix("speed: "), "interactive": False}


def example_cards(services: Services) -> str:
    """One video of each of some classes, spread evenly."""
    if services.is_empty:
        return ""
    videos = services.opened.examples(_EXAMPLES)
    return '<p class="examples-title">Or try one of these</p>' + cards.examples(
        (id_, path, label) for id_, path, label in videos
    )


def welcome(services: Services) -> str:
    """What stands where the query will."""
    if services.is_empty:
        return cards.empty("There are no videos here yet.", "Add some in the Library tab, then search them here.")
    count = len(services.opened.index)
    return cards.empty(
        f"{count:,} videos are ready to be searched.",
        "Upload a video, record a clip, or press an example: the most similar videos appear here.",
    )
