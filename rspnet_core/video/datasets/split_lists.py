"""The official list files of UCF101, HMDB51, Kinetics and Something-Something-V2, read into one form.

- UCF101: ``trainlist01.txt`` and ``testlist01.txt`` of ``Archery/v_Archery_g01_c02.avi 3``
- HMDB51: ``kiss_test_split1.txt`` of ``a b;c#_kiss_u_nm_np2_le_goo_8.avi 1``
- Kinetics: any csv with the columns ``label,youtube_id,time_start,time_end,split``
- Something-Something-V2: ``something-something-v2-train.json`` of ``{"id": "7", "template": "Holding [something]"}``
"""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable

Side = Literal["train", "test", "val"]

_UCF_LIST = re.compile(r"(train|test|val)list0*([1-9]\d?)\.txt", re.IGNORECASE)
_HMDB_LIST = re.compile(r"(.+)_test_split([1-9])\.txt", re.DOTALL | re.IGNORECASE)
_SOMETHING_LIST = re.compile(r"(something-something-v2-)?(train|validation|test)\.json", re.IGNORECASE)
_KINETICS_COLUMNS = {"youtube_id", "time_start", "time_end"}

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


def stem_of(name: str) -> str:
    """Give a file name without its last suffix: lists say ``.avi`` where converted files say ``.mp4``."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and stem and suffix.isalnum() else name


def read_ucf101(lists: list[Path]) -> list[Entry]:
    """Read ``trainlist01.txt``, ``testlist01.txt``, ``vallist01.txt`` ...; the key is the stem."""
    entries = []
    for path in lists:
        match = _UCF_LIST.fullmatch(path.name)
        if match is None:
            continue
        for number, line in _lines(path):
            name, _, last = line.rpartition(" ")
            if not (name and last.isdecimal()):
                name = line
            label, _, file_name = name.strip().replace("\\", "/").rpartition("/")
            if not label or not file_name:
                raise _bad_line(path, number, line, "Class/v_Class_g01_c01.avi 1")
            label = label.rpartition("/")[2]
            side, fold = SIDE_OF_WORD[match[1].lower()], int(match[2])
            entries.append(Entry(stem_of(file_name), fold, side, label, printable(path.name)))
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
        for number, line in _lines(path):
            name, _, side = line.rpartition(" ")
            if not name.strip() or side not in sides:
                raise _bad_line(path, number, line, "name.avi 1 (1 trains, 2 tests, 0 does neither)")
            entries.append(Entry(f"{label}/{stem_of(name.strip())}", fold, sides[side], label, printable(path.name)))
    return entries


def read_kinetics(lists: list[Path]) -> list[Entry]:
    """Read every csv with the columns youtube_id, time_start and time_end; the key is ``id_000010_000020``.

    The side is the ``split`` column, else the word train, val or test in the file's name.
    """
    entries = []
    for path in lists:
        if path.suffix.lower() != ".csv":
            continue
        for number, row in _rows(path, _KINETICS_COLUMNS):
            word = row.get("split") or next(
                (w for w in re.split(r"[^a-z]+", path.stem.lower()) if w in SIDE_OF_WORD), ""
            )
            side = SIDE_OF_WORD.get(word.strip().lower())
            try:
                start, end = (round(float(row[column])) for column in ("time_start", "time_end"))
            except (ValueError, OverflowError):
                side = None
            if side is None:
                raise _bad_line(path, number, ",".join(row.values()), "label,youtube_id,0,10,train|val|test")
            key = f"{row['youtube_id'].strip()}_{start:06d}_{end:06d}"
            entries.append(Entry(key, 1, side, (row.get("label") or "").strip() or None, printable(path.name)))
    return entries


def read_something_something(lists: list[Path]) -> list[Entry]:
    """Read the json lists; the key is the id, the label the template without its brackets (tests have no label)."""
    entries = []
    for path in lists:
        match = _SOMETHING_LIST.fullmatch(path.name)
        if match is None:
            continue
        records = _records(path)
        if records is None:
            if match[1] is None:
                continue  # a train.json of something else
            raise DatasetError(
                f'{_shown(path)} is no json list of {{"id", "label", "template"}}; take the official file'
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
        for number, line in _lines(path):
            index, _, name = line.partition(" ")
            if not index.isdecimal() or not name.strip():
                raise _bad_line(path, number, line, "1 ClassName")
            names.add(name.strip())
    return names


def read_paths(path: Path) -> list[str]:
    """Give the videos that a list names: of each line all but a class number at its end (UCF101's lists have one)."""
    names = []
    for _, line in _lines(path):
        name, *number = line.rsplit(maxsplit=1)
        names.append(name if number and number[0].isdecimal() else line)
    return names


def read_families(path: Path) -> dict[str, str]:
    """Read a csv of the columns class and family: class -> family.

    Raises:
        DatasetError: no such file, no such columns, an empty cell, or a class in two families.

    """
    families: dict[str, str] = {}
    for number, row in _rows(path, {"class", "family"}, must_fit=True):
        label, family = row["class"].strip(), row["family"].strip()
        if not label or not family:
            raise _bad_line(path, number, ",".join(row.values()), "class,family")
        if families.setdefault(label, family) != family:
            raise DatasetError(f"{_shown(path)}: class {label} is in {families[label]} and in {family}; keep one line")
    return families


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line.strip()


def _rows(path: Path, columns: set[str], *, must_fit: bool = False) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a csv that has all of the columns; none of any other file unless it must fit."""
    with _open(path) as file:
        reader = csv.DictReader(file, restval="")
        fits = False
        try:
            fits = columns <= set(reader.fieldnames or ())
            for row in reader if fits else ():
                yield reader.line_num, {column: value for column, value in row.items() if isinstance(value, str)}
        except csv.Error as error:
            if fits or must_fit:
                raise DatasetError(f"{_shown(path)}, line {reader.line_num}: no csv ({error})") from None
        if must_fit and not fits:
            raise DatasetError(f"{_shown(path)} needs a first line with the columns {', '.join(sorted(columns))}")


def _records(path: Path) -> list[dict[str, Any]] | None:
    try:
        with _open(path) as file:
            records = json.load(file)
    except (ValueError, RecursionError):
        return None
    if isinstance(records, list) and all(isinstance(r, dict) and isinstance(r.get("id"), str | int) for r in records):
        return records
    return None


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    try:
        if not path.is_file():  # a FIFO would wait for ever
            raise DatasetError(f"{_shown(path)} is not a file; name a list or csv")
        # Surrogates keep bytes that are not UTF-8 as they are, so that they still equal the bytes of a file's name.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=None) as file:
            yield file
    except OSError as error:
        raise DatasetError(f"cannot read {_shown(path)}: {error.strerror}") from None


def _shown(path: Path) -> str:
    return printable(str(path))


def _bad_line(path: Path, number: int, line: str, expected: str) -> DatasetError:
    return DatasetError(f"{_shown(path)}, line {number}: got {line[:80]!a}, expected {expected}")
