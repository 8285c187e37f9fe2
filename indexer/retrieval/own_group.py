"""Which group and recording a query is of, to leave it out: what the library says of its content, else its name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.filters import LeaveOut
from indexer.retrieval.query_source import QuerySource
from indexer.retrieval.search import Query
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import printable
from rspnet_core.video.datasets.layouts import KINETICS, LISTED
from rspnet_core.video.datasets.names import normalised


@dataclass(frozen=True)
class LeftOut:
    """What a search leaves out."""

    kind: LeaveOut
    name: str
    groups: frozenset[str]
    """Those of the library; none where it holds no video of it."""

    def to_json(self) -> dict[str, Any]:
        """``left_out`` of the query in ``search --json``."""
        return {"kind": self.kind, "name": self.name, "groups": sorted(self.groups)}


def recording_of(group: str) -> str:
    """A group's name without its class."""
    return group.rpartition("/")[2]


def told(left_out: LeftOut | None) -> dict[str, Any]:
    """What a search's answer says of it."""
    return {} if left_out is None else {"left_out": left_out.to_json()}


def left_out(query: Query, library: QuerySource, kind: LeaveOut | None) -> LeftOut | None:
    """The query's own group, or its recording; None where ``kind`` is. Further examples of a question do not count.

    Raises InvalidSetting where it cannot be known.
    """
    if kind is None:
        return None
    video = _indexed(query, library)
    group = _group_by_name(query.source["path"], library, kind) if video is None else video.group
    if group is None:
        raise InvalidSetting(f"leave_out {kind}: {_why_not_known(query, video, library)}; do without it")
    if kind == "recording":
        name = recording_of(group)
        return LeftOut(kind, name, frozenset(each for each in library.groups if recording_of(each) == name))
    # The names of UCF101 spell some classes otherwise than its folders.
    same = [group] if group in library.groups else [each for each in library.groups if each.lower() == group.lower()]
    return LeftOut(kind, group, frozenset(library.groups.intersection(same)))


def _why_not_known(query: Query, video: VideoRow | None, library: QuerySource) -> str:
    as_ucf = "as v_Class_g01_c01 does"
    if not library.groups:
        return f"the names of this library's videos tell none, {as_ucf}"
    called = printable(Path(query.source["path"]).name)
    where = "" if video else "it is not in this library, and "
    return f"that of {called} cannot be known: {where}its name tells none, {as_ucf}"


def _indexed(query: Query, library: QuerySource) -> VideoRow | None:
    """The query's video, or one of its content, as the library knows it."""
    video_id = query.source.get("id")
    if video_id is None and query.footage is not None:
        video_id = library.catalogue.find_content(query.footage.content)
    return next(library.catalogue.videos(ids=[video_id]), None) if video_id else None


def _group_by_name(path: str, library: QuerySource, kind: LeaveOut) -> str | None:
    """What a name says in a data set that the library was built from."""
    layouts = {build.layout for build in library.catalogue.builds()}
    for layout in LISTED:
        source = layout.group_of(path) if layout.name in layouts else None
        if source is None:
            continue
        label = layout.label_of(path)
        if layout.name == KINETICS.name or kind == "recording":
            return printable(source)
        return None if label is None else f"{printable(normalised(label))}/{printable(source)}"
    return None
