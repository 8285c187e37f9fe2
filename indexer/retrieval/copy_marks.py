"""Which hits are copies of the query or of a better hit: by content, and by what ``duplicates`` has found."""

from collections.abc import Sequence
from contextlib import nullcontext

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.footage_file import FILE_NAME, FootageFile, content_of
from indexer.retrieval.query_source import QuerySource
from indexer.retrieval.search import Query
from rspnet_core.video.same_footage import SAME_FOOTAGE

QUERY = "query"
"""Stands for the query where a hit is a copy of it."""


def copies_among(videos: Sequence[VideoRow], query: Query, library: QuerySource) -> list[str | None]:
    """Of each video, best first: ``QUERY``, or the id of a better one, where it is a copy of that.

    Where ``duplicates`` never ran, only the same content counts.
    """
    kept = library.place.folder / FILE_NAME
    with FootageFile.open(kept.parent) if kept.exists() else nullcontext() as file:
        named = {QUERY: _contents_of_query(query, videos, library, file)}
        same = _same_footage(file, {content_of(video) for video in videos} | named[QUERY])
    found: list[str | None] = []
    for video in videos:
        alike = same[content_of(video)]
        found.append(next((name for name, contents in named.items() if contents & alike), None))
        if found[-1] is None:
            named[video.id] = {content_of(video)}
    return found


def _contents_of_query(
    query: Query, videos: Sequence[VideoRow], library: QuerySource, file: FootageFile | None
) -> set[str]:
    """That of an indexed video; of a file, its own where a hit has it, and those of hits that show the same."""
    if "id" in query.source:
        asked = query.source["id"]
        shown = [video for video in videos if video.id == asked]
        return {content_of(video) for video in shown or library.catalogue.videos(ids=[asked])}
    if query.footage is None:
        return set()
    own = {query.footage.content_among(videos)} - {""}
    return own | (query.footage.same_among(videos, library, file) if file else set())


def _same_footage(file: FootageFile | None, contents: set[str]) -> dict[str, set[str]]:
    """Each content with those that were found to be copies of it."""
    same = {content: {content} for content in contents}
    for one, other in file.copies_of(contents, SAME_FOOTAGE) if file else ():
        same[one].add(other)
        same[other].add(one)
    return same
