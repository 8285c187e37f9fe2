"""Accuracy: the library's top-k report, measured now, beside the paper's figures."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from app.components import component
from app.messages import telling
from app.report_page import ReportPage, report_page
from app.services import Services
from app.state import SharedState, TabHandles
from indexer.pooling import PARTS
from indexer.search import PartWeights

_FOLDS = (1, 2, 3)  # of UCF101 and HMDB51
_ABOUT = """
How often is a video of the right class among the first results? Each test video searches the training videos (without
a split, each video searches all others), as in the paper's retrieval protocol. The paper's figures are drawn beside.
"""


def accuracy_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out; called inside its ``gr.Tab``."""
    gr.Markdown(_ABOUT)
    with gr.Row(equal_height=True):
        fold = gr.Dropdown([("Split 1", 1)], value=1, label="Split", info="Which official list of test videos", scale=1)
        weights = [
            gr.Slider(
                0, 1, value=float(name == "backbone"), step=0.05, label=f"{name.capitalize()} weight",
                info="The paper: 1" if name == "backbone" else "The paper: 0", scale=2,
            )
            for name in PARTS
        ]  # fmt: skip
    with gr.Row():
        measure = gr.Button("Measure accuracy", variant="primary", scale=2)
        page_file = gr.DownloadButton("Download report.html", interactive=False)
        json_file = gr.DownloadButton("Download report.json", interactive=False)
    shown = component("report", elem_id="report")

    def run(
        fold: int, backbone: float, motion: float, appearance: float, progress: gr.Progress | None = None
    ) -> tuple[Any, ...]:
        say = progress or gr.Progress()
        say(0.1, desc="Searching with every test video")
        weights = PartWeights(backbone=backbone, motion=motion, appearance=appearance)
        report, scores = services.report(fold, weights)
        say(0.7, desc="Drawing the report")
        names = {video.id: video.path for video in services.library.catalogue.videos(status="indexed")}
        page = report_page(report, scores, services.media, names)
        return (page.shown, *_downloads(page, page_file.GRADIO_CACHE))

    run.__defaults__ = (gr.Progress(),)
    measure.click(
        telling(run), [fold, *weights], [shown, page_file, json_file], api_name=False, concurrency_id="encoder"
    )
    return TabHandles()
