"""A folder of videos -> its files with labels, official splits and families, whatever the data set's layout."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.layouts import KINETICS, UCF101, Layout
from rspnet_core.video.datasets.matching import Listing, match_lists, normalised
from rspnet_core.video.datasets.split_lists import Side, read_class_numbers, read_families, read_paths
from rspnet_core.video.datasets.tree import walk

__all__ = ["Dataset", "VideoFile", "listed_videos", "read_families", "scan"]

_FAMILIES = "classFamily.csv"


@dataclass(frozen=True, slots=True)
class VideoFile:
    """One video of a data set."""

    path: str
    """Relative to the data folder, with ``/``; bytes that are not UTF-8 are surrogates, as `os.fsdecode` gives."""
    label: str | None
    """The class, printable text."""
    group: str | None
    """``class/source video``: clips of one group must not stand on both sides of a split."""
    splits: dict[int, Side]
    """Official fold (1 to 3) -> side; folds in which the video has no side are absent."""
    problem: str | None = None
    """Why the file must not be opened."""


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


def scan(
    root: str | os.PathLike[str], split_lists: str | os.PathLike[str] | None = None, *, fold: int | None = None
) -> Dataset:
    """Recognise UCF101, HMDB51, Kinetics, Something-Something-V2, class folders or a flat folder, and read its lists.

    Lists are looked for inside ``root``, then beside it, or only in the folder ``split_lists`` where that is given.
    ``val`` counts as a side of its own beside ``train`` and ``test``. ``fold`` is one that the lists must have, where
    there are lists: a data set without any has no folds.

    Raises:
        DatasetError: ``root`` is no readable folder or holds no video; a list has a line that does not fit its
            format or puts a video on two sides of one fold; ``split_lists`` holds no list with a video of ``root``;
            there are lists, and none of ``fold``.

    """
    tree = walk(Path(root))
    if not tree.videos:
        reasons = "".join(f"; {note}" for note in tree.notes)
        raise DatasetError(f"no video files in {root}{reasons}; name a folder that holds videos")
    match = match_lists(tree, None if split_lists is None else Path(split_lists))
    files = [
        _video_file(path, tree.videos[path], match.layout, match.listings.get(path)) for path in sorted(tree.videos)
    ]
    _check_fold(files, fold)
    classes = sorted({file.label for file in files if file.label is not None})
    numbered = read_class_numbers(match.lists) if match.layout is UCF101 else set()
    families = next((read_families(path) for path in match.lists if path.name == _FAMILIES), {})
    leaks = _leaks(files)
    notes = [
        *tree.notes,
        *match.notes,
        *_notes_on_classes(classes, numbered),
        *(
            f"leakage: {len(groups)} groups stand on both sides of fold {fold} and raise its scores: {_some(groups)}"
            for fold, groups in leaks.items()
        ),
    ]
    missing = dict(match.missing)
    return Dataset(match.layout.name, files, classes, families, leaks, notes, tree.unreadable, missing)


def _check_fold(files: list[VideoFile], fold: int | None) -> None:
    folds = sorted({number for file in files for number in file.splits})
    if fold is not None and folds and fold not in folds:
        raise DatasetError(f"there are no lists of fold {fold}; have {', '.join(map(str, folds))}")


def listed_videos(data: Path, list_files: list[Path]) -> list[str]:
    """Paths of the videos of a folder, sorted: all of ``data``, or those that the lists name. Raises DatasetError."""
    files = {file.path for file in scan(data).files if file.problem is None}
    if not list_files:
        return sorted(files)
    named = {line for path in list_files for line in read_paths(path)}
    if missing := sorted(named - files):
        raise DatasetError(
            f"{len(missing)} of {len(named)} listed videos are not in {data}, such as {missing[0]}; "
            "paths in lists are relative to the data folder"
        )
    return sorted(named)


def _video_file(path: str, problem: str | None, layout: Layout, listed: Listing | None) -> VideoFile:
    entries = listed or {}
    splits = {fold: entry.side for fold, entry in sorted(entries.items()) if entry.side is not None}
    if listed is None and (side := layout.side_of(path)) is not None:
        splits = {1: side}
    label = next((entry.label for entry in entries.values() if entry.label), None) or layout.label_of(path)
    group = layout.group_of(path)
    label = None if label is None else printable(normalised(label))
    # A video of Kinetics is one source whatever its class; g01 of UCF101 is another source in every class.
    scope = "" if layout is KINETICS or label is None else f"{label}/"
    return VideoFile(path, label, None if group is None else scope + printable(group), splits, problem)


def _notes_on_classes(classes: list[str], numbered: set[str]) -> list[str]:
    notes = []
    if absent := sorted(numbered - set(classes)):
        notes.append(f"{len(absent)} classes of classInd.txt have no video: {_some(absent)}")
    if numbered and (extra := sorted(set(classes) - numbered)):
        notes.append(f"{len(extra)} classes are not in classInd.txt: {_some(extra)}")
    return notes


def _leaks(files: list[VideoFile]) -> dict[int, list[str]]:
    train: set[tuple[int, str]] = set()
    other: set[tuple[int, str]] = set()
    for file in files:
        if file.group is not None:
            for fold, side in file.splits.items():
                (train if side == "train" else other).add((fold, file.group))
    leaks: dict[int, list[str]] = {}
    for fold, group in sorted(train & other):
        leaks.setdefault(fold, []).append(group)
    return leaks


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
