"""``rspnet-index``: build a library of videos, search it, score it, look after it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from indexer.cli.benchmark import benchmark, compare
from indexer.cli.duplicates import duplicates
from indexer.cli.heatmap import heatmap
from indexer.cli.output import (
    DeviceOption,
    IndexTypeOption,
    JsonOption,
    log,
    print_json,
    say,
)
from indexer.cli.playback import playback
from indexer.cli.search import search
from indexer.cli.simulate import simulate
from indexer.cli.speed import app as speed_app
from indexer.cli.tag import app as tag_app
from indexer.cli.upkeep import export, info, remove, repair, roots, verify
from rspnet_core.cli.command import INTERRUPTED, SOME_FAILED, program, run

app = program("Find videos by what moves and by what is seen.")


@app.command("sample-data")
def sample_data(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one that this command made before.")],
    groups: Annotated[int, typer.Option(help="Looks, 2 to 99; each motion is in each, at two speeds.")] = 4,
    seed: Annotated[int, typer.Option(help="Of colours, backgrounds, starting positions and programs.")] = 0,
    programs: Annotated[int, typer.Option(help="2 to 99 random motion programs; 0, eight motions with names.")] = 0,
) -> None:
    """Write labelled synthetic videos: motions x textures x playback speeds, with their ground truth.

    Example: [bold]rspnet-index sample-data demo[/bold]

    Example: [bold]rspnet-index sample-data heldout --groups 6 --seed 77[/bold]

    Example: [bold]rspnet-index sample-data rendered --programs 24 --groups 8[/bold]
    """
    from rspnet_core.video.making.synthetic import write_sample_data

    manifest = write_sample_data(folder, groups=groups, seed=seed, programs=programs)
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
    Literal["torch", "openvino", "openvino-int8"] | None,
    typer.Option(help="What encodes; default what the library keeps, or the faster of torch and openvino."),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache", help="A folder to keep reduced copies of the videos in: another encoder then decodes much less."
    ),
]
CacheLimitOption = Annotated[
    float | None, typer.Option("--cache-limit", help="Gigabytes of it; 20 where never said.", min=0.001, max=1e6)
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
    index_type: IndexTypeOption = None,
    cache: CacheOption = None,
    cache_limit: CacheLimitOption = None,
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
            index_type=index_type,
            cache=cache,
            cache_gigabytes=cache_limit,
            started=progress.started,
            progress=progress.advance,
            calibrating=progress.calibrating,
        )
    for line in build_lines(report, index or data / FOLDER_NAME):
        say(line)
    if as_json:
        print_json(report.to_json())
    if report.interrupted:
        raise typer.Exit(INTERRUPTED)
    if report.failed:
        raise typer.Exit(SOME_FAILED)


for command in (
    search, benchmark, compare, heatmap, duplicates, playback, info, verify, repair, remove, export, roots, simulate,
):  # fmt: skip
    app.command()(command)
app.add_typer(speed_app, name="speed")
app.add_typer(tag_app, name="tag")


def main() -> None:
    """Entry point: one line and the right exit code for a user's mistake, no traceback."""
    run(app, "rspnet-index")
