"""A query and one video of the library, side by side: what the page needs to compare them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.page.components import content
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.heatmap.titles import titles_of
from indexer.retrieval.search import PartWeights
from rspnet_core.text import printable


@dataclass(frozen=True)
class Pair:
    """What the Why tab shows."""

    query: QueryHandle
    match_id: str
    weights: PartWeights
    """What they are compared by."""
    cell: tuple[int, int]
    """Position of the clip of the query, and of the match."""


def clip_similarities(services: Services, query: QueryHandle, match_id: str) -> dict[str, NDArray[np.float32]]:
    """Part to cosines float32 (clips of the query, clips of the match), of stored or kept vectors.

    Raises QueryNotFound for another match, and what embedding the query raises.
    """
    first = services.query(query).clips
    second = services.library.catalogue.clip_vectors(match_id).vectors
    return {part: first[:, at] @ second[:, at].T for part, at in services.library.layout.slices().items()}


def best_cell(similarities: Mapping[str, NDArray[np.float32]], weights: PartWeights) -> tuple[int, int]:
    """The pair of clips most alike by these weights, as is the moment of a hit."""
    weighted = np.sum([getattr(weights, part) * values for part, values in similarities.items()], axis=0)
    first, second = np.unravel_index(weighted.argmax(), weighted.shape)
    return int(first), int(second)


def pair_content(services: Services, pair: Pair, similarities: Mapping[str, NDArray[np.float32]]) -> str:
    """The value of the component ``pair``; heads first, since the maps are theirs, and shown by what counts most."""
    match = services.video(pair.match_id)
    titles = titles_of(services.encoder["backbone"])
    parts = sorted(similarities, key=lambda part: part == "backbone")
    return content(
        query=_side(pair.query.name, pair.query.media_id, _segment(pair.query), _query_spans(services, pair)),
        match=_side(
            PurePosixPath(match.path).name,
            match.id,
            f"class {match.label}" if match.label else "",
            _spans(services, match.id),
        ),
        heads=[{"head": part, "title": titles[part], "values": similarities[part].round(4).tolist()} for part in parts],
        head=max(parts, key=lambda part: getattr(pair.weights, part)),
        cell=pair.cell,
    )


def _side(name: str, media_id: str, detail: str, spans: list[list[float]] | None) -> dict[str, Any]:
    return {"name": printable(name), "media": media_id, "detail": printable(detail), "spans": spans}


def _segment(query: QueryHandle) -> str:
    if query.is_whole:
        return ""
    end = "its end" if query.end_seconds is None else f"{query.end_seconds:g} s"
    return f"from {query.start_seconds or 0:g} s to {end}"


def _query_spans(services: Services, pair: Pair) -> list[list[float]]:
    """Where the query's clips lie."""
    if pair.query.video_id and pair.query.is_whole:
        return _spans(services, pair.query.video_id)
    return _rounded(services.explain(pair.query, pair.match_id, pair.cell).query.spans_seconds)


def _spans(services: Services, video_id: str) -> list[list[float]]:
    return _rounded(services.library.catalogue.clip_vectors(video_id).spans_seconds)


def _rounded(spans: NDArray[np.float64]) -> list[list[float]]:
    rounded: list[list[float]] = spans.round(3).tolist()
    return rounded
