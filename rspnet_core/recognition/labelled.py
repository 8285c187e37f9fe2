"""The labelled videos of a fold: those that are learnt from, and those of the test."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from rspnet_core.errors import DatasetError
from rspnet_core.reports.bootstrap import recordings
from rspnet_core.video.datasets.dataset import Dataset, VideoFile, scan
from rspnet_core.video.datasets.layouts import HMDB51, UCF101
from rspnet_core.video.datasets.split_lists import Side

_OFFICIAL = (UCF101.name, HMDB51.name)
"""Layouts whose figures mean nothing without their lists."""
_HELD_OUT = 5
"""Without official lists, every fifth recording of a class is for the test."""


@dataclass(frozen=True)
class LabelledVideos:
    """Both sides of a fold, each sorted by path."""

    folder: Path
    layout: str
    fold: int
    train: list[VideoFile]
    test: list[VideoFile]
    families: dict[str, str] = field(default_factory=dict)
    """Class -> family, where the data set says so."""
    notes: list[str] = field(default_factory=list)
    """Remarks for people: what is missing, what stands on both sides."""
    missing_train: int = 0
    """Listed videos that have no file."""
    missing_test: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the train side, sorted."""
        return tuple(sorted({_label(file) for file in self.train}))

    def recordings(self, files: list[VideoFile]) -> list[str | None]:
        """What some of its files were cut from, across the classes of a family; None where it is not known."""
        return recordings([file.group for file in files], [_label(file) for file in files], self.families)

    def places(self, files: list[VideoFile]) -> list[int]:
        """Where the classes of some of its files stand in ``classes``."""
        place_of = {name: place for place, name in enumerate(self.classes)}
        return [place_of[_label(file)] for file in files]


def labelled_videos(data: Path, fold: int = 1, split_lists: Path | None = None) -> LabelledVideos:
    """The videos of an official split of ``data``; ``val`` is the test where no test video has a label.

    A folder without any split is divided: every fifth recording of a class (every fifth video, where recordings are
    not known) is held out for the test.

    Raises:
        DatasetError: no labels; no such fold; an empty side; a class of the test that the train side does not have.
    """
    dataset = scan(data, split_lists)
    files = [file for file in dataset.files if file.label is not None and file.problem is None]
    if not files:
        raise DatasetError(f"{data}: none of its {len(dataset.files)} videos has a class; put them in class folders")
    folds = sorted({fold for file in files for fold in file.splits})
    notes = [note for note in dataset.notes if not note.startswith("leakage") or f"fold {fold} " in note]
    if folds:
        train, test, missing = _sides(files, fold, dataset)
    elif dataset.layout in _OFFICIAL:
        raise DatasetError(f"{data}: {dataset.layout} without its split lists; name their folder with --split-lists")
    else:
        train, test, missing = *_divided(files), (0, 0)
        notes.append(f"no official split: every {_HELD_OUT}th recording of a class is held out for the test")
    found = LabelledVideos(data, dataset.layout, fold, train, test, dataset.families, notes, *missing)
    _check(found, dataset, folds)
    return found


def _sides(
    files: list[VideoFile], fold: int, dataset: Dataset
) -> tuple[list[VideoFile], list[VideoFile], tuple[int, int]]:
    """Train and test videos of a fold, and how many of each the lists name in vain."""
    sides: dict[Side, list[VideoFile]] = {"train": [], "test": [], "val": []}
    for file in files:
        if fold in file.splits:
            sides[file.splits[fold]].append(file)
    tested: Side = "test" if sides["test"] else "val"
    return (
        sides["train"],
        sides[tested],
        (dataset.missing.get((fold, "train"), 0), dataset.missing.get((fold, tested), 0)),
    )


def _divided(files: list[VideoFile]) -> tuple[list[VideoFile], list[VideoFile]]:
    recordings: dict[str, dict[str, None]] = defaultdict(dict)
    for file in files:
        recordings[_label(file)][file.group or file.path] = None
    held_out = {
        (label, recording)
        for label, names in recordings.items()
        for recording in list(names)[_HELD_OUT - 1 :: _HELD_OUT]
    }
    train: list[VideoFile] = []
    test: list[VideoFile] = []
    for file in files:
        (test if (_label(file), file.group or file.path) in held_out else train).append(file)
    return train, test


def _check(found: LabelledVideos, dataset: Dataset, folds: list[int]) -> None:
    if not found.train or not found.test:
        have = f"has folds {', '.join(map(str, folds))}" if folds else "has too few videos to hold any out"
        raise DatasetError(
            f"{found.folder} ({dataset.layout}): fold {found.fold} has {len(found.train)} train and {len(found.test)} "
            f"labelled test videos, it {have}; choose a fold, or name the folder of its lists with --split-lists"
        )
    if unknown := sorted({_label(file) for file in found.test} - set(found.classes)):
        raise DatasetError(
            f"{len(unknown)} classes of the test have no train video in fold {found.fold}, such as {unknown[0]!r}; "
            "complete the train list or take them out of the test list"
        )


def _label(file: VideoFile) -> str:
    assert file.label is not None
    return file.label
