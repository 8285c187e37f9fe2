"""``rspnet-index``: build a library of videos, search it, score it, look after it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from indexer.cli.benchmark import benchmark, compare
from indexer.cli.duplicates import duplicates
from indexer.cli.heatmap import heatmap
from indexer.cli.output import (
    DeviceOption,
    FolderOption,
    IndexOption,
    JsonOption,
    LabelOption,
    SplitOption,
    log,
    print_json,
    say,
    show,
    warn_untrained,
)
from indexer.cli.simulate import simulate
from indexer.cli.speed import app as speed_app
from indexer.cli.upkeep import export, info, remove, repair, roots, verify
from indexer.retrieval.chance import DEFAULT_RATE
from rspnet_core.cli.command import INTERRUPTED, SOME_FAILED, OwnBackboneOption, program, run

app = program("Find videos by what moves and by what is seen.")


@app.command("sample-data")
def sample_data(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that this command made before.")],
    groups: Annotated[int, typer.Option(help="Looks, 2 to 99; there are 16 videos of each.")] = 4,
    seed: Annotated[int, typer.Option(help="Of colours, backgrounds and starting positions.")] = 0,
) -> None:
    """Write labelled synthetic videos: motions x textures x playback speeds, with their ground truth.

    Example: [bold]rspnet-index sample-data demo[/bold]

    Example: [bold]rspnet-index sample-data heldout --groups 6 --seed 77[/bold]
    """
    from rspnet_core.video.making.synthetic import write_sample_data

    manifest = write_sample_data(folder, groups=groups, seed=seed)
    say(f"{len(manifest.videos)} videos in {folder}; next: rspnet-index build {folder}")


WeightsOption = Annotated[
    str | None,
    typer.Option(
        help="rspnet:small (the default), official:resnet18, torchvision:r3d_18, hf:USER/NAME, none (random weights), "
        "or a .safetensors or official .pth.tar file."
    ),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        help="Without weights: energy, or untrained c3d, resnet18, r2plus1d, s3dg, tsm18; or package.module:factory."
    ),
]
PoolingOption = Annotated[
    Literal["max-mean", "mean"] | None, typer.Option(help="max-mean is the paper's, mean the authors' release's.")
]
FpsOption = Annotated[
    float | None, typer.Option(help="Resample to this rate by timestamps (the paper: 25); default as recorded.")
]
ListsOption = Annotated[Path | None, typer.Option(help="Folder of the official lists, if not beside DATA.")]
LinksOption = Annotated[
    list[Path] | None, typer.Option(help="A folder that symbolic links may lead into, such as a cache; repeatable.")
]
CatalogueOption = Annotated[
    str | None, typer.Option(help="postgresql+psycopg://... to keep the catalogue there; default SQLite.")
]
EngineOption = Annotated[
    Literal["local", "ray"], typer.Option(help="Decode here, or on the Ray cluster of RAY_ADDRESS.")
]
BackendOption = Annotated[
    Literal["torch", "openvino"] | None,
    typer.Option(help="What encodes; default what the library keeps, or the fastest, measured once."),
]


@app.command()
def build(
    data: Annotated[Path, typer.Argument(help="Folder of videos; its layout is recognised.")],
    index: Annotated[Path | None, typer.Option("--index", help="Where the library goes; default DATA/.rspnet.")] = None,
    weights: WeightsOption = None,
    backbone: BackboneOption = None,
    pooling: PoolingOption = None,
    fps: FpsOption = None,
    split_lists: ListsOption = None,
    fold: Annotated[int | None, typer.Option(help="Official split that the lists must have.", min=1)] = None,
    follow_links: LinksOption = None,
    catalogue: CatalogueOption = None,
    engine: EngineOption = "local",
    workers: Annotated[int | None, typer.Option(help="Decoding processes.", min=1, max=256)] = None,
    device: DeviceOption = "auto",
    backend: BackendOption = None,
    as_json: JsonOption = False,
) -> None:
    """Index all videos of a folder; run again, it embeds only what is new or changed.

    Examples: [bold]rspnet-index build demo[/bold]
    [bold]rspnet-index build ucf101 --weights official:resnet18 --index /fast/ucf101[/bold]
    """
    from indexer.cli.console import BuildProgress, build_lines
    from indexer.index.place import FOLDER_NAME
    from indexer.ingest.build import build_library

    with BuildProgress(log) as progress:
        report = build_library(
            data,
            index=index,
            weights=weights,
            backbone=backbone,
            pooling=pooling,
            fps=fps,
            split_lists=split_lists,
            fold=fold,
            follow_links=follow_links or (),
            catalogue_url=catalogue,
            engine_name=engine,
            workers=workers,
            device=device,
            backend=backend,
            started=progress.started,
            progress=progress.advance,
        )
    for line in build_lines(report, index or data / FOLDER_NAME):
        say(line)
    if as_json:
        print_json(report.to_json())
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.failed:
        raise typer.Exit(SOME_FAILED)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="A video file, or the id of an indexed video.")],
    index: IndexOption,
    top: Annotated[int, typer.Option(help="How many hits.", min=1)] = 5,
    motion: Annotated[float | None, typer.Option(help="Weight of the motion (RSP) vectors; default 0.")] = None,
    appearance: Annotated[
        float | None, typer.Option(help="Weight of the appearance vectors (A-VID); default 0.")
    ] = None,
    backbone_weight: Annotated[float | None, typer.Option(help="Weight of the backbone's vectors; default 1.")] = None,
    look_of: Annotated[
        str | None,
        typer.Option(
            help="Hits move like the query and look like this file or id; motion and appearance then weigh 1."
        ),
    ] = None,
    like: Annotated[list[str] | None, typer.Option(help="A further file or id to be like; repeatable.")] = None,
    unlike: Annotated[list[str] | None, typer.Option(help="A file or id to be less like; repeatable.")] = None,
    start: Annotated[float | None, typer.Option(help="Query by a segment: its start in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Its end in seconds.")] = None,
    moments: Annotated[bool, typer.Option("--moments", help="Show the best matching moment of each hit.")] = False,
    label: LabelOption = None,
    split: SplitOption = None,
    folder: FolderOption = None,
    min_seconds: Annotated[float | None, typer.Option(help="Only videos at least this long.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Only videos at most this long.")] = None,
    min_mb: Annotated[float | None, typer.Option(help="Only files of at least so many megabytes.")] = None,
    max_mb: Annotated[float | None, typer.Option(help="Only files of at most so many.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only files of this day (UTC) or later, such as 2026-03-01.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Only files of this day or earlier.")] = None,
    added_since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only videos that were first indexed on this day or later.")
    ] = None,
    leave_out: Annotated[
        Literal["group", "recording"] | None,
        typer.Option(help="Leave out the query's own group (of its class), or recording (of all)."),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(help="Share of unrelated pairs that may score above the line of what is unusual.")
    ] = DEFAULT_RATE,
    backbone: OwnBackboneOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find the videos most like a video, a segment of it, or an indexed video.

    Scores are the weighted mean of the parts' cosines: 1 is the same video. How rare one is, "pairs below" says: the
    share of the library's pairs of videos that are less alike. By motion alone:
    [bold]rspnet-index search clip.mp4 --index demo --motion 1 --backbone-weight 0[/bold]. What moves like one video and
    looks like another: [bold]rspnet-index search runner.mp4 --look-of snow.mp4 --index demo[/bold]
    """
    from indexer.cli.tables import hits_table
    from indexer.retrieval.composition import Examples
    from indexer.retrieval.library import Library
    from indexer.retrieval.search import usual_weights

    others = Examples(look_of=look_of, like=tuple(like or ()), unlike=tuple(unlike or ()))
    weights = usual_weights(others.composition, backbone=backbone_weight, motion=motion, appearance=appearance)
    with Library.open(index, device=device, backbone=backbone) as library:
        result = library.search(
            query,
            top=top,
            weights=weights,
            start_seconds=start,
            end_seconds=end,
            moments=moments,
            label=label,
            split=split,
            folder=folder,
            look_of=others.look_of,
            like=others.like,
            unlike=others.unlike,
            false_alarms=false_alarms,
            min_seconds=min_seconds,
            max_seconds=max_seconds,
            min_mb=min_mb,
            max_mb=max_mb,
            since=since,
            until=until,
            added_since=added_since,
            leave_out=leave_out,
        )
        warn_untrained(library.record.description)
    if as_json:
        print_json(result.to_json())
    else:
        show(hits_table(result))


for command in (benchmark, compare, heatmap, duplicates, info, verify, repair, remove, export, roots, simulate):
    app.command()(command)
app.add_typer(speed_app, name="speed")


def main() -> None:
    """Entry point: one line and the right exit code for a user's mistake, no traceback."""
    run(app, "rspnet-index")
