"""``rspnet-index duplicates``: which videos of a library are copies of one another."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from indexer.cli.output import IndexOption, JsonOption, log, print_json, say, show
from rspnet_core.cli.command import SOME_FAILED
from rspnet_core.cli.progress import shown_on
from rspnet_core.text import counted, printable, told_apart

if TYPE_CHECKING:
    from indexer.catalogue.catalogue import VideoRow

_LISTED = 20


def duplicates(index: IndexOption, as_json: JsonOption = False) -> None:
    """List copies: the same content under several names, and the same footage encoded, resized, cropped or cut anew.

    The first time each video is read once more; later only new ones are. No file is touched.

    Example: [bold]rspnet-index duplicates --index demo[/bold]
    """
    from indexer.retrieval.copies import copies_document, find_copies
    from indexer.retrieval.library import Library

    with Library.open(index, device="cpu") as library, shown_on(log) as progress:
        found = find_copies(library, progress)
        document = copies_document(library, found)
    if as_json:
        print_json(document)
    elif found.groups:
        paths = [[entry["path"] for entry in group] for group in document["groups"]]
        show(_groups_table(found.groups, paths))
    for line in _closing_lines(document):
        say(line)
    if found.unreadable:
        raise typer.Exit(SOME_FAILED)


def _closing_lines(document: dict[str, Any]) -> Iterator[str]:
    groups, leaked, undecided = document["groups"], document["leaked"], document["undecided"]
    yield f"{counted(len(groups), 'group')} of copies, {counted(sum(map(len, groups)), 'video')}"
    if leaked:
        numbers = ", ".join(str(place + 1) for place in leaked[:_LISTED])
        yield f"leaks: copies on both sides of a split in groups {numbers}{' ...' if len(leaked) > _LISTED else ''}"
    if undecided:
        videos = counted(len(undecided), "video")
        yield f"cannot tell for {videos}: too little moves in them, and others show the same scene"
    for failure in document["failed"][:_LISTED]:
        yield f"not compared: {failure['path']}: {failure['reason']}"
    if len(document["failed"]) > _LISTED:
        yield f"not compared: {len(document['failed']) - _LISTED} more"


def _groups_table(groups: Sequence["list[VideoRow]"], paths: Sequence[list[str]]) -> Table:
    """A line a video: all facts of a group's first, and of the others those that differ from it."""
    from indexer.cli.tables import plain_table

    table = plain_table("Copies; of each group all facts of the first video, and what differs in the others")
    for name in ("group", "id", "video", "picture", "seconds", "fps", "container", "bytes", "split"):
        table.add_column(name, overflow="fold")
    names = iter(told_apart([path for group in paths for path in group]))
    for number, group in enumerate(groups, 1):
        first = _facts(group[0])
        for video in group:
            facts = _facts(video)
            shown = (
                facts
                if video is group[0]
                else ["" if fact == of else fact for fact, of in zip(facts, first, strict=True)]
            )
            cells = [str(number) if video is group[0] else "", video.id, printable(next(names)), *shown]
            table.add_row(*map(Text, cells))
    return table


def _facts(video: "VideoRow") -> list[str]:
    """What tells copies apart."""
    return [
        f"{video.width}x{video.height}",
        f"{video.duration_seconds:.2f}" if video.duration_seconds is not None else "",
        f"{video.fps:g}" if video.fps is not None else "",
        printable(Path(video.path).suffix.removeprefix(".").lower()),
        f"{video.size_bytes:,}",
        ", ".join(f"{side} ({fold})" if len(video.splits) > 1 else side for fold, side in sorted(video.splits.items())),
    ]
