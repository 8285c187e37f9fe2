"""Queries that were embedded, kept so that sliders, pages and filters need no encoder."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from indexer.ingest.plan import content_hash
from indexer.retrieval import query_source
from indexer.retrieval.composition import Examples
from indexer.retrieval.search import Query
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.text import printable

MAX_QUERY_BYTES = 512 * 2**20
_MOST_KEPT = 256
"""Ten clips of 768 numbers are 30 KB; a 2048-wide encoder's 90 KB."""


@dataclass(frozen=True)
class QueryHandle:
    """A query as the page remembers it; its vectors stay in :class:`QueryCache`."""

    name: str
    """For people; not escaped."""
    media_id: str
    """For its poster and player."""
    path: str
    """On the server; never shown. Not there any more, the query has to be given again."""
    video_id: str | None = None
    """Where the query is a video of the library: what a link to this search names."""
    start_seconds: float | None = None
    end_seconds: float | None = None
    others: Examples[str] = field(default_factory=Examples)
    """Further examples of the question: ids of videos of the library."""

    @property
    def key(self) -> str:
        """Names content and segment of the video itself, whatever other examples there are."""
        return f"{self.media_id} {self.start_seconds} {self.end_seconds}"

    def asking(self, kind: str, video_id: str) -> Self:
        """With a video of the library as ``like``, ``unlike`` or ``look_of``, which it is alone.

        A look takes the place of all other examples, and gives way to them. Raises InvalidSetting for the query itself
        and for too many examples.
        """
        if video_id == self.video_id and self.is_whole:
            raise InvalidSetting("this is the query itself; choose another video")
        if kind == "look_of":
            return replace(self, others=Examples(look_of=video_id))
        like, unlike = (
            (*self.others.without(video_id).of_kind(each), *([video_id] if each == kind else []))
            for each in ("like", "unlike")
        )
        return replace(self, others=Examples(like=like, unlike=unlike))

    def without(self, video_id: str) -> Self:
        """With the other examples alone."""
        return replace(self, others=self.others.without(video_id))

    @property
    def is_whole(self) -> bool:
        """Whether no segment was asked for."""
        return self.start_seconds is self.end_seconds is None


class QueryCache:
    """The latest queries' vectors by handle; safe to use from many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Query] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, handle: QueryHandle, encoder: str, embed: Callable[[], Query]) -> Query:
        """Vectors by a library's encoder, embedded if they are not kept. Two threads may embed the same; no harm."""
        key = f"{encoder} {handle.key}"
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        query = embed()
        with self._lock:
            self._kept[key] = query
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return query


def check_segment(start_seconds: float | None, end_seconds: float | None) -> tuple[float | None, float | None]:
    """The segment, an end of 0 and a start of 0 meaning none. Raises InvalidSetting for one that cannot be."""
    start, end = start_seconds or None, end_seconds or None
    query_source.check_segment(start, end)
    return start, end


def hash_upload(path: Path) -> str:
    """SHA-256 of an uploaded file. Raises VideoError when it is not a regular file or too large."""
    if path.is_symlink() or not path.is_file():
        raise VideoError("the file is not here any more; choose it again")
    size_bytes = path.stat().st_size
    if size_bytes > MAX_QUERY_BYTES:
        limit = MAX_QUERY_BYTES // 2**20
        raise VideoError(
            f"the file has {size_bytes / 2**20:.0f} MB, the limit is {limit} MB; cut out the part you mean"
        )
    return content_hash(path)


def name_of_upload(path: Path) -> str:
    """The file's name for people."""
    return printable(path.name)[:120]


def hash_of_name(name: str) -> str:
    """Stands in for a content hash where a catalogue has none."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
