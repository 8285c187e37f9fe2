"""Which hits are copies of the query or of a better hit: by content, and by what ``duplicates`` has found."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.catalogue.catalogue import VideoRow
from indexer.catalogue.published import AnyCatalogue
from indexer.retrieval.footage_file import FILE_NAME, FootageFile, content_of, sha256_of
from indexer.retrieval.search import Hit
from rspnet_core.errors import VideoError
from rspnet_core.video.same_footage import SAME_FOOTAGE

QUERY = "query"
"""Stands for the query where a hit is a copy of it."""


def marked(
    hits: Sequence[Hit], videos: Sequence[VideoRow], source: dict[str, Any], catalogue: AnyCatalogue, folder: Path
) -> list[Hit]:
    """The hits with what they are copies of.

    Args:
        hits: best first.
        videos: theirs.
        source: the query's ``id`` or ``path``, as a search prints them.
        catalogue: what the query's id is looked up in.
        folder: the library's. Where ``duplicates`` never ran, only the same content counts.
    """
    named = {QUERY: _content_of_query(source, videos, catalogue)}
    same = _same_footage(folder, {content_of(video) for video in videos} | {named[QUERY]})
    found: list[Hit] = []
    for hit, video in zip(hits, videos, strict=True):
        content = content_of(video)
        found.append(
            replace(hit, copy_of=next((name for name, other in named.items() if other in same[content]), None))
        )
        if found[-1].copy_of is None:
            named[video.id] = content
    return found


def _content_of_query(source: dict[str, Any], videos: Sequence[VideoRow], catalogue: AnyCatalogue) -> str:
    """That of an indexed video; of a file, its hash, where a hit has its size; else empty."""
    if "id" in source:
        return next((content_of(video) for video in catalogue.videos(ids=[source["id"]])), "")
    path = Path(source.get("path", ""))
    with suppress(OSError, VideoError):
        if path.is_file() and path.stat().st_size in {video.size_bytes for video in videos}:
            return sha256_of(path)
    return ""


def _same_footage(folder: Path, contents: set[str]) -> dict[str, set[str]]:
    """Each content with those that were found to be copies of it."""
    same = {content: {content} for content in contents}
    if (folder / FILE_NAME).exists():
        with FootageFile.open(folder) as file:
            for one, other in file.copies_of(contents, SAME_FOOTAGE):
                same[one].add(other)
                same[other].add(one)
    return same
