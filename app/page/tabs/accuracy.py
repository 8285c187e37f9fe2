"""Accuracy: the library's top-k report, measured now, beside the paper's figures."""

from typing import Any

import gradio as gr

from app.page.components import component
from app.page.messages import notice, telling
from app.page.report_page import ReportPage, report_page
from app.page.state import SharedState, TabHandles, Updates
from app.page.tabs.weights_compared import weights_compared
from app.serving.visitors import Visitor, visitor_of
from app.session.services import Services
from indexer.retrieval.search import PartWeights
from rspnet_core.config import PARTS

_FOLDS = (1, 2, 3)  # of UCF101 and HMDB51
_PROGRESS = gr.Progress()
Measured = tuple[float, ...]
"""Number of the split, then the weights of ``PARTS``."""
_ABOUT = (
    "How often is a video of the right class among the first results? As in the paper, each test video searches the "
    "training videos; a library without a split lets each video search all others."
)


def accuracy_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out; called inside its ``gr.Tab``."""
    gr.Markdown(_ABOUT)
    with gr.Row():
        fold = gr.Dropdown(_fold_choices(services), value=1, label="Split", info="which official list", min_width=150)
        weights = [_weight(part) for part in PARTS]
    with gr.Row():
        measure = gr.Button("Measure accuracy", variant="primary")
        weigh = gr.Button("Compare weights")
        downloads = [gr.DownloadButton(f"Download report.{kind}", visible=False) for kind in ("html", "json")]
    stale = gr.HTML(elem_id="report-stale")
    of_search = gr.Button("Measure with the weights of Search", size="sm", visible=False, elem_id="measure-search")
    weights_compared(services, fold, weigh)
    shown = component("report", elem_id="report")
    measured = gr.State(None)

    def run(
        fold: int,
        backbone: float,
        motion: float,
        appearance: float,
        request: gr.Request,
        progress: gr.Progress = _PROGRESS,
    ) -> tuple[Any, ...]:
        progress(0.1, desc="Searching with every test video")
        report, scores = services.report(fold, PartWeights(backbone=backbone, motion=motion, appearance=appearance))
        progress(0.6, desc="Drawing the report")
        videos = list(services.library.catalogue.videos(status="indexed"))
        names = {video.id: name for video, name in zip(videos, services.library.names_of(videos), strict=True)}
        page = report_page(report, scores, services.media, names)
        return page.shown, *_files(services, visitor_of(request), page), (fold, backbone, motion, appearance)

    def compare(measured: Measured | None, searched: PartWeights | None, *chosen: float) -> tuple[Any, ...]:
        """Say what the figures that are shown are of, where the sliders say something else."""
        if measured is None:
            return "", gr.Button(visible=False)
        asked = None if searched is None else (measured[0], *(getattr(searched, part) for part in PARTS))
        text = _differences(measured, {"the sliders above say": chosen, "the search uses": asked})
        return text and notice(text, kind="warning"), gr.Button(visible=asked not in (None, measured))

    def take_weights(searched: PartWeights) -> list[float]:
        return [getattr(searched, part) for part in PARTS]

    def refresh() -> Updates:
        updates: Updates = {fold: gr.Dropdown(choices=_fold_choices(services))}
        sliders = zip(PARTS, weights, strict=True)
        return updates | {slider: gr.Slider(visible=part in services.parts) for part, slider in sliders}

    def why(event: gr.EventData) -> tuple[Any, ...]:
        pair = event._data
        return services.stored(pair["query"]), pair["match"], gr.Tabs(selected="why")

    common: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    inputs: list[gr.Dropdown | gr.Slider] = [fold, *weights]
    outputs = [shown, *downloads, measured]
    compared: dict[str, Any] = {
        "fn": compare, "inputs": [measured, state.weights, *inputs], "outputs": [stale, of_search]
    } | common  # fmt: skip
    measuring: dict[str, Any] = {"fn": telling(run), "inputs": inputs, "outputs": outputs, "api_visibility": "private"}
    measure.click(**measuring, concurrency_id="report", concurrency_limit=1).success(**compared)
    of_search.click(take_weights, state.weights, weights, **common).success(
        **measuring, concurrency_id="report", concurrency_limit=1
    ).success(**compared)
    gr.on([control.change for control in inputs], **compared, trigger_mode="always_last")
    shown.pick(telling(why), None, [state.query, state.hit_id, state.tabs], api_visibility="private")
    return TabHandles(refresh, [fold, *weights], shown=compared)


def _differences(measured: Measured, others: dict[str, Measured | None]) -> str:
    """Which weights the figures are of, and where others are named; empty where they are the same."""
    differ = [f"{who} {_said(what)}" for who, what in others.items() if what is not None and what != measured]
    return (
        f"These figures are of {_said(measured)}; {', '.join(differ)}. Measure again to see theirs." if differ else ""
    )


def _said(measured: Measured) -> str:
    fold, *shares = measured
    named = [f"{part} {share:g}" for part, share in zip(PARTS, shares, strict=True) if share]
    return f"split {fold}, {', '.join(named) or 'no weight at all'}"


def _weight(part: str) -> gr.Slider:
    of_paper = 1 if part == "backbone" else 0
    return gr.Slider(
        0, 1, value=of_paper, step=0.05, label=f"{part.capitalize()} weight", info=f"the paper: {of_paper}"
    )


def _fold_choices(services: Services) -> list[tuple[str, int]]:
    """The official splits that have videos here, as Gradio's pairs of name and value."""
    if services.is_empty:
        return [("none", 1)]
    catalogue = services.library.catalogue
    found = [(f"Split {fold}", fold) for fold in _FOLDS if catalogue.select_keys(split="test", fold=fold).size]
    return found or [("none", 1)]


def _files(services: Services, visitor: Visitor, page: ReportPage) -> list[gr.DownloadButton]:
    """The download buttons with their files, which are the visitor's."""
    texts = {"report.html": page.html, "report.json": page.json}
    return [
        gr.DownloadButton(value=services.files.keep(visitor, name, text.encode()), visible=True)
        for name, text in texts.items()
    ]
