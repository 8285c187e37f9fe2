"""A folder of videos -> its files with labels, official splits and families, whatever the data set's layout."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.layouts import FLAT, KINETICS, UCF101, has_names_of
from rspnet_core.video.datasets.matching import Match, lists_in, match_lists
from rspnet_core.video.datasets.names import normalised
from rspnet_core.video.datasets.remarks import leaks_of, remarks_on_classes, remarks_on_files, remarks_on_leaks
from rspnet_core.video.datasets.spellings import one_spelling
from rspnet_core.video.datasets.split_lists import Side, read_class_numbers, read_families
from rspnet_core.video.datasets.tree import Tree, walk_videos
from rspnet_core.video.datasets.video_file import VideoFile

__all__ = ["UPLOADS", "Dataset", "VideoFile", "find_families", "read_families", "scan"]

UPLOADS = "uploads"
"""Folder in a data folder where the app keeps what its visitors upload: no class, and no part of a data set."""
_FAMILIES = "classFamily.csv"


@dataclass(frozen=True)
class Dataset:
    """What `scan` found; ``notes`` are one-line remarks for people."""

    layout: str
    files: list[VideoFile]
    classes: list[str]
    families: dict[str, str] = field(default_factory=dict)
    leaks: dict[int, list[str]] = field(default_factory=dict)
    """Fold -> groups that stand on both sides; folds without any are absent."""
    notes: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """Folders, with a ``/`` at the end, that could not be looked into."""
    missing: dict[tuple[int, Side], int] = field(default_factory=dict)
    """Fold and side -> how many listed videos have no file."""
    only: frozenset[str] | None = None
    """Paths that this is about, be there a file or not; None for all that the folder holds."""

    def part(self, paths: Collection[str]) -> "Dataset":
        """What is known of these files alone, by their paths in the folder; all other files are left as they are."""
        only = frozenset(paths)
        return replace(self, files=[file for file in self.files if file.path in only], notes=[], only=only)


def scan(
    root: str | os.PathLike[str],
    split_lists: str | os.PathLike[str] | None = None,
    *,
    fold: int | None = None,
    follow_links: Sequence[Path] = (),
) -> Dataset:
    """Recognise UCF101, HMDB51, Kinetics, Something-Something-V2, class folders or a flat folder, and read its lists.

    Lists are looked for inside ``root``, then beside it, or only in the folder ``split_lists`` where that is given.
    ``val`` counts as a side of its own beside ``train`` and ``test``. Videos in ``UPLOADS`` have no class, group or
    side, whatever they are called, and say nothing of the layout. ``fold`` is one that the lists must have, where
    there are lists: a data set without any has no folds.

    Raises:
        DatasetError: ``root`` is no readable folder or holds no video; a list has a line that does not fit its
            format or puts a video on two sides of one fold; ``split_lists`` holds no list with a video of ``root``;
            there are lists, and none of ``fold``.

    """
    whole = walk_videos(Path(root), follow_links)
    uploads = [path for path in whole.videos if path.startswith(f"{UPLOADS}/")]
    tree = replace(whole, videos={path: whole.videos[path] for path in whole.videos.keys() - uploads})
    match = match_lists(tree, Path(split_lists) if split_lists is not None and tree.videos else None)
    files, spellings = one_spelling(_files(match, tree))
    _check_fold(files, fold)
    classes = sorted({file.label for file in files if file.label is not None})
    numbered = read_class_numbers(match.lists) if match.layout.name == UCF101.name else set()
    families = _families_among(match.lists)
    leaks = leaks_of(files)
    notes = [
        *tree.notes,
        *match.notes,
        *remarks_on_files(files, match.folds, match.listings),
        *spellings,
        *remarks_on_classes(classes, numbered),
        *remarks_on_leaks(leaks),
        *([f"{len(uploads)} videos in the folder {UPLOADS!r} are uploads: they have no class"] if uploads else []),
    ]
    files = sorted([*files, *(_upload(path, whole) for path in uploads)], key=lambda file: file.path)
    missing = dict(match.missing)
    return Dataset(match.layout.name, files, classes, families, leaks, notes, tree.unreadable, missing)


def find_families(root: Path, split_lists: Path | None = None) -> dict[str, str]:
    """Class -> family, by the ``classFamily.csv`` in ``split_lists``, or inside or beside ``root``; empty without one.

    Looks where ``scan`` does, at no video. Raises DatasetError for a file that does not fit its format, or no folder
    ``split_lists``.
    """
    places = [root, root.parent] if split_lists is None else [split_lists]
    lists = [path for place in places for path in lists_in(place, must_exist=place is split_lists)]
    return _families_among(lists)


def _families_among(lists: Iterable[Path]) -> dict[str, str]:
    return next((read_families(path) for path in lists if path.name == _FAMILIES), {})


def _upload(path: str, tree: Tree) -> VideoFile:
    return VideoFile(path, None, None, {}, problem=tree.videos[path], target=tree.targets.get(path))


def _check_fold(files: list[VideoFile], fold: int | None) -> None:
    folds = sorted({number for file in files for number in file.splits})
    if fold is not None and folds and fold not in folds:
        raise DatasetError(f"there are no lists of fold {fold}; have {', '.join(map(str, folds))}")


def _files(match: Match, tree: Tree) -> list[VideoFile]:
    """All videos, sorted; one in a stray folder of a well-known data set does not make a class of that folder."""
    paths = sorted(tree.videos)
    labels = {path: _label(path, match) for path in paths}
    if match.layout.name != FLAT.name and has_names_of(match.layout, paths):
        members = {path for path in paths if path in match.listings or match.layout.group_of(path) is not None}
        known = {labels[path] for path in members}
        labels = {path: label if path in members or label in known else None for path, label in labels.items()}
    return [
        replace(_video_file(path, labels[path], match), problem=tree.videos[path], target=tree.targets.get(path))
        for path in paths
    ]


def _label(path: str, match: Match) -> str | None:
    entries = match.listings.get(path, {}).values()
    label = next((entry.label for entry in entries if entry.label), None) or match.layout.label_of(path)
    return None if label is None else printable(normalised(label))


def _video_file(path: str, label: str | None, match: Match) -> VideoFile:
    layout, listed = match.layout, match.listings.get(path)
    splits = {fold: entry.side for fold, entry in sorted((listed or {}).items()) if entry.side is not None}
    if listed is None and (side := layout.side_of(path)) is not None:
        splits = {1: side}
    group = layout.group_of(path)
    # A video of Kinetics is one source whatever its class; g01 of UCF101 is another source in every class.
    scope = "" if layout.name == KINETICS.name or label is None else f"{label}/"
    return VideoFile(path, label, None if group is None else scope + printable(group), splits)
