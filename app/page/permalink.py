"""Addresses that restore a search: ``?video=ID&motion=0.7&label=Spin&page=2``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from app.session.queries import QueryHandle
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from rspnet_core.config import PARTS

DEFAULT_WEIGHTS = PartWeights()


@dataclass(frozen=True)
class Request:
    """A search as an address says it; what it does not say, or says wrongly, has its usual value."""

    video_id: str
    weights: PartWeights
    filters: Filters
    start_seconds: float | None = None
    end_seconds: float | None = None
    page: int = 1


def parse(parameters: Mapping[str, str]) -> Request | None:
    """The search in an address's parameters; None when they name no video. Never raises."""
    video_id = parameters.get("video", "")
    if not video_id:
        return None
    shares = {part: _number(parameters.get(part), 0.0, 1.0) for part in PARTS}
    named = {part: share for part, share in shares.items() if share is not None}
    weights = PartWeights(**named) if any(named.values()) or "backbone" not in named else DEFAULT_WEIGHTS
    return Request(
        video_id=video_id[:64],
        weights=weights,
        filters=Filters(**{name: parameters.get(name) or None for name in ("label", "split", "folder")}),
        start_seconds=_number(parameters.get("start"), 0.0, math.inf),
        end_seconds=_number(parameters.get("end"), 0.0, math.inf),
        page=int(_number(parameters.get("page"), 1.0, 1e6) or 1),
    )


def link(handle: QueryHandle, weights: PartWeights, filters: Filters, page: int) -> str | None:
    """The address, relative to the page; None for an uploaded file, which no address can name."""
    if handle.video_id is None:
        return None
    parameters: dict[str, str] = {"video": handle.video_id}
    for part in PARTS:
        value = getattr(weights, part)
        if value != getattr(DEFAULT_WEIGHTS, part):
            parameters[part] = _shortest(value)
    for name, seconds in (("start", handle.start_seconds), ("end", handle.end_seconds)):
        if seconds is not None:
            parameters[name] = _shortest(seconds)
    parameters |= {
        name: value for name in ("label", "split", "folder") if (value := getattr(filters, name)) is not None
    }
    if page > 1:
        parameters["page"] = str(page)
    return f"?{urlencode(parameters, errors='replace')}"


def _shortest(value: float) -> str:
    """As few digits as give the same number again."""
    return repr(float(value)).removesuffix(".0")


def _number(text: str | None, low: float, high: float) -> float | None:
    """The number, brought into the range; None for what is no number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return min(max(value, low), high) if math.isfinite(value) else None
