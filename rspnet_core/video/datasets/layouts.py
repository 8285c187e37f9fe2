"""How each data set names its videos: where a path says the class, the source video and the split."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rspnet_core.video.datasets.folders import by_classes, by_sides, folders_of, gathers
from rspnet_core.video.datasets.names import stem_of
from rspnet_core.video.datasets.split_lists import (
    SIDE_OF_WORD,
    Entry,
    Side,
    read_hmdb51,
    read_kinetics,
    read_something_something,
    read_ucf101,
)

_NAMES = re.DOTALL | re.IGNORECASE
# v_Archery_g01_c02: class, group (one source video), clip
_UCF_STEM = re.compile(r"v_(?P<label>.+)_g(?P<group>\d+)_c\d+", _NAMES)
# Pippi_cartwheel_f_cm_np2_le_med_6: source, visible body, camera motion, people, side, quality, clip
_HMDB_STEM = re.compile(r"(?P<group>.+)_[hulf]_[cn]m_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+", _NAMES)
# -3B32lodo2M_000059_000069: source video, start and end in seconds
_KINETICS_STEM = re.compile(r"(?P<group>.+)_\d{6}_\d{6}", _NAMES)


@dataclass(frozen=True)
class Layout:
    """One data set's naming. Its functions take paths relative to the data folder."""

    name: str
    label_of: Callable[[str], str | None]
    group_of: Callable[[str], str | None]
    """The source video within its class; clips of one must not stand on both sides of a split."""
    key_of: Callable[[str], str] = lambda path: stem_of(file_name(path))
    """What the lists call the video (`Entry.key`)."""
    read_lists: Callable[[list[Path]], list[Entry]] = lambda lists: []
    side_of: Callable[[str], Side | None] = lambda path: None
    """The side of fold 1 that the folders say, for what is in no list."""


def file_name(path: str) -> str:
    """Give the last part of a path."""
    return path.rpartition("/")[2]


def parent_name(path: str) -> str | None:
    """Give the name of the folder that holds the file, None at the top and for folders that only gather classes."""
    name = "".join(folders_of(path)[-1:])
    return None if not name or gathers(name) or name.lower() in SIDE_OF_WORD else name


def _group_by(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    def group_of(path: str) -> str | None:
        match = pattern.fullmatch(stem_of(file_name(path)))
        return match["group"] if match else None

    return group_of


def _ucf_label(path: str) -> str | None:
    folder, match = parent_name(path), _UCF_STEM.fullmatch(stem_of(file_name(path)))
    # The folder HandstandPushups holds v_HandStandPushups_*: the folder's spelling is the class.
    if match is None or (folder is not None and folder.lower() == match["label"].lower()):
        return folder
    return match["label"]


def _ucf_group(path: str) -> str | None:
    match = _UCF_STEM.fullmatch(stem_of(file_name(path)))
    return f"g{match['group']}" if match else None


UCF101 = Layout("UCF101", _ucf_label, _ucf_group, read_lists=read_ucf101)
HMDB51 = Layout(
    "HMDB51",
    parent_name,
    _group_by(_HMDB_STEM),
    key_of=lambda path: f"{file_name(path.rpartition('/')[0])}/{stem_of(file_name(path))}",
    read_lists=read_hmdb51,
)
KINETICS = Layout("Kinetics", parent_name, _group_by(_KINETICS_STEM), read_lists=read_kinetics)
SOMETHING = Layout("Something-Something-V2", lambda path: None, lambda path: None, read_lists=read_something_something)
FLAT = Layout("flat folder", lambda path: None, lambda path: None)

LISTED = (SOMETHING, UCF101, HMDB51, KINETICS)
"""Layouts with list files, the most telling file names first."""


def has_names_of(layout: Layout, paths: list[str]) -> bool:
    """Whether most files are named as in that data set."""
    return 2 * sum(layout.group_of(path) is not None for path in paths) > len(paths)


def with_folders(layout: Layout, paths: list[str]) -> Layout:
    """``layout`` for files that are in no list: classes and sides that folders say, where it leaves them to folders."""
    said = by_sides(paths)
    if layout.name != KINETICS.name or said is None:
        return layout
    return replace(layout, label_of=said.label_of, side_of=said.side_of)


def layout_of_names(paths: list[str]) -> tuple[Layout, list[str]]:
    """Choose a layout by the names alone, where no list fits; with remarks."""
    said = by_sides(paths)
    for layout in (UCF101, HMDB51):
        if has_names_of(layout, paths):
            return (layout if said is None else replace(layout, side_of=said.side_of)), []
    if said is not None:
        return replace(KINETICS, label_of=said.label_of, side_of=said.side_of), []
    classes, remarks = by_classes(paths)
    return (FLAT if classes is None else Layout("class folders", classes.label_of, FLAT.group_of)), remarks
