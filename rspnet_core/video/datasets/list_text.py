r"""The one reader of list files: bytes -> numbered lines, rows of a csv, or records of a json, whoever wrote them.

UTF-8 with or without a mark, UTF-16, line ends of any system. Bytes that are not UTF-8 stay as surrogates, so that they
still equal the bytes of a file's name. What a line names, and what it says of it::

    Archery/v_Archery_g01_c01.avi 1          a number after blanks, a tab or a comma
    "shot put, heavy/a.avi", shot put        quotes hold a name together
    Archery\v_Archery_g01_c01.avi\tArchery   words after a tab, or after a video's suffix
    # a comment
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rspnet_core.errors import DatasetError, VideoError
from rspnet_core.text import printable
from rspnet_core.video.reading.sniff import open_regular

MOST_BYTES = 1 << 29
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_DELIMITERS = ",\t;"
_VIDEO_SUFFIX = r"\.(?:avi|mp4|m4v|mkv|webm|mov|wmv|flv|mpe?g|ts|mts|m2ts|3gp|ogv|vob|y4m|gif)"
_NAME_WITH_SUFFIX = re.compile(rf".*{_VIDEO_SUFFIX}(?=[\s,;]|$)", re.IGNORECASE)
_COMMENT = re.compile(r"#(?:[\s#!]|$)")


class Line(NamedTuple):
    """A line that says something."""

    number: int
    """Counted from 1."""
    text: str
    """Without blanks at its ends."""

    @property
    def shown(self) -> str:
        """The line for a message."""
        return f"line {self.number}: {self.text[:80]!a}"


def read_text(path: Path) -> str:
    """The text of a list. Raises DatasetError when the file is none, too large, or cannot be read."""
    try:
        with open_regular(path) as file:
            content = file.read(MOST_BYTES + 1) or b""
    except VideoError as error:
        raise DatasetError(f"cannot read {shown(path)}: {error}; name a list or csv") from None
    if len(content) > MOST_BYTES:
        raise DatasetError(f"{shown(path)} is larger than any list ({MOST_BYTES} bytes); name a list or csv")
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return _decoded(content[len(mark) :], encoding)
    return _decoded(content, _guessed(content[:4096]))


def _decoded(content: bytes, encoding: str) -> str:
    return content.decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")


def _guessed(head: bytes) -> str:
    """UTF-16 without a mark has a zero in nearly every other byte."""
    half = max(1, len(head) // 2)
    if len(head) >= 4 and head[1::2].count(0) > 0.7 * half and not head[::2].count(0):
        return "utf-16-le"
    if len(head) >= 4 and head[::2].count(0) > 0.7 * half and not head[1::2].count(0):
        return "utf-16-be"
    return "utf-8"


def read_lines(path: Path) -> Iterator[Line]:
    """Lines that are neither blank nor a comment. Raises DatasetError as ``read_text``."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", read_text(path)), start=1):
        text = line.strip()
        if text and not _COMMENT.match(text):
            yield Line(number, text)


def name_and_rest(text: str) -> tuple[str, str]:
    """What a line names, and what it says of it, ``""`` where that is nothing."""
    name, rest = _quoted(text) or _cut(text)
    return name, rest.strip(" \t,;\v\f")


def _cut(text: str) -> tuple[str, str]:
    if "\t" in text:
        name, _, rest = text.partition("\t")
        return name.strip(), _without_comment(rest)
    if (match := _NAME_WITH_SUFFIX.match(text)) is not None:
        return match[0].strip(), _without_comment(text[match.end() :])
    text = _without_comment(text).strip()
    words = re.split(r"[\s,;]", text[::-1], maxsplit=1)
    if len(words) == 2 and words[0].isdecimal():
        return words[1][::-1].rstrip(" \t,;"), words[0][::-1]
    return text, ""


def _quoted(text: str) -> tuple[str, str] | None:
    """The name between quotes, a doubled one within being one, and what follows; None without quotes that close."""
    quote = text[:1]
    if quote not in ("'", '"'):
        return None
    place = 1
    while (place := text.find(quote, place)) > 0:
        if text[place + 1 : place + 2] != quote:
            rest = text[place + 1 :]
            fits = not rest or rest[0] in " \t,;"
            return (text[1:place].replace(2 * quote, quote), _without_comment(rest)) if fits else None
        place += 2
    return None


def quoted(name: str) -> str:
    """``name`` as a line that names it, whatever else it holds but a line break."""
    return '"' + name.replace('"', '""') + '"'


def _without_comment(text: str) -> str:
    return re.split(r"(?:^|\s)#\s", text, maxsplit=1)[0]


def read_rows(path: Path, columns: set[str], *, must_fit: bool = False) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows, with the line they end in, of a csv that has all of the columns; none of any other file unless it must fit.

    Cells are separated by commas, tabs or semicolons, as the first line is.

    Raises DatasetError as ``read_text``, and for a csv that breaks off or does not fit.
    """
    lines = re.split(r"(?<=\n)", re.sub(r"\r\n?", "\n", read_text(path)))
    lines = ["\n" if _COMMENT.match(line) else line for line in lines]
    skipped = next((number for number, line in enumerate(lines) if line.strip()), 0)
    delimiter = max(_DELIMITERS, key=lines[skipped].count)
    reader = csv.DictReader(io.StringIO("".join(lines[skipped:])), restval="", delimiter=delimiter)
    fits = False
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        fits = columns <= set(names)
        for row in reader if fits else ():
            yield skipped + reader.line_num, {column: value for column, value in row.items() if isinstance(value, str)}
    except csv.Error as error:
        if fits or must_fit:
            raise DatasetError(f"{shown(path)}, line {skipped + reader.line_num}: no csv ({error})") from None
    if must_fit and not fits:
        raise DatasetError(f"{shown(path)} needs a first line with the columns {', '.join(sorted(columns))}")


def read_records(path: Path) -> list[dict[str, Any]] | None:
    """The objects of a json list, each with an ``id``; None of any other content. Raises as ``read_text``."""
    try:
        records = json.loads(read_text(path))
    except (ValueError, RecursionError):
        return None
    if isinstance(records, list) and all(isinstance(r, dict) and isinstance(r.get("id"), str | int) for r in records):
        return records
    return None


def shown(path: Path) -> str:
    """A list's name for a message."""
    return printable(str(path))


def bad_line(path: Path, number: int, line: str, expected: str) -> DatasetError:
    """The error that a line does not fit the format of its list."""
    return DatasetError(f"{shown(path)}, line {number}: got {line[:80]!a}, expected {expected}")
