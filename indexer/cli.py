"""``rspnet-index``: build a library of videos, search it, score it, look after it."""

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from rspnet_core.errors import RspnetError

app = typer.Typer(
    help="Find videos by what moves and by what is seen.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
log = Console(stderr=True, highlight=False)

INTERRUPTED = 130
SOME_FAILED = 3

IndexOption = Annotated[Path, typer.Option("--index", help="The library's folder (or the data folder it lies in).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]


def print_json(document: dict[str, Any]) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=True) + "\n")


@app.command("sample-data")
def sample_data(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that this command made before.")],
) -> None:
    """Write labelled synthetic videos: motions x textures x playback speeds, with their ground truth.

    Example: [bold]rspnet-index sample-data demo[/bold]
    """
    from rspnet_core.video.synthetic import write_sample_data

    manifest = write_sample_data(folder)
    log.print(f"{len(manifest)} videos in {folder}; next: rspnet-index build {folder}")


@app.command()
def build(
    data: Annotated[Path, typer.Argument(help="Folder of videos; its layout is recognised.")],
    index: Annotated[Path | None, typer.Option("--index", help="Where the library goes; default DATA/.rspnet.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="A .safetensors or official .pth.tar file, official:resnet18 or torchvision:r3d_18."),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="c3d, resnet18, r2plus1d, s3dg or tsm18, untrained, where no weights are given.")
    ] = None,
    pooling: Annotated[
        Literal["max-mean", "mean"] | None, typer.Option(help="max-mean is the paper's, mean the authors' release's.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(help="Resample to this rate by timestamps (the paper: 25); default as recorded.")
    ] = None,
    split_lists: Annotated[Path | None, typer.Option(help="Folder of the official lists, if not beside DATA.")] = None,
    fold: Annotated[int, typer.Option(help="Official split whose leakage is checked.", min=1)] = 1,
    catalogue: Annotated[
        str | None, typer.Option(help="postgresql+psycopg://... to keep the catalogue there; default SQLite.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Decoding processes.", min=1, max=256)] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Index all videos of a folder; run again, it embeds only what is new or changed.

    Examples: [bold]rspnet-index build demo[/bold]
    [bold]rspnet-index build ucf101 --weights official:resnet18 --index /fast/ucf101[/bold]
    """
    from indexer.build import build_library
