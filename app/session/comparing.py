"""One question put to two libraries: what each finds first among the videos that both hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from app.session.queries import QueryHandle
from app.session.ranking import RankedPage, passing, rank
from app.session.services import Services
from indexer.catalogue.catalogue import id_of_key, video_key
from indexer.retrieval.copy_marks import QUERY
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from indexer.retrieval.speed import Speed
from indexer.retrieval.tagging import tags_of
from rspnet_core.errors import InvalidSetting, MissingHead, NothingMatches, QueryNotFound


@dataclass(frozen=True)
class Compared:
    """The first page of both rankings; ids, names and labels are those of the page's own library in both."""

    ours: RankedPage
    theirs: RankedPage
    num_shared: int
    """Videos that both libraries hold."""
    encoder: Mapping[str, object]
    """Of the other library, as ``info`` describes it."""

    @property
    def common(self) -> set[str]:
        """Ids that both pages have."""
        return {hit.id for hit in self.ours.hits} & {hit.id for hit in self.theirs.hits}


def compare(
    services: Services,
    name: str,
    handle: QueryHandle,
    weights: PartWeights,
    filters: Filters,
    false_alarms: float,
    speed: Speed | None = None,
) -> Compared:
    """Rank the videos that both libraries hold and that pass the filters by what the own library knows of them.

    Raises NothingMatches where none is left, MissingHead where an encoder lacks a head that has a weight,
    InvalidSetting where it does not tell the ``speed`` asked for, QueryNotFound for an example that the other library
    does not hold; InvalidSetting and LibraryNotFound as ``Others.opened``.
    """
    own, other = services.opened, services.others.opened(name)
    shared = services.others.shared(own, name, other)
    allowed, _ = passing(own, services.query(handle), filters)
    kept = shared if allowed is None else {id_: shared[id_] for id_ in map(id_of_key, allowed) if id_ in shared}
    if not kept:
        raise NothingMatches(f"no video that passes these filters is in both libraries, here and in {name}")
    theirs = _there(handle, shared, name)
    pages = []
    for opened, asked, ids in ((own, handle, kept.keys()), (other, theirs, kept.values())):
        query = services.query(asked, opened=opened)
        keys = np.array(sorted(map(video_key, ids)), dtype=np.int64)
        try:
            pages.append(rank(opened, query, weights, false_alarms=false_alarms, speed=speed, only=keys))
        except (MissingHead, InvalidSetting) as error:
            raise type(error)(f"{name}: {error}" if opened is other else str(error)) from error
    return Compared(pages[0], _here(services, pages[1], kept), len(shared), other.library.record.description)


def _there(handle: QueryHandle, shared: Mapping[str, str], name: str) -> QueryHandle:
    """The question with the other library's ids; a query that is not there is a file to it."""

    def known(video_id: str) -> str:
        if video_id not in shared:
            raise QueryNotFound(f"{name} does not hold one of the further examples of this search; search without it")
        return shared[video_id]

    video_id = None if handle.video_id is None else shared.get(handle.video_id)
    return replace(handle, video_id=video_id, others=handle.others.map(known))


def _here(services: Services, page: RankedPage, shared: Mapping[str, str]) -> RankedPage:
    """The other library's page with the own library's ids, paths, names, labels and tags."""
    ours = {theirs: own for own, theirs in shared.items()} | {QUERY: QUERY}
    rows = list(services.library.catalogue.videos(ids=[ours[hit.id] for hit in page.hits], status="indexed"))
    by_id = {row.id: row for row in rows}
    found = [
        replace(hit, id=row.id, path=row.path, label=row.label, copy_of=hit.copy_of and ours[hit.copy_of])
        for hit in page.hits
        if (row := by_id.get(ours[hit.id])) is not None
    ]
    names = {row.id: name for row, name in zip(rows, services.library.names_of(rows), strict=True)}
    durations, tags = {row.id: row.duration_seconds for row in rows}, tags_of(services.library, rows)
    return replace(page, hits=found, names=names, durations_seconds=durations, tags=tags)
