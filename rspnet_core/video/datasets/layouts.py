"""How each data set names its videos: where a path says the class, the source video and the split."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from rspnet_core.video.datasets.split_lists import (
    SIDE_OF_WORD,
    Entry,
    Side,
    read_hmdb51,
    read_kinetics,
    read_something_something,
    read_ucf101,
    stem_of,
)

# v_Archery_g01_c02: class, group (one source video), clip
_UCF_STEM = re.compile(r"v_(?P<label>.+)_g(?P<group>\d+)_c\d+", re.DOTALL)
# Pippi_cartwheel_f_cm_np2_le_med_6: source, visible body, camera motion, people, side, quality, clip
_HMDB_STEM = re.compile(r"(?P<group>.+)_[hulf]_[cn]m_np\d+_(?:fr|ba|le|ri)_(?:goo|med|bad)_\d+", re.DOTALL)
# -3B32lodo2M_000059_000069: source video, start and end in seconds
_KINETICS_STEM = re.compile(r"(?P<group>.+)_\d{6}_\d{6}", re.DOTALL)

# Folders that hold class folders, never a class themselves.
_WRAPPERS = frozenset({"clips", "data", "video", "videos"})


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
    name = file_name(path.rpartition("/")[0])
    return None if not name or name.lower() in _WRAPPERS else name


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


def _kinetics_side(path: str) -> Side | None:
    return next((SIDE_OF_WORD[part.lower()] for part in path.split("/")[:-1] if part.lower() in SIDE_OF_WORD), None)


def _kinetics_label(path: str) -> str | None:
    """Give the file's folder, unless that is ``train``, ``val`` or ``test`` itself."""
    folder = parent_name(path)
    return None if folder is None or folder.lower() in SIDE_OF_WORD else folder


UCF101 = Layout("UCF101", _ucf_label, _ucf_group, read_lists=read_ucf101)
HMDB51 = Layout(
    "HMDB51",
    parent_name,
    _group_by(_HMDB_STEM),
    key_of=lambda path: f"{file_name(path.rpartition('/')[0])}/{stem_of(file_name(path))}",
    read_lists=read_hmdb51,
)
KINETICS = Layout(
    "Kinetics", _kinetics_label, _group_by(_KINETICS_STEM), read_lists=read_kinetics, side_of=_kinetics_side
)
SOMETHING = Layout("Something-Something-V2", lambda path: None, lambda path: None, read_lists=read_something_something)
FLAT = Layout("flat folder", lambda path: None, lambda path: None)

LISTED = (SOMETHING, UCF101, HMDB51, KINETICS)
"""Layouts with list files, the most telling file names first."""


def layout_of_names(paths: list[str]) -> Layout:
    """Choose a layout by the names alone, where no list fits."""
    for layout in (UCF101, HMDB51):
        if 2 * sum(layout.group_of(path) is not None for path in paths) > len(paths):
            return layout
    if all("/" in path and _kinetics_side(path) for path in paths):
        return KINETICS
    return _class_folders(paths)


def _class_folders(paths: list[str]) -> Layout:
    """The class is the first folder that not all videos share; the only folder, where there is but one."""
    folders = {tuple(path.split("/")[:-1]) for path in paths}
    shared = _shared_length(folders)
    if len(folders) == 1 and shared and next(iter(folders))[-1].lower() not in _WRAPPERS:
        shared -= 1
    if max(map(len, folders)) == shared:
        return FLAT

    def label_of(path: str) -> str | None:
        parts = path.split("/")[shared:-1]
        return parts[0] if parts else None

    return Layout("class folders", label_of, lambda path: None)


def _shared_length(folders: set[tuple[str, ...]]) -> int:
    depths = takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False))
    return sum(1 for _ in depths)
