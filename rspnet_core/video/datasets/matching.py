"""Which line of which list speaks of which file, and which layout the folder therefore has."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.layouts import (
    HMDB51,
    LISTED,
    UCF101,
    Layout,
    layout_of_names,
    parent_name,
    with_folders,
)
from rspnet_core.video.datasets.names import nearest, normalised
from rspnet_core.video.datasets.split_lists import Entry, Side
from rspnet_core.video.datasets.tree import LIST_SUFFIXES, Tree

_LIST_FOLDERS = ("ucftraintestlist", "testtrainmulti_7030_splits", "annotations", "labels", "splits", "lists")
_EXPECTED = (
    "trainlist01.txt (UCF101), CLASS_test_split1.txt (HMDB51), a csv with label, youtube_id, time_start, time_end "
    "(Kinetics) or something-something-v2-train.json"
)

Listing = dict[int, Entry]
"""Fold -> what the lists say of one video."""


@dataclass(frozen=True)
class Match:
    """The layout, the list files beside which others may lie, and what they say of each video."""

    layout: Layout
    lists: list[Path]
    listings: dict[str, Listing] = field(default_factory=dict)
    """Path of a video -> listing; videos that no list names are absent."""
    folds: list[int] = field(default_factory=list)
    """Those that there are lists of, ascending."""
    notes: list[str] = field(default_factory=list)
    missing: Counter[tuple[int, Side]] = field(default_factory=Counter)
    """Fold and side -> how many listed videos have no file."""


def match_lists(tree: Tree, split_lists: Path | None) -> Match:
    """Take the first layout whose lists name a video that is there, else the layout that the names alone say.

    Raises:
        DatasetError: a list does not fit its format or contradicts another; none in ``split_lists`` fits the videos.

    """
    paths = sorted(tree.videos)
    if split_lists is not None:
        places = [lists_in(split_lists, must_exist=True)]
    else:
        places = [[tree.root / text for text in tree.texts], lists_in(tree.root.parent)]
    unused: list[Entry] = []
    for place in places:
        for layout in LISTED:
            entries = layout.read_lists(place)
            if entries and (match := _match(layout, place, entries, paths)) is not None:
                return match
            if place is places[0]:
                unused += entries
    remark = ""
    if unused:
        layout = next(layout for layout in LISTED if layout.read_lists(places[0]))
        such = f"such as {_shown(layout, unused[0], paths)}"
        remark = f"none of the {len(unused)} entries of {unused[0].source} and its like has a file here, {such}"
    if split_lists is not None:
        raise DatasetError(f"--split-lists {split_lists}: {remark or 'no split lists'}; expected {_EXPECTED}")
    layout, notes = layout_of_names(paths)
    if remark:
        notes.append(f"{remark}; the lists are not used")
    elif layout in (UCF101, HMDB51):
        notes.append(f"{layout.name} without split lists: name their folder with --split-lists")
    return Match(layout, places[0], notes=notes)


def lists_in(folder: Path, *, must_exist: bool = False) -> list[Path]:
    """Readable texts in a folder and in its folders of usual names; what else is beside the data is not looked at."""
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        if must_exist:
            raise DatasetError(f"--split-lists {folder}: {error.strerror}; name the folder of the lists") from None
        return []
    found: list[Path] = []
    for place in (folder, *(path for path in names if path.name.lower() in _LIST_FOLDERS)):
        with suppress(OSError):
            texts = sorted(path for path in place.iterdir() if path.suffix.lower() in LIST_SUFFIXES)
            found += [path for path in texts if path.is_file() and os.access(path, os.R_OK)]
    return found


def _match(layout: Layout, lists: list[Path], entries: list[Entry], paths: list[str]) -> Match | None:
    by_key: dict[str, Listing] = {}
    for entry in entries:
        by_key.setdefault(normalised(entry.key), {}).setdefault(entry.fold, entry)
    files_of = _keys_of_files(layout, paths, by_key)
    listings = {path: by_key[key] for path, key in files_of.items()}
    present = set(files_of.values())
    if not listings:
        return None
    for entry in entries:
        first = by_key[normalised(entry.key)][entry.fold]
        if first.side != entry.side:
            sides = f"{first.side} in {first.source} and {entry.side} in {entry.source}"
            raise DatasetError(f"{entry.key!a} is {sides}; take one of the two lines out")
    absent = [entry for entry in set(entries) if normalised(entry.key) not in present]
    folds = sorted({entry.fold for entry in entries})
    return Match(
        with_folders(layout, paths),
        lists,
        listings,
        folds,
        _notes_on_entries(layout, absent, paths) + _notes_on_places(layout, listings),
        Counter((entry.fold, entry.side) for entry in absent if entry.side is not None),
    )


def _keys_of_files(layout: Layout, paths: list[str], by_key: Mapping[str, Listing]) -> dict[str, str]:
    """Path -> key of the entry that names it: letter by letter, else the only one in another case of letters."""
    exact: dict[str, str] = {}
    others: dict[str, str] = {}
    for path in paths:
        key = normalised(layout.key_of(path))
        (exact if key in by_key else others)[path] = key
    taken, folded = set(exact.values()), defaultdict(list)
    for key in by_key:
        if key not in taken:
            folded[key.casefold()].append(key)
    for path, key in others.items():
        if len(found := folded.get(key.casefold(), [])) == 1:
            exact[path] = found[0]
    return exact


def _notes_on_entries(layout: Layout, absent: list[Entry], paths: list[str]) -> list[str]:
    """How many entries of each list have no file, with the first of them and the file whose name is most like it."""
    sources: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(absent, key=lambda entry: (entry.source, entry.line, entry.key)):
        sources[entry.source].append(entry)
    if len(sources) > 6:  # HMDB51 has 153 lists
        first = next(iter(sources.values()))[0]
        head = f"{len(absent)} entries of {len(sources)} lists have no file ({first.source} and others)"
        return [f"{head}, such as {_shown(layout, first, paths)}"]
    return [
        f"{len(entries)} entries of {source} have no file, such as {_shown(layout, entries[0], paths)}"
        for source, entries in sources.items()
    ]


def _shown(layout: Layout, entry: Entry, paths: list[str]) -> str:
    files = {layout.key_of(path): path for path in paths}
    near = nearest(entry.key, sorted(files))
    hint = f" (nearest: {printable(files[near])})" if near is not None else ""
    return (f"line {entry.line}: " if entry.line else "") + f"{entry.key!a}{hint}"


def _notes_on_places(layout: Layout, listings: dict[str, Listing]) -> list[str]:
    misplaced = sum(_is_misplaced(layout, path, listing) for path, listing in listings.items())
    if not misplaced:
        return []
    return [f"{misplaced} files lie in the folder of another class than their list says: the list is followed"]


def _is_misplaced(layout: Layout, path: str, listing: Listing) -> bool:
    folder = parent_name(path) if layout.label_of(path) else None
    labels = {_loose(entry.label) for entry in listing.values() if entry.label}
    return folder is not None and bool(labels) and _loose(folder) not in labels


def _loose(label: str) -> str:
    return normalised(label).replace("_", " ").casefold()
