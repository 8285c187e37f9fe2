"""Ticks and export above a list of videos: what is ticked, or all that is shown where nothing is, as a file."""

from dataclasses import dataclass

import gradio as gr

from app.page.messages import telling
from app.page.state import SharedState
from app.page.tabs import ticks
from app.serving.visitors import visitor_of
from app.session.exports import Kind, export
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.retrieval.search import PartWeights

KINDS: list[tuple[str, Kind]] = [
    ("Table (CSV)", "csv"),
    ("JSON", "json"),
    ("Parquet", "parquet"),
    ("FFmpeg concat list", "ffconcat"),
    ("Contact sheet (HTML)", "html"),
]


@dataclass(frozen=True)
class ExportingRow:
    """The components, for the list in the element that ``shown`` selects."""

    shown: str
    kind: gr.Dropdown
    write: gr.Button
    file: gr.DownloadButton
    chosen: gr.Textbox

    def connect(self, services: Services, state: SharedState | None = None) -> None:
        """Write the file and offer it; with the page's ``state`` its videos come with their scores, best first."""

        @telling
        def write_file(
            chosen: str, kind: Kind, query: QueryHandle | None, weights: PartWeights | None, request: gr.Request
        ) -> gr.DownloadButton:
            path = export(services, visitor_of(request), ticks.ids_of(chosen), kind, query, weights)
            return gr.DownloadButton(f"Download videos.{kind}", value=path, visible=True)

        asked = [state.query, state.weights] if state else [gr.State(None), gr.State(None)]
        self.write.click(
            write_file,
            [self.chosen, self.kind, *asked],
            self.file,
            js=f"(chosen, ...others) => [window.rspnetTicks.chosen('{self.shown}'), ...others]",
            show_progress_on=self.file,
            api_visibility="private",
        )
        self.kind.input(
            lambda: gr.DownloadButton(visible=False), None, self.file, show_progress="hidden", api_visibility="private"
        )


def exporting_row(shown: str) -> ExportingRow:
    """Lay the row out."""
    name = shown.removeprefix("#").partition("-")[0]
    with gr.Row(elem_classes="actions-row"):
        gr.HTML(ticks.ticks_bar(shown), elem_id=f"{name}-ticks")
        kind = gr.Dropdown(
            KINDS, value="csv", show_label=False, label="Kind of file", elem_id=f"{name}-kind", min_width=170, scale=0,
            container=False,
        )  # fmt: skip
        write = gr.Button("Export", size="sm", elem_id=f"{name}-export", min_width=90, scale=0)
        file = gr.DownloadButton("Download", visible=False, size="sm", elem_id=f"{name}-file", min_width=150, scale=0)
        chosen = gr.Textbox(visible=False)
    return ExportingRow(shown, kind, write, file, chosen)
