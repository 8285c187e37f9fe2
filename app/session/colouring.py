"""What the points of a map can be coloured by: what is known of the videos, as kinds by name."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.session.opened import SPLITS, OpenedLibrary
from indexer.catalogue.catalogue import LabelledVideo, id_of_key
from indexer.retrieval.tagging import tags_of

_MOST_FOLDERS = 40
"""Of more, those at the top are told apart."""
_SECONDS = (2, 5, 10, 30, 60, 300, 1800)
"""Where one length ends and the next begins."""


@dataclass(frozen=True)
class Colouring:
    """One way to colour all videos."""

    name: str
    kinds: list[str]
    of: list[int]
    """Place in ``kinds`` of each video; -1 where it is not known."""
    is_ordered: bool = False
    """Whether kinds follow each other: colours then do too."""


def colourings(opened: OpenedLibrary, videos: Sequence[LabelledVideo]) -> list[Colouring]:
    """Those by which at least one video is known, class first; of several tags the first by name."""
    named: dict[str, Sequence[str | None]] = {
        "class": [video.label for video in videos],
        "split": [video.split for video in videos],
        "folder": _folders(videos),
    }
    if opened.library.tags.known():
        tags = tags_of(opened.library, opened.library.catalogue.videos(status="indexed"))
        named["tag"] = [next(iter(tags.get(id_of_key(video.key), ())), None) for video in videos]
    lengths = [opened.durations.get(id_of_key(video.key)) for video in videos]
    found = [_colouring(name, values, SPLITS if name == "split" else None) for name, values in named.items()]
    by_length = _colouring("length", [None if length is None else _range(length) for length in lengths], _RANGES)
    return [each for each in (*found, by_length) if each.kinds]


def _colouring(name: str, values: Sequence[str | None], order: Sequence[str] | None) -> Colouring:
    used = {value for value in values if value is not None}
    kinds = sorted(used) if order is None else [kind for kind in order if kind in used]
    place = {kind: number for number, kind in enumerate(kinds)}
    return Colouring(name, kinds, [-1 if value is None else place[value] for value in values], order is _RANGES)


def _folders(videos: Sequence[LabelledVideo]) -> list[str]:
    parents = [video.path.rpartition("/")[0] for video in videos]
    if len(set(parents)) > _MOST_FOLDERS:
        parents = [parent.partition("/")[0] for parent in parents]
    return [parent or "no folder" for parent in parents]


def _range(seconds: float) -> str:
    return _RANGES[sum(seconds >= bound for bound in _SECONDS)]


_RANGES = (
    f"under {_SECONDS[0]} s",
    *(f"{low:,} to {high:,} s" for low, high in pairwise(_SECONDS)),
    f"{_SECONDS[-1]:,} s and more",
)
