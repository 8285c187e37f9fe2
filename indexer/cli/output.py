"""What all commands of ``rspnet-index`` share: shared options, plain lines on stderr, documents on stdout."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from rspnet_core.text import printable, printable_texts

PIPED_WIDTH = 120
"""Columns of a table that is written to a file or a pipe."""

UNTRAINED = (
    "the encoder is untrained (random weights of a fixed seed): take its answers as a baseline; "
    "give --weights rspnet:small, official:resnet18, or a file of your own"
)

log = Console(stderr=True, highlight=False)

IndexOption = Annotated[Path, typer.Option("--index", help="The library's folder (or the data folder it lies in).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
IndexTypeOption = Annotated[
    Literal["auto", "flat", "ivf"] | None,
    typer.Option(help="flat searches exactly, ivf fast; auto by size; default what the library keeps."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]


def say(line: str) -> None:
    """One plain line on stderr, whatever characters it holds."""
    log.print(printable(line), markup=False, soft_wrap=True)


def show(*tables: RenderableType) -> None:
    """Tables on stdout, as wide as the terminal; what its encoding lacks is escaped before widths are measured."""
    encoding = sys.stdout.encoding or "utf-8"
    columns = [column for table in tables if isinstance(table, Table) for column in table.columns]
    for cell in (cell for column in columns for cell in column.cells if isinstance(cell, Text)):
        cell.plain = cell.plain.encode(encoding, "backslashreplace").decode(encoding)
    Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(*tables, sep="\n")


def warn_untrained(encoder: Mapping[str, Any]) -> None:
    """Remind that an untrained encoder's answers mean little."""
    if encoder["trained"] is False:
        say(f"note: {UNTRAINED}")


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(printable_texts(document), indent=2) + "\n")
