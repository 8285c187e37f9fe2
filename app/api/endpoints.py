"""Endpoints with stable names for programs: /search, /compose, /report, /library and /heatmap.

Their components are not shown. They are real ones because Gradio lets only those read files that were uploaded.
"""

from dataclasses import replace
from typing import Any, cast

import gradio as gr
from gradio.components import Component

from app.api.asked import asked_video
from app.api.filter_fields import filter_fields, filters_of
from app.api.heatmap import add_heatmap_endpoint
from app.page.messages import answering
from app.page.state import ENCODER
from app.session.queries import QueryHandle
from app.session.ranking import HITS_PER_PAGE
from app.session.services import Services
from indexer.retrieval.chance import DEFAULT_RATE
from indexer.retrieval.composition import Examples
from indexer.retrieval.filters import Filters
from indexer.retrieval.own_group import told
from indexer.retrieval.search import PartWeights, SearchResult, usual_weights
from indexer.retrieval.speed import Speed
from rspnet_core.errors import InvalidSetting

MOST_HITS = 1000
MOST_VIDEOS = 1000
_OF_THE_SERVER = {"data", "folder"}
"""What ``info`` says that is not for visitors: where on the server things are."""


def add_endpoints(services: Services) -> None:
    """Register the endpoints; call it inside the page's Blocks."""
    with gr.Column(visible=False):
        _add_search(services)
        _add_compose(services)
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
        min_seconds: float | None = None,
        max_seconds: float | None = None,
        min_mb: float | None = None,
        max_mb: float | None = None,
        since: str = "",
        until: str = "",
        added_since: str = "",
        leave_out: str = "",
        tag: str = "",
        speed: str = "",
        false_alarms: float = DEFAULT_RATE,
    ) -> dict[str, Any]:
        most = _checked(top)
        handle = asked_video(services, request, file, video_id, start_seconds, end_seconds)
        weights = PartWeights(backbone=backbone, motion=motion, appearance=appearance)
        filters = filters_of(
            label, split, folder, min_seconds, max_seconds, min_mb, max_mb, since, until, added_since, leave_out, tag
        )
        return _found(services, handle, weights, filters, most, speed, false_alarms)

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
            *filter_fields(),
            *_order_fields(),
        ],
        gr.JSON(label="the document of rspnet-index search --json, with file in place of path"),
        api_name="search",
        api_description="Find the videos most like a file or an indexed video.",
        concurrency_id=ENCODER,
        concurrency_limit=1,
    )


def _add_compose(services: Services) -> None:
    @answering
    def compose(
        request: gr.Request,
        file: str | None = None,
        video_id: str = "",
        look_of: str = "",
        like: str = "",
        unlike: str = "",
        motion: float | None = None,
        appearance: float | None = None,
        backbone: float | None = None,
        top: float = HITS_PER_PAGE,
        label: str = "",
        split: str = "",
        folder: str = "",
        min_seconds: float | None = None,
        max_seconds: float | None = None,
        min_mb: float | None = None,
        max_mb: float | None = None,
        since: str = "",
        until: str = "",
        added_since: str = "",
        leave_out: str = "",
        tag: str = "",
        speed: str = "",
        false_alarms: float = DEFAULT_RATE,
    ) -> dict[str, Any]:
        most = _checked(top)
        others = Examples(look_of=look_of.strip() or None, like=tuple(like.split()), unlike=tuple(unlike.split()))
        handle = replace(asked_video(services, request, file, video_id), others=others)
        weights = usual_weights(others.composition, backbone=backbone, motion=motion, appearance=appearance)
        filters = filters_of(
            label, split, folder, min_seconds, max_seconds, min_mb, max_mb, since, until, added_since, leave_out, tag
        )
        return _found(services, handle, weights, filters, most, speed, false_alarms)

    gr.Button().click(
        compose,
        [
            gr.File(label="file: a video, the query", type="filepath"),
            gr.Textbox("", label="video_id: an indexed video, in place of a file"),
            gr.Textbox("", label="look_of: an indexed video; hits look like it, and move like the query"),
            gr.Textbox("", label="like: further indexed videos to be like, ids apart by spaces"),
            gr.Textbox("", label="unlike: indexed videos to be less like, ids apart by spaces"),
            gr.Number(None, label="motion: weight of the motion head, usually 0; 1 with look_of"),
            gr.Number(None, label="appearance: weight of the appearance head, usually 0; 1 with look_of"),
            gr.Number(None, label="backbone: weight of the backbone, usually 1; 0 with look_of"),
            gr.Number(HITS_PER_PAGE, label="top: how many hits", precision=0),
            *filter_fields(),
            *_order_fields(),
        ],
        gr.JSON(label="the document of rspnet-index search --json, with file in place of path"),
        api_name="compose",
        api_description="Find what moves like one video and looks like another, or is like some and unlike others.",
        concurrency_id=ENCODER,
        concurrency_limit=1,
    )


def _checked(top: float) -> int:
    if not 1 <= top <= MOST_HITS:
        raise InvalidSetting(f"top: got {top:g}, allowed is 1 to {MOST_HITS}")
    return int(top)


def _order_fields() -> list[Component]:
    return [
        gr.Textbox("", label="speed: faster or slower, what is so first"),
        gr.Number(DEFAULT_RATE, label="false_alarms: share of unrelated pairs above the score that is unusual"),
    ]


def _found(
    services: Services,
    handle: QueryHandle,
    weights: PartWeights,
    filters: Filters,
    top: int,
    speed: str,
    false_alarms: float,
) -> dict[str, Any]:
    """The document of ``rspnet-index search --json``."""
    found = services.rank(
        handle,
        weights,
        filters,
        per_page=top,
        false_alarms=false_alarms,
        speed=cast(Speed | None, speed or None),
    )
    query = services.query(handle)
    result = SearchResult(
        query=query.source | told(found.left_out) | {"weights": found.shares},
        predicted=query.predicted,
        encoder=services.encoder,
        hits=found.hits,
        chance=found.chance,
        recall=found.recall,
    )
    document: dict[str, Any] = _named(result.to_json())
    return document


def _named(value: Any) -> Any:
    """With ``file``, relative to the data folder, in place of each ``path``: gradio_client downloads paths."""
    if isinstance(value, dict):
        return {"file" if name == "path" else name: _named(inner) for name, inner in value.items()}
    return [_named(inner) for inner in value] if isinstance(value, list | tuple) else value


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
        told = {name: value for name, value in services.info().items() if name not in _OF_THE_SERVER}
        return told | {
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
        gr.JSON(label="the document of rspnet-index info --json, without its folders, with videos and failed files"),
        api_name="library",
        api_description="What the library holds: videos, failures, encoder, generation.",
    )
