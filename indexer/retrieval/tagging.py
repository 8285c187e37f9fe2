"""Tags on videos of a library: put on, taken off, and what has which."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalogue.catalogue import VideoRow, video_key
from indexer.catalogue.published import AnyCatalogue
from indexer.retrieval.filters import Tagged
from indexer.retrieval.footage_file import content_of, sha256_of
from indexer.retrieval.query_source import QuerySource
from rspnet_core.errors import InvalidSetting, QueryNotFound


def tag_videos(library: QuerySource, tag: str, videos: Sequence[str | Path], *, on: bool = True) -> int:
    """Put a tag on videos, or take it off: files or ids of the library; returns how many changed.

    Raises QueryNotFound for what the library does not hold, InvalidSetting for what is no tag and for too many.
    """
    if not videos:
        raise InvalidSetting("tag: no video is named; give ids, or files of the library")
    contents = {_content(library, video) for video in videos}
    return library.tags.add(tag, contents) if on else library.tags.remove(tag, contents)


def _content(library: QuerySource, video: str | Path) -> str:
    path, row = library.locate(video)
    if row is not None:
        if row.content_hash is None:
            raise InvalidSetting(f"tag: {row.path} was indexed by an older version; run the build again")
        return row.content_hash
    content = sha256_of(path)
    if not any(each.content_hash == content for each in library.catalogue.of_contents([content])):
        raise QueryNotFound(f"{str(video)!r} is not in the library as it is now; build it first, or give an id")
    return content


def tags_of(library: QuerySource, videos: Iterable[VideoRow]) -> dict[str, list[str]]:
    """Id -> tags, of those that have some. Raises LibraryDamaged."""
    contents = {video.id: content_of(video) for video in videos}
    found = library.tags.of(set(contents.values()))
    return {video_id: found[content] for video_id, content in contents.items() if content in found}


def tagged(library: QuerySource, tag: str | None) -> Tagged | None:
    """The indexed videos that have a tag, as filters take them; None for no tag. Raises LibraryDamaged."""
    if tag is None:
        return None
    videos = _holding(library.catalogue, library.tags.contents_with(tag))
    keys = np.array(sorted(video_key(video.id) for video in videos), np.int64)
    return Tagged(keys, () if keys.size else library.tags.known().keys())


def _holding(catalogue: AnyCatalogue, contents: Collection[str]) -> list[VideoRow]:
    return [video for video in catalogue.of_contents(contents) if content_of(video) in contents] if contents else []


def tags_document(library: QuerySource) -> dict[str, Any]:
    """What ``rspnet-index tag list --json`` prints; tags of which the library holds no video any more have none."""
    known: Mapping[str, set[str]] = library.tags.known()
    rows = _holding(library.catalogue, set().union(*known.values()))
    return {
        "tags": [
            {"tag": tag, "videos": [video.id for video in rows if content_of(video) in contents]}
            for tag, contents in known.items()
        ]
    }
