"""Rank the library against vectors that are already there: what a slider does, without decoding or embedding."""

import time
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from app.session.opened import OpenedLibrary
from indexer.catalogue.catalogue import ClipVectors
from indexer.retrieval.chance import DEFAULT_RATE, Chance, check_rate
from indexer.retrieval.distinct import Found, Ranking, places, up_to, without
from indexer.retrieval.filters import Filters
from indexer.retrieval.library import Library
from indexer.retrieval.own_group import LeftOut, left_out
from indexer.retrieval.search import Hit, PartWeights, Query, best_moment, check_look, weigh
from indexer.retrieval.speed import Speed, check_speed
from indexer.retrieval.tagging import tags_of

HITS_PER_PAGE = 12
MOST_TOLD = 1000
"""Hits down to which a page is told from all before it which are copies; it reads those then."""


@dataclass(frozen=True)
class RankedPage:
    """Some hits of a ranking, best first."""

    hits: list[Hit]
    """``path`` is relative to the data folder: a page says nothing of the server's folders."""
    names: dict[str, str]
    """By video id: file names, with as much of the folder as tells them apart."""
    durations_seconds: dict[str, float | None]
    """By video id."""
    tags: dict[str, list[str]]
    """By video id, of those that have some."""
    page: int
    """Counts from 1; a page has so many distinct videos, and the copies that are known of them."""
    num_pages: int
    """As far as is known: copies on later pages are not counted before."""
    num_videos: int
    """Videos that pass the filters."""
    shares: dict[str, float]
    """Weights of the parts, sum 1."""
    chance: Chance
    """From which score on a hit is unusual."""
    recall: float
    """Share of the ten nearest that is found; 1 where the index is exact."""
    left_out: LeftOut | None
    seconds: float

    @property
    def first_rank(self) -> int:
        """Rank of the first hit, from 1."""
        return (self.page - 1) * HITS_PER_PAGE + 1


def rank(
    opened: OpenedLibrary,
    query: Query,
    weights: PartWeights,
    filters: Filters | None = None,
    *,
    page: int = 1,
    per_page: int = HITS_PER_PAGE,
    false_alarms: float = DEFAULT_RATE,
    speed: Speed | None = None,
    only: NDArray[np.int64] | None = None,
) -> RankedPage:
    """The hits of one page, each with the moment that is most like any clip of the query.

    ``page`` counts from 1 and is brought into the range there is. ``false_alarms``: share of unrelated pairs that may
    score higher than the score from which a hit is unusual. ``speed``: what is so comes first, by scores as without.
    ``only``: keys of the videos to rank, ascending, in place of filters. Raises MissingHead for a head that is not
    there, InvalidSetting for a look without a weight, for a rate that is not above 0 and below 1, where it cannot be
    known what to leave out, and for a speed where the encoder does not tell it.
    """
    check_look(weights, query.composition)
    check_rate(false_alarms)
    check_speed(speed)
    started = time.perf_counter()
    layout = opened.library.layout
    shares = weights.shares(layout)
    allowed, own = passing(opened, query, filters or Filters()) if only is None else (only, None)
    push = opened.library.push(speed, shares)
    ranking = Ranking(opened.index, opened.library, query, weigh(query.vector, shares, layout) + push, allowed)
    found, page, num_pages = _paged(ranking, page, per_page)
    rows = [each.video for each in found]
    asked = replace(query, clips=weigh(query.clips, shares, layout))
    ids, catalogue = [row.id for row in rows], opened.library.catalogue
    stored = zip(found, catalogue.video_vectors(ids), catalogue.clips_of(ids), strict=True)
    return RankedPage(
        hits=[
            _hit(opened.library, asked, without(push, each, vector), shares, vector, clips)
            for each, vector, clips in stored
        ],
        names={row.id: name for row, name in zip(rows, opened.library.names_of(rows), strict=True)},
        durations_seconds={row.id: row.duration_seconds for row in rows},
        tags=tags_of(opened.library, rows),
        page=page,
        num_pages=num_pages,
        num_videos=len(ranking),
        shares=shares,
        chance=opened.library.pairs.of(query.composition).chance(shares, false_alarms),
        recall=opened.index.recall,
        left_out=own,
        seconds=time.perf_counter() - started,
    )


def passing(opened: OpenedLibrary, query: Query, filters: Filters) -> tuple[NDArray[np.int64] | None, LeftOut | None]:
    """Keys of the videos that pass, ascending, None when every video does; and what of the query's own is left out.

    Raises NothingMatches when none passes, InvalidSetting where it cannot be known what to leave out.
    """
    own = left_out(query, opened.library, filters.leave_out)
    return opened.allowed_keys(filters, own.groups if own else frozenset()), own


def _paged(ranking: Ranking, page: int, per_page: int) -> tuple[list[Found], int, int]:
    """What a page shows, which one that is, and how many there are."""
    num_pages = ceil(len(ranking) / per_page) or 1
    page = min(max(page, 1), num_pages)
    first, stop = (page - 1) * per_page, page * per_page
    if stop > max(MOST_TOLD, per_page):
        return ranking.best(first, stop), page, num_pages
    found = ranking.best_distinct(stop + 1)
    distinct = len(set(places(found)))
    has_more = distinct > stop
    found = up_to(found[:-1] if has_more else found, stop)
    if has_more:
        num_pages = max(page + 1, ceil((stop + len(ranking) - len(found)) / per_page))
    else:
        page = num_pages = ceil(distinct / per_page) or 1
    first = (page - 1) * per_page
    return [each for each, place in zip(found, places(found), strict=True) if place >= first], page, num_pages


def _hit(
    library: Library,
    query: Query,
    found: Found,
    shares: dict[str, float],
    vector: NDArray[np.float32],
    clips: ClipVectors,
) -> Hit:
    """Describe one video by its vector and clips; ``query`` has its clips weighted."""
    start, end = clips.spans_seconds[best_moment(query.clips, clips.vectors)]
    hit = library.hit(found, found.video.path, query, vector, shares)
    return replace(hit, start_seconds=float(start), end_seconds=float(end))
