"""Endpoints with stable names for programs: /search, /report, /library and /heatmap.

Their components are not shown. They are real ones because Gradio lets only those read files that were uploaded.
"""

from typing import Any

import gradio as gr

from app.api.heatmap import add_heatmap_endpoint
from app.page.messages import answering
from app.page.state import ENCODER
from app.serving.visitors import visitor_of
from app.session.ranking import HITS_PER_PAGE
from app.session.services import Services
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights, SearchResult
from rspnet_core.errors import InvalidSetting, QueryNotFound

MOST_HITS = 1000
MOST_VIDEOS = 1000


def add_endpoints(services: Services) -> None:
    """Register the endpoints; call it inside the page's Blocks."""
    with gr.Column(visible=False):
        _add_search(services)
        _add_report(services)
        _add_library(services)
    add_heatmap_endpoint(services)


def _add_search(services: Services) -> None:
    @answering
    def search(
        request: gr.Request,
        file: str | None = None,
        video_id: str = "",
        motion: float = 0,
        appearance: float = 0,
        backbone: float = 1,
        top: float = HITS_PER_PAGE,
        start_seconds: float | None = None,
        end_seconds: float | None = None,
        label: str = "",
        split: str = "",
        folder: str = "",
    ) -> dict[str, Any]:
        if not 1 <= top <= MOST_HITS:
            raise InvalidSetting(f"top: got {top:g}, allowed is 1 to {MOST_HITS}")
        if not (file or video_id):
            raise QueryNotFound("give a file or the id of an indexed video as video_id")
        services.reload()
        if file:
            handle = services.embed(visitor_of(request), file, start_seconds, end_seconds)
        else:
            handle = services.stored(video_id, start_seconds, end_seconds)
        weights = PartWeights(backbone=backbone, motion=motion, appearance=appearance)
        filters = Filters(label=label or None, split=split or None, folder=folder or None)
        found = services.rank(handle, weights, filters, per_page=int(top))
        query = services.query(handle)
        asked = query.source | {"weights": found.shares}
        result = SearchResult(
            query=asked,
            predicted=query.predicted,
            encoder=services.encoder,
            hits=found.hits,
            chance=found.chance,
        )
        document = result.to_json()
        return document | {"query": _named(document["query"]), "hits": [_named(hit) for hit in document["hits"]]}

    gr.Button().click(
        search,
        [
            gr.File(label="file: a video", type="filepath"),
            gr.Textbox("", label="video_id: an indexed video, in place of a file"),
            gr.Number(0.0, label="motion: weight of the motion head"),
            gr.Number(0.0, label="appearance: weight of the appearance head"),
            gr.Number(1.0, label="backbone: weight of the backbone"),
            gr.Number(HITS_PER_PAGE, label="top: how many hits", precision=0),
            gr.Number(None, label="start_seconds: of the query's segment"),
            gr.Number(None, label="end_seconds: of the query's segment"),
            gr.Textbox("", label="label: only this class"),
            gr.Textbox("", label="split: only train, test or val"),
            gr.Textbox("", label="folder: only below this folder"),
        ],
        gr.JSON(label="the document of rspnet-index search --json, with file in place of path"),
        api_name="search",
        api_description="Find the videos most like a file or an indexed video.",
        concurrency_id=ENCODER,
        concurrency_limit=1,
    )


def _named(described: dict[str, Any]) -> dict[str, Any]:
    """``file``, relative to the data folder, in place of ``path``: gradio_client downloads whatever has a path."""
    return {"file" if name == "path" else name: value for name, value in described.items()}


def _add_report(services: Services) -> None:
    @answering
    def report(fold: float = 1, motion: float = 0, appearance: float = 0, backbone: float = 1) -> dict[str, Any]:
        services.reload()
        weights = PartWeights(backbone=backbone, motion=motion, appearance=appearance)
        document, _ = services.report(int(fold), weights)
        return document

    gr.Button().click(
        report,
        [
            gr.Number(1, label="fold: official split", precision=0),
            gr.Number(0.0, label="motion: weight of the motion head"),
            gr.Number(0.0, label="appearance: weight of the appearance head"),
            gr.Number(1.0, label="backbone: weight of the backbone"),
        ],
        gr.JSON(label="the document of rspnet-index benchmark --json"),
        api_name="report",
        api_description="Score retrieval over the library's labelled videos.",
    )


def _add_library(services: Services) -> None:
    @answering
    def library(offset: float = 0, limit: float = 100) -> dict[str, Any]:
        services.reload()
        if offset < 0 or not 1 <= limit <= MOST_VIDEOS:
            raise InvalidSetting(
                f"got offset {offset:g} and limit {limit:g}, allowed are 0 or more and 1 to {MOST_VIDEOS}"
            )
        shown = services.videos(offset=int(offset), limit=int(limit))
        failed = services.library.catalogue.failed()
        return services.info() | {
            "videos_shown": [
                {
                    "id": video.id,
                    "file": video.path,
                    "label": video.label,
                    "splits": {str(fold): split for fold, split in video.splits.items()},
                    "duration_seconds": video.duration_seconds,
                }
                for video in shown
            ],
            "failed": [{"file": video.path, "reason": video.reason} for video in failed],
        }

    gr.Button().click(
        library,
        [
            gr.Number(0, label="offset: videos to leave out at the beginning", precision=0),
            gr.Number(100, label="limit: most videos to list", precision=0),
        ],
        gr.JSON(label="the document of rspnet-index info --json, with videos and failed files"),
        api_name="library",
        api_description="What the library holds: videos, failures, encoder, generation.",
    )
