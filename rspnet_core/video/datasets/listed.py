"""The videos of a folder that list files name: for commands that take ``--list``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rspnet_core.errors import DatasetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.layouts import KINETICS, UCF101
from rspnet_core.video.datasets.list_text import Line, name_and_rest, read_lines, read_records, read_rows, shown
from rspnet_core.video.datasets.names import Names
from rspnet_core.video.datasets.split_lists import KINETICS_COLUMNS, class_of_list, kinetics_key
from rspnet_core.video.datasets.tree import walk_videos

Say = Callable[[str], None]


@dataclass
class _Found:
    """What became of the lines of one list."""

    videos: set[str] = field(default_factory=set)
    lines: int = 0
    unmatched: list[Line] = field(default_factory=list)


def listed_videos(data: Path, list_files: list[Path], say: Say = lambda line: None) -> list[str]:
    """Paths of the videos of a folder, sorted: all of ``data``, or those that the lists name.

    ``say`` is told, in a line a list, how many of its lines name no video here, with the nearest name.

    Raises:
        DatasetError: a list cannot be read, none of its lines names a video here, or one may mean several.
    """
    problems = walk_videos(data).videos
    names = Names(problems, Path(data).resolve(), is_unique=_has_official_stem)
    wanted = set(problems)
    if list_files:
        wanted = set()
        for path in list_files:
            found = _read(path, names)
            _report(path, data, found, names, say)
            wanted |= found.videos
    if refused := sorted(path for path in wanted if problems[path] is not None):
        say(f"{len(refused)} videos must not be opened, such as {printable(refused[0])}: {problems[refused[0]]}")
    return sorted(wanted.difference(refused))


def _has_official_stem(stem: str) -> bool:
    """UCF101 and Kinetics call no two videos the same, HMDB51 does."""
    return any(layout.group_of(stem) is not None for layout in (UCF101, KINETICS))


def _read(path: Path, names: Names) -> _Found:
    found = _Found()
    for line, candidates in _named(path):
        found.lines += 1
        for name in candidates:
            matches = names.find(name)
            if len(matches) > 1:
                raise DatasetError(
                    f"{shown(path)}, {line.shown} may mean {printable(matches[0])} or {printable(matches[1])}; "
                    "write the folders before the name"
                )
            if matches:
                found.videos.add(matches[0])
                break
        else:
            found.unmatched.append(line)
    return found


def _named(path: Path) -> Iterator[tuple[Line, list[str]]]:
    """What each line of a list may name, the likelier first: a plain list, or an official csv or json."""
    if path.suffix.lower() == ".json" and (records := read_records(path)) is not None:
        for number, record in enumerate(records, start=1):
            yield Line(number, str(record["id"])), [str(record["id"])]
        return
    rows = list(read_rows(path, KINETICS_COLUMNS))
    for number, row in rows:
        key = kinetics_key(row)
        yield Line(number, ",".join(row.values())), [key, row["youtube_id"].strip()] if key else []
    if not rows:
        label = class_of_list(path)
        for line in read_lines(path):
            name, _ = name_and_rest(line.text)
            in_class = [f"{label}/{name}"] if label and "/" not in name else []
            yield line, [*in_class, name, *([line.text] if line.text != name else [])]


def _report(path: Path, data: Path, found: _Found, names: Names, say: Say) -> None:
    unmatched = found.unmatched
    if found.videos and not unmatched:
        return
    if not found.lines:
        raise DatasetError(
            f"{shown(path)} names no video: it is empty; write a path a line, relative to {printable(str(data))}"
        )
    first = unmatched[0]
    near = names.nearest(name_and_rest(first.text)[0])
    hint = f" (nearest: {printable(near)})" if near else ""
    count = f"{len(unmatched)} of the {found.lines} lines of {shown(path)}"
    told = f"{count} name no video of {printable(str(data))}, such as {first.shown}{hint}"
    if not found.videos:
        raise DatasetError(f"{told}; paths in lists are relative to the data folder")
    say(told)
