"""What people are told of a data folder: strays, what lists leave out, classes or sides that few have, leaks."""

from collections.abc import Collection, Iterable, Mapping

from rspnet_core.text import counted, printable
from rspnet_core.video.datasets.video_file import VideoFile

ENOUGH = 0.9
"""Part of the videos with a class, or a side, below which a build says how many have one."""


def remarks_on_files(files: list[VideoFile], folds: list[int], listed: Mapping[str, Collection[int]]) -> list[str]:
    """Strays, videos that are in no list of a fold of ``folds``, and few classes or sides, a line each.

    ``listed`` gives the folds whose lists name a path.
    """
    strays = _strays(files, listed)
    notes = []
    if strays:
        notes.append(f"beside the layout, without class and side: {counted(len(strays), 'video')}, {some(strays)}")
    beside = set(strays)
    for fold in folds:
        unlisted = sum(file.path not in beside and fold not in listed.get(file.path, ()) for file in files)
        if unlisted:
            notes.append(f"{unlisted} files are in no list of fold {fold}")
    return notes + _few(files, listed)


def _strays(files: list[VideoFile], listed: Collection[str]) -> list[str]:
    placed = [file for file in files if file.label is not None or file.splits or file.path in listed]
    if not placed:
        return []
    return sorted({file.path for file in files} - {file.path for file in placed})


def _few(files: list[VideoFile], listed: Collection[str]) -> list[str]:
    notes = []
    labelled = sum(file.label is not None for file in files)
    sided = sum(bool(file.splits) or file.path in listed for file in files)
    if labelled < ENOUGH * len(files):
        why = "" if labelled else "; searching needs none, a benchmark and training on classes do"
        notes.append(f"only {labelled} of {len(files)} videos have a class{why}")
    if 0 < sided < ENOUGH * len(files):
        notes.append(f"only {sided} of {len(files)} videos have a side (train, test or val)")
    return notes


def remarks_on_classes(classes: Iterable[str], numbered: set[str]) -> list[str]:
    """Where the classes of the videos and those of ``classInd.txt`` differ."""
    notes, classes = [], set(classes)
    if absent := sorted(numbered - classes):
        notes.append(f"{len(absent)} classes of classInd.txt have no video: {some(absent)}")
    if numbered and (extra := sorted(classes - numbered)):
        notes.append(f"{len(extra)} classes are not in classInd.txt: {some(extra)}")
    return notes


def remarks_on_leaks(leaks: Mapping[int, list[str]]) -> list[str]:
    """Groups that stand on both sides of a fold."""
    return [
        f"leakage: {len(groups)} groups stand on both sides of fold {fold} and raise its scores: {some(groups)}"
        for fold, groups in leaks.items()
    ]


def leaks_of(files: list[VideoFile]) -> dict[int, list[str]]:
    """Fold -> groups that stand on both of its sides."""
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


def some(names: list[str]) -> str:
    """The first few of some names, as text."""
    return ", ".join(printable(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
