"""Videos that a visitor chose, as a file to fetch: what the page shows of them, and nothing of the server's folders."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from app.serving.visitors import Visitor
from app.session.queries import QueryHandle
from app.session.ranking import rank
from app.session.services import Services
from indexer.catalogue.catalogue import VideoRow, video_key
from indexer.retrieval.contact_sheet import sheet_page
from indexer.retrieval.filters import SHOWN_FOLD
from indexer.retrieval.listing import Row, as_concat, as_csv, as_json, as_parquet
from indexer.retrieval.rarity import MIX
from indexer.retrieval.search import Hit, PartWeights
from rspnet_core.errors import InvalidSetting, QueryNotFound, VideoError
from rspnet_core.text import printable

Kind = Literal["csv", "json", "parquet", "ffconcat", "html"]
"""Suffix of the file."""

KINDS_OF_FILES: tuple[Kind, ...] = get_args(Kind)

MOST_PICTURES = 200
"""Of a contact sheet, which holds its pictures."""


def export(
    services: Services,
    visitor: Visitor,
    ids: Sequence[str],
    kind: Kind,
    query: QueryHandle | None = None,
    weights: PartWeights | None = None,
) -> str:
    """Write a file of these videos, which the visitor may fetch; its path. With a query the best hits come first.

    Videos that left the library meanwhile are left out. Raises QueryNotFound where none is left, InvalidSetting for an
    unknown kind and for what a kind cannot hold.
    """
    if kind not in KINDS_OF_FILES:
        raise InvalidSetting(f"kind of file: got {kind!r}, allowed are {', '.join(KINDS_OF_FILES)}")
    videos = list(services.library.catalogue.videos(ids=ids, status="indexed"))
    if not videos:
        raise QueryNotFound("there is nothing to export: no video is ticked or shown")
    hits: list[Hit] = []
    if query is not None:
        keys = np.array(sorted(video_key(video.id) for video in videos), dtype=np.int64)
        asked = services.query(query)
        hits = rank(services.opened, asked, weights or PartWeights(), per_page=len(keys), only=keys).hits
        by_id = {video.id: video for video in videos}
        videos = [by_id[hit.id] for hit in hits]
    scores = map(_score, hits) if hits else ({} for _ in videos)
    rows = [_row(video) | score for video, score in zip(videos, scores, strict=True)]
    return services.files.keep(visitor, f"videos.{kind}", _written(services, videos, rows, kind))


def _written(services: Services, videos: Sequence[VideoRow], rows: Sequence[Row], kind: Kind) -> bytes:
    if kind == "ffconcat":
        return as_concat(video.path for video in videos)
    if kind == "html":
        return _sheet(services, videos, rows).encode()
    return {"csv": as_csv, "json": as_json, "parquet": as_parquet}[kind](rows)


def _row(video: VideoRow) -> dict[str, str | int | float | None]:
    predicted = video.predicted
    return {
        "id": video.id,
        "file": video.path,
        "label": video.label,
        "split": video.splits.get(SHOWN_FOLD),
        "duration_seconds": video.duration_seconds,
        "width": video.width,
        "height": video.height,
        "fps": video.fps,
        "predicted_class": None if predicted is None else predicted.class_name,
        "predicted_probability": None if predicted is None else predicted.probability,
    }


def _score(hit: Hit) -> dict[str, str | int | float | None]:
    parts = {f"score_{part}": score for part, score in hit.scores.items()}
    moment = {"start_seconds": hit.start_seconds, "end_seconds": hit.end_seconds}
    return {"score": hit.score, "percentile": hit.percentiles[MIX], **parts, **moment}


def _sheet(services: Services, videos: Sequence[VideoRow], rows: Sequence[Row]) -> str:
    if len(videos) > MOST_PICTURES:
        raise InvalidSetting(f"a contact sheet holds at most {MOST_PICTURES} videos, got {len(videos)}; tick fewer")
    cards = []
    for video, row in zip(videos, rows, strict=True):
        seconds = None if video.duration_seconds is None else f"{video.duration_seconds:.1f} s"
        score = f"score {row['score']:.3f}" if "score" in row else None
        cards.append(
            (printable(video.path), [fact for fact in (video.label, seconds, score) if fact], _jpeg(services, video))
        )
    noun = "video" if len(videos) == 1 else "videos"
    return sheet_page(f"{len(videos)} {noun}", cards)


def _jpeg(services: Services, video: VideoRow) -> bytes | None:
    try:
        return services.media.poster(video.id).read_bytes()
    except (VideoError, QueryNotFound, OSError):
        return None
