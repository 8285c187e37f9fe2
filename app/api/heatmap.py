"""The endpoint /heatmap: the picture of a pair's heat maps with its figures, for programs."""

import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from app.api.asked import asked_video
from app.page.messages import answering
from app.page.state import ENCODER
from app.serving.visitors import visitor_of
from app.session.services import Services
from indexer.heatmap.explanation import DEFAULT_THRESHOLD, check_threshold
from indexer.heatmap.figures import heatmap_document
from indexer.heatmap.files import write_heatmap
from rspnet_core.errors import InvalidSetting

_FORMATS = ("png", "mp4", "gif")


def add_heatmap_endpoint(services: Services) -> None:
    """Register the endpoint; call it inside the page's Blocks. Its components are not shown."""
    with gr.Column(visible=False):
        picture = gr.File(label="the picture")

        @answering
        def heatmap(
            request: gr.Request,
            file: str | None = None,
            video_id: str = "",
            match_id: str = "",
            threshold: float = DEFAULT_THRESHOLD,
            kind: str = "png",
        ) -> tuple[str, dict[str, Any]]:
            visitor = visitor_of(request)
            if kind not in _FORMATS:
                raise InvalidSetting(f"format: allowed are {', '.join(_FORMATS)}")
            check_threshold(threshold)
            query = asked_video(services, request, file, video_id)
            explanation = services.explain(query, match_id)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, f"heatmap.{kind}")
                write_heatmap(explanation, path, threshold)
                kept = services.files.keep(visitor, path.name, path.read_bytes())
            return kept, heatmap_document(explanation, threshold)

        gr.Button().click(
            heatmap,
            [
                gr.File(label="file: a video, the query", type="filepath"),
                gr.Textbox("", label="video_id: an indexed video, in place of a file"),
                gr.Textbox("", label="match_id: an indexed video"),
                gr.Number(DEFAULT_THRESHOLD, label="threshold: where on the colour scale rectangles begin, 0 to 1"),
                gr.Textbox("png", label="format: png (the middle frame), mp4 or gif (all frames)"),
            ],
            [picture, gr.JSON(label="the document of rspnet-index heatmap --json")],
            api_name="heatmap",
            api_description="Show where the similarity of two videos comes from, by the motion and appearance heads.",
            concurrency_id=ENCODER,
        )
