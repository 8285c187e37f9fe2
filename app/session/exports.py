"""Videos that a visitor chose, as a file to fetch: what the page shows of them, and nothing of the server's folders."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

from app.serving.visitors import Visitor
from app.session.queries import QueryHandle
from app.session.ranking import rank
from app.session.services import Services
from indexer.catalogue.catalogue import VideoRow, video_key
from indexer.retrieval.listing import Row, as_concat, as_csv, as_json, as_parquet
from indexer.retrieval.search import Hit, PartWeights
from indexer.retrieval.tagging import tags_of
from indexer.retrieval.video_list import rows_of, sheet_of
from rspnet_core.errors import InvalidSetting, QueryNotFound, VideoError

Kind = Literal["csv", "json", "parquet", "ffconcat", "html"]
"""Suffix of the file."""

KINDS_OF_FILES: tuple[Kind, ...] = get_args(Kind)


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
    written = _written(services, videos, rows_of(videos, hits, tags_of(services.library, videos)), kind)
    return services.files.keep(visitor, f"videos.{kind}", written)


def _written(services: Services, videos: Sequence[VideoRow], rows: Sequence[Row], kind: Kind) -> bytes:
    if kind == "ffconcat":
        return as_concat(video.path for video in videos)
    if kind == "html":
        return sheet_of(videos, rows, partial(_jpeg, services)).encode()
    return {"csv": as_csv, "json": as_json, "parquet": as_parquet}[kind](rows)


def _jpeg(services: Services, video: VideoRow) -> bytes | None:
    try:
        return services.media.poster(video.id).read_bytes()
    except (VideoError, QueryNotFound, OSError):
        return None
