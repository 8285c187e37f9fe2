"""The official list files of UCF101, HMDB51, Kinetics and Something-Something-V2, read into one form.

- UCF101: ``trainlist01.txt`` and ``testlist01.txt`` of ``Archery/v_Archery_g01_c02.avi 3``
- HMDB51: ``kiss_test_split1.txt`` of ``a b;c#_kiss_u_nm_np2_le_goo_8.avi 1``
- Kinetics: any csv with the columns ``label,youtube_id,time_start,time_end,split``
- Something-Something-V2: ``something-something-v2-train.json`` of ``{"id": "7", "template": "Holding [something]"}``
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.list_text import (
    bad_line,
    name_and_rest,
    read_lines,
    read_records,
    read_rows,
    shown,
)
from rspnet_core.video.datasets.names import stem_of

Side = Literal["train", "test", "val"]

_UCF_LIST = re.compile(r"(train|test|val)list0*([1-9]\d?)\.txt", re.IGNORECASE)
_HMDB_LIST = re.compile(r"(.+)_test_split([1-9])\.txt", re.DOTALL | re.IGNORECASE)
_SOMETHING_LIST = re.compile(r"(something-something-v2-)?(train|validation|test)\.json", re.IGNORECASE)
_UCF_STEM = re.compile(r"v_.+_g\d+_c\d+", re.IGNORECASE)
_NUMBERED_CLASS = re.compile(r"\d+[\s,;]+(\S.*)")
KINETICS_COLUMNS = {"youtube_id", "time_start", "time_end"}

SIDE_OF_WORD: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list."""

    key: str
    """What the layout calls the video: its stem; ``Class/stem`` for HMDB51, which has a stem in several classes."""
    fold: int
    side: Side | None
    """None: the list names the video but puts it on neither side (HMDB51's 0)."""
    label: str | None
    source: str
    """The list's file name, for messages."""
    line: int = field(default=0, compare=False)
    """Where in the list, counted from 1; 0 in a json."""


def class_of_list(path: Path) -> str | None:
    """The class whose videos alone a list names, by the list's name (HMDB51's)."""
    match = _HMDB_LIST.fullmatch(path.name)
    return match[1] if match else None


def read_ucf101(lists: list[Path]) -> list[Entry]:
    """Read ``trainlist01.txt``, ``testlist01.txt``, ``vallist01.txt`` ...; the key is the stem."""
    entries = []
    for path in lists:
        match = _UCF_LIST.fullmatch(path.name)
        if match is None:
            continue
        for number, line in read_lines(path):
            name, _ = name_and_rest(line)
            folders, _, file_name = name.replace("\\", "/").rpartition("/")
            if not file_name or not (folders or stem_of(file_name) != file_name or _UCF_STEM.match(file_name)):
                raise bad_line(path, number, line, "Class/v_Class_g01_c01.avi 1")
            label = folders.rpartition("/")[2] or None
            side, fold = SIDE_OF_WORD[match[1].lower()], int(match[2])
            entries.append(Entry(stem_of(file_name), fold, side, label, printable(path.name), number))
    return entries


def read_hmdb51(lists: list[Path]) -> list[Entry]:
    """Read ``CLASS_test_split1.txt`` ...: 1 trains, 2 tests, 0 does neither; the key is ``Class/stem``."""
    sides: dict[str, Side | None] = {"0": None, "1": "train", "2": "test"}
    entries = []
    for path in lists:
        match = _HMDB_LIST.fullmatch(path.name)
        if match is None:
            continue
        label, fold = match[1], int(match[2])
        for number, line in read_lines(path):
            name, side = name_and_rest(line)
            name = name.replace("\\", "/").rpartition("/")[2]
            if not name or side not in sides:
                raise bad_line(path, number, line, "name.avi 1 (1 trains, 2 tests, 0 does neither)")
            entries.append(Entry(f"{label}/{stem_of(name)}", fold, sides[side], label, printable(path.name), number))
    return entries


def read_kinetics(lists: list[Path]) -> list[Entry]:
    """Read every csv with the columns youtube_id, time_start and time_end; the key is ``id_000010_000020``.

    The side is the ``split`` column, else the word train, val or test in the file's name.
    """
    entries = []
    for path in lists:
        if path.suffix.lower() != ".csv":
            continue
        for number, row in read_rows(path, KINETICS_COLUMNS):
            word = row.get("split") or next(
                (w for w in re.split(r"[^a-z]+", path.stem.lower()) if w in SIDE_OF_WORD), ""
            )
            side = SIDE_OF_WORD.get(word.strip().lower())
            key = kinetics_key(row)
            if side is None or key is None:
                raise bad_line(path, number, ",".join(row.values()), "label,youtube_id,0,10,train|val|test")
            label = (row.get("label") or "").strip() or None
            entries.append(Entry(key, 1, side, label, printable(path.name), number))
    return entries


def kinetics_key(row: dict[str, str]) -> str | None:
    """What files call the video of a row, ``id_000010_000020``; None where its times are no numbers."""
    try:
        start, end = (round(float(row[column])) for column in ("time_start", "time_end"))
    except (ValueError, OverflowError):
        return None
    return f"{row['youtube_id'].strip()}_{start:06d}_{end:06d}"


def read_something_something(lists: list[Path]) -> list[Entry]:
    """Read the json lists; the key is the id, the label the template without its brackets (tests have no label)."""
    entries = []
    for path in lists:
        match = _SOMETHING_LIST.fullmatch(path.name)
        if match is None:
            continue
        records = read_records(path)
        if records is None:
            if match[1] is None:
                continue  # a train.json of something else
            raise DatasetError(
                f'{shown(path)} is no json list of {{"id", "label", "template"}}; take the official file'
            )
        for record in records:
            template = record.get("template")
            label = template.replace("[", "").replace("]", "").strip() if isinstance(template, str) else None
            side = SIDE_OF_WORD[match[2].lower()]
            entries.append(Entry(str(record["id"]), 1, side, label or None, printable(path.name)))
    return entries


def read_class_numbers(lists: list[Path]) -> set[str]:
    """Give the names in UCF101's ``classInd.txt`` (``1 Archery``); empty where there is no such file."""
    names = set()
    for path in lists:
        if path.name.lower() != "classind.txt":
            continue
        for number, line in read_lines(path):
            match = _NUMBERED_CLASS.fullmatch(line)
            if match is None:
                raise bad_line(path, number, line, "1 ClassName")
            names.add(match[1].strip("\"'"))
    return names


def read_families(path: Path) -> dict[str, str]:
    """Read a csv of the columns class and family: class -> family.

    Raises:
        DatasetError: no such file, no such columns, an empty cell, or a class in two families.

    """
    families: dict[str, str] = {}
    for number, row in read_rows(path, {"class", "family"}, must_fit=True):
        label, family = row["class"].strip(), row["family"].strip()
        if not label or not family:
            raise bad_line(path, number, ",".join(row.values()), "class,family")
        if families.setdefault(label, family) != family:
            raise DatasetError(f"{shown(path)}: class {label} is in {families[label]} and in {family}; keep one line")
    return families
