"""Filters over a library's videos: which pass; where none does, what there is instead."""

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import PurePosixPath
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.published import AnyCatalogue
from indexer.retrieval.bounds import BOUNDS, said_extent, spans
from rspnet_core.errors import InvalidSetting, NothingMatches
from rspnet_core.text import nearest, short

SHOWN_FOLD = 1
"""The official split whose sides hits show and filters mean."""
_NAMES_LISTED = 8

LeaveOut = Literal["group", "recording"]
"""A group is a source video within its class; a recording is all groups of that name, in any class."""
KINDS_LEFT_OUT: tuple[LeaveOut, ...] = get_args(LeaveOut)
_KINDS = ", ".join(KINDS_LEFT_OUT)


_NO_TAGS = "no video here has one; `rspnet-index tag add` gives them"


@dataclass(frozen=True)
class Tagged:
    """The videos that have a tag."""

    keys: NDArray[np.int64]
    """Ascending."""
    known: Collection[str]
    """All tags there are."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Restricts to videos of a class, a side of official split 1, a folder, or within bounds; None does not restrict.

    Bounds are included. A day of a date is a whole one, in UTC. Raises InvalidSetting for a number
    that is none or below 0, for a lower bound above the upper one, and for what cannot be left out.
    """

    label: str | None = None
    split: str | None = None
    folder: str | None = None
    """Relative to the data folder."""
    min_seconds: float | None = None
    """Of the video; one whose length is not known passes no bound of it."""
    max_seconds: float | None = None
    min_mb: float | None = None
    """Of the file, in 1,000,000 bytes."""
    max_mb: float | None = None
    since: date | None = None
    """When the file was last changed: a day, or as a ``datetime`` a moment."""
    until: date | None = None
    added_since: date | None = None
    """When the library first indexed the video; one that an older version had indexed before has no such date."""
    leave_out: LeaveOut | None = None
    """The query's own group or recording."""
    tag: str | None = None
    """That people gave the video."""

    def __post_init__(self) -> None:
        spans(self.bounds)
        if self.leave_out not in (None, *KINDS_LEFT_OUT):
            raise InvalidSetting(f"leave_out: got {short(str(self.leave_out), 40)!r}, allowed are {_KINDS}")

    @property
    def bounds(self) -> dict[str, float | date | None]:
        """Those of ``BOUNDS``, by name."""
        return {name: getattr(self, name) for name in BOUNDS}


def keys_that_pass(
    catalogue: AnyCatalogue, filters: Filters, own_groups: Set[str] = frozenset(), tagged: Tagged | None = None
) -> NDArray[np.int64] | None:
    """Keys, ascending, of the videos that pass; None where nothing is restricted. Raises NothingMatches.

    ``own_groups``: those that ``filters.leave_out`` means, of a query. ``tagged``: the videos that have its ``tag``.
    """
    if filters == Filters():
        return None
    select = partial(
        catalogue.select_keys,
        label=filters.label,
        split=filters.split,
        fold=None if filters.split is None else SHOWN_FOLD,
        folder=filters.folder,
        within=spans(filters.bounds),
    )

    def passing(groups: Set[str]) -> NDArray[np.int64]:
        keys = select(but_groups=groups)
        return keys if tagged is None else np.intersect1d(keys, tagged.keys, assume_unique=True)

    keys = passing(own_groups)
    if not keys.size:
        if tagged is not None and not tagged.keys.size:
            raise NothingMatches(no_such("tag", filters.tag or "", tagged.known, _NO_TAGS))
        if own_groups and passing(frozenset()).size:
            raise NothingMatches(f"all that pass are of the query's own {filters.leave_out}; do not leave it out")
        raise NothingMatches(_why_nothing(catalogue, filters))
    return keys


def folders_of(paths: Iterable[str]) -> set[str]:
    """All folders that hold videos, relative to their data folders."""
    return {str(folder) for path in paths for folder in PurePosixPath(path).parents if str(folder) != "."}


def no_such(kind: str, asked: str, known: Collection[str], where_none: str = "there is none") -> str:
    """That no ``kind`` is called as ``asked``; the nearest name, and some of all."""
    if not known:
        return f"no {kind} {asked}: {where_none}"
    near = nearest(asked, known)
    some = ", ".join(short(name, 40) for name in sorted(known)[:_NAMES_LISTED])
    more = f" and {len(known) - _NAMES_LISTED:,} more" if len(known) > _NAMES_LISTED else ""
    hint = f"did you mean {near}? There is" if near else "there is"
    return f"no {kind} {short(asked, 80)}; {hint} {some}{more}"


def _why_nothing(catalogue: AnyCatalogue, filters: Filters) -> str:
    videos = catalogue.labels_and_splits(SHOWN_FOLD)
    label, split, folder = filters.label, filters.split, (filters.folder or "").strip("/") or None
    labels = {video.label for video in videos if video.label is not None}
    splits = {video.split for video in videos if video.split is not None}
    if label is not None and label not in labels:
        return no_such("class", label, labels, "no video here has a class; put each class in a folder of its own")
    if split is not None and split not in splits:
        return no_such("split", split, splits, "no video here is in an official split; build with the lists")
    folders = folders_of(video.path for video in videos) if folder else set()
    if folder and folder not in folders:
        return no_such("folder", folder, folders, "all videos lie in the data folder itself")
    bounds = {name: value for name, value in filters.bounds.items() if value is not None}
    for name, value in bounds.items():
        if not catalogue.select_keys(within=spans({name: value})).size:
            extent = catalogue.measured_extent(BOUNDS[name].measure)
            return f"no video is {BOUNDS[name].said(value)}: {said_extent(BOUNDS[name].measure, extent)}"
    asked = {"class": label, "split": split, "folder": folder}
    named = " and ".join(f"{kind} {name}" for kind, name in asked.items() if name)
    parts = (
        [f"of {named}"] * bool(named)
        + [f"tagged {tag}" for tag in [filters.tag] if tag]
        + [BOUNDS[name].said(value) for name, value in bounds.items()]
    )
    return f"no video is {' and '.join(parts)} at once, though each has some; leave one of them out"
