"""The best videos until so many are there that are no copies of better ones; the copies stand among them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import VideoRow, id_of_key
from indexer.index.index_types import SearchIndex
from indexer.retrieval.copy_marks import copies_among
from indexer.retrieval.query_source import QuerySource
from indexer.retrieval.search import Query


@dataclass(frozen=True)
class Found:
    """A video of a ranking."""

    video: VideoRow
    score: float
    copy_of: str | None
    """``query``, or the id of a better one, where it is known to be a copy of it."""


@dataclass(frozen=True)
class Ranking:
    """What is ranked against what."""

    index: SearchIndex
    library: QuerySource
    query: Query
    weighted: NDArray[np.float32]
    """The query's vector float32 (D,), by the weights of the parts."""
    allowed: NDArray[np.int64] | None = None
    """Keys, ascending, of the videos to choose from."""

    def __len__(self) -> int:
        return len(self.index) if self.allowed is None else len(self.allowed)

    def best(self, first: int, stop: int) -> list[Found]:
        """From the place ``first`` to before ``stop``, from 0; told are copies among these alone.

        Videos of a library without published rows that left it since are left out.
        """
        scores, keys = self.index.search(self.weighted[None], min(stop, len(self)), allowed_keys=self.allowed)
        shown = zip(keys[0][first:], scores[0][first:], strict=True)
        by_id = {id_of_key(int(key)): float(score) for key, score in shown}
        videos = list(self.library.catalogue.videos(ids=by_id, status="indexed"))
        marks = copies_among(videos, self.query, self.library)
        return [Found(video, by_id[video.id], mark) for video, mark in zip(videos, marks, strict=True)]

    def best_distinct(self, wanted: int) -> list[Found]:
        """To the last of ``wanted`` videos that are no copies of better ones; fewer where there are no more."""
        asked = wanted
        while True:
            found = self.best(0, asked)
            if asked >= len(self) or len(set(places(found))) >= wanted:
                return up_to(found, wanted)
            asked *= 2


def without(push: NDArray[np.float32], found: Found, vector: NDArray[np.float32]) -> Found:
    """One found by a query to which ``push`` float32 (D,) was added, with the score that it has without."""
    return replace(found, score=found.score - float(push @ vector))


def places(found: Sequence[Found]) -> list[int]:
    """Of each, from 0, its place among the distinct ones; a copy has that of what it is a copy of.

    All copies of the query have the place of the best of them.
    """
    known: dict[str, int] = {}
    return [known.setdefault(each.copy_of or each.video.id, len(known)) for each in found]


def up_to(found: list[Found], wanted: int) -> list[Found]:
    """To the last of ``wanted`` distinct ones; copies that score less than it are left out."""
    first = {place: position for position, place in reversed(list(enumerate(places(found))))}
    return found[: first.get(wanted - 1, len(found)) + 1]
