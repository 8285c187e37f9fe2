"""Options of commands that look at some of a library's videos: of one class, side or folder, of some length or date."""

from typing import Annotated, Literal

import typer

LabelOption = Annotated[str | None, typer.Option("--label", help="Only videos of this class.")]
SplitOption = Annotated[str | None, typer.Option("--split", help="Only train, test or val of official split 1.")]
FolderOption = Annotated[str | None, typer.Option("--folder", help="Only videos below this folder of the data folder.")]
MinSecondsOption = Annotated[float | None, typer.Option(help="Only videos at least this long.")]
MaxSecondsOption = Annotated[float | None, typer.Option(help="Only videos at most this long.")]
MinMbOption = Annotated[float | None, typer.Option(help="Only files of at least so many megabytes.")]
MaxMbOption = Annotated[float | None, typer.Option(help="Only files of at most so many.")]
SinceOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only files of this day (UTC) or later, such as 2026-03-01.")
]
UntilOption = Annotated[str | None, typer.Option(metavar="DATE", help="Only files of this day or earlier.")]
AddedSinceOption = Annotated[
    str | None, typer.Option(metavar="DATE", help="Only videos that were first indexed on this day or later.")
]
TagOption = Annotated[str | None, typer.Option("--tag", help="Only videos with this tag.")]
LeaveOutOption = Annotated[
    Literal["group", "recording"] | None,
    typer.Option(help="Leave out the query's own group (of its class), or recording (of all)."),
]
