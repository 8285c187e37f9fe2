"""Videos of a library as a list: what is told of each, and of hits their scores; or with pictures, as one page."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.contact_sheet import sheet_page
from indexer.retrieval.filters import SHOWN_FOLD
from indexer.retrieval.listing import Row
from indexer.retrieval.rarity import MIX
from indexer.retrieval.search import Hit
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import printable

NO_TAGS: Mapping[str, Sequence[str]] = MappingProxyType({})
MOST_PICTURES = 200
"""Of a contact sheet, which holds its pictures."""


def rows_of(
    videos: Sequence[VideoRow], hits: Sequence[Hit] = (), tags: Mapping[str, Sequence[str]] = NO_TAGS
) -> list[Row]:
    """What is told of each video; ``hits`` are theirs, in the same order, or none; ``tags`` by id."""
    scores = map(_score, hits) if hits else ({} for _ in videos)
    return [_row(video, tags.get(video.id, ())) | score for video, score in zip(videos, scores, strict=True)]


def sheet_of(
    videos: Sequence[VideoRow], rows: Sequence[Row], picture_of: Callable[[VideoRow], bytes | None], title: str = ""
) -> str:
    """A contact sheet in HTML: names, facts, scores, and a JPEG of each; by default its title is how many there are.

    Raises InvalidSetting for more than ``MOST_PICTURES``.
    """
    if len(videos) > MOST_PICTURES:
        raise InvalidSetting(f"a contact sheet holds at most {MOST_PICTURES} videos, got {len(videos)}; choose fewer")
    cards = []
    for video, row in zip(videos, rows, strict=True):
        seconds = None if video.duration_seconds is None else f"{video.duration_seconds:.1f} s"
        score = f"score {row['score']:.3f}" if "score" in row else None
        facts = [fact for fact in (video.label, seconds, score) if fact]
        cards.append((printable(video.path), facts, picture_of(video)))
    noun = "video" if len(videos) == 1 else "videos"
    return sheet_page(title or f"{len(videos)} {noun}", cards)


def _row(video: VideoRow, tags: Sequence[str]) -> dict[str, str | int | float | None]:
    predicted = video.predicted
    return {
        "id": video.id,
        "file": video.path,
        "label": video.label,
        "split": video.splits.get(SHOWN_FOLD),
        "tags": ", ".join(tags),
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
