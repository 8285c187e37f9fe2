"""``rspnet-index speed``: what builds and searches cost here, beside the plainest code that does the same."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from indexer.cli.output import DeviceOption, IndexOption, JsonOption, print_json, say, show
from rspnet_core.cli.command import commands

if TYPE_CHECKING:
    from indexer.bench.build_speed import Kind
    from indexer.bench.turns import Measured

app = commands("Measure decoding, encoding, builds and searches beside the plainest code that does the same.")
RoundsOption = Annotated[int, typer.Option("--rounds", help="Times that each is measured, in turns.", min=1)]


DataArgument = Annotated[Path, typer.Argument(help="A folder of videos; nothing is written there.", show_default=False)]
WeightsOption = Annotated[str | None, typer.Option(help="As of rspnet-index build.", show_default=False)]
BackboneOption = Annotated[str | None, typer.Option(help="As of rspnet-index build.", show_default=False)]
BackendOption = Annotated[Literal["torch", "openvino"], typer.Option(help="What encodes: torch or openvino.")]
VideosOption = Annotated[int, typer.Option("--videos", help="How many files, spread over the folder.", min=1)]


@app.command("decode")
def speed_decode(
    data: DataArgument,
    weights: WeightsOption = None,
    backbone: BackboneOption = None,
    videos: VideosOption = 20,
    rounds: RoundsOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure decoding an encoder's clips, from files and from reduced copies, beside full-size frames, file by file.

    Example: [bold]rspnet-index speed decode ucf101/[/bold]
    """
    _measure_build(
        ("decode", "copies"), as_json, data, weights=weights, backbone=backbone, videos=videos, rounds=rounds
    )


@app.command("encode")
def speed_encode(
    data: DataArgument,
    weights: WeightsOption = None,
    backbone: BackboneOption = None,
    backend: BackendOption = "torch",
    device: DeviceOption = "auto",
    videos: VideosOption = 20,
    rounds: RoundsOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure encoding clips that are decoded already beside the network as it was trained, in float32.

    Example: [bold]rspnet-index speed encode ucf101/ --backbone s3dg --backend openvino --videos 10[/bold]
    """
    _measure_build(
        ("encode",),
        as_json,
        data,
        weights=weights,
        backbone=backbone,
        backend=backend,
        device=device,
        videos=videos,
        rounds=rounds,
    )


@app.command("build")
def speed_build(
    data: DataArgument,
    weights: WeightsOption = None,
    backbone: BackboneOption = None,
    backend: BackendOption = "torch",
    device: DeviceOption = "auto",
    videos: VideosOption = 20,
    rounds: RoundsOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure decoding, encoding and building beside a plain loop: full-size frames, float32, file by file.

    Example: [bold]rspnet-index speed build ucf101/[/bold]

    Example: [bold]rspnet-index speed build ucf101/ --backbone s3dg --backend openvino --videos 10[/bold]
    """
    _measure_build(
        ("decode", "encode", "build"),
        as_json,
        data,
        weights=weights,
        backbone=backbone,
        backend=backend,
        device=device,
        videos=videos,
        rounds=rounds,
    )


def _measure_build(kinds: "tuple[Kind, ...]", as_json: bool, data: Path, **settings: Any) -> None:
    from indexer.bench.build_speed import measure_build

    found = measure_build(data, kinds=kinds, **settings)
    if as_json:
        print_json(found.document())
        return
    runs = found.encoder
    say(f"{found.videos} videos, {runs['backbone']} by {runs['backend']} on {runs['device']} in {runs['precision']}")
    show(_table(found.rows))


@app.command("search")
def speed_search(
    index: IndexOption = Path(),
    queries: Annotated[int, typer.Option("--queries", help="Videos to search by, spread over it.", min=1)] = 20,
    rounds: RoundsOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure searches by indexed videos beside a product of all vectors with the query, and beside the memory's speed.

    Example: [bold]rspnet-index speed search --index ucf101/.rspnet[/bold]
    """
    from indexer.bench.search_speed import measure_search

    found = measure_search(index, queries=queries, rounds=rounds)
    if as_json:
        print_json(found.document())
        return
    say(f"{found.queries} searches of {found.videos} videos; memory is read with {found.gigabytes_per_second:.1f} GB/s")
    show(_table(found.rows))


@app.command("publish")
def speed_publish(
    videos: Annotated[
        list[int] | None, typer.Option("--videos", help="Size of the library before; repeatable.", show_default=False)
    ] = None,
    rounds: RoundsOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Measure committing videos, and publishing one more, beside a transaction each and an index written anew.

    Libraries of simulated videos, 1,000 and 10,000 without --videos, are filled in a temporary folder.

    Example: [bold]rspnet-index speed publish --videos 1000 --videos 100000[/bold]
    """
    from indexer.bench.publish_speed import measure_publish

    found = measure_publish(videos or (1000, 10_000), rounds=rounds)
    if as_json:
        print_json(found.document())
        return
    for size, rows in found.sizes.items():
        say(f"{size} videos before")
        show(_table(rows))


@app.command("recall")
def speed_recall(
    index: IndexOption = Path(),
    queries: Annotated[int, typer.Option("--queries", help="Videos to search by, drawn from it.", min=1)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Measure what the index finds of the ten nearest, by weights and filters, and its time beside an exact search.

    Example: [bold]rspnet-index speed recall --index ucf101/.rspnet[/bold]
    """
    from indexer.bench.recall_table import measure_recall

    found = measure_recall(index, queries=queries)
    if as_json:
        print_json(found.document())
        return
    say(f"{found.queries} searches of {found.videos} videos, index {found.index_type}")
    table = Table("weights", "let through", "recall", "seconds", "exact", "times as fast")
    for row in found.rows:
        weights = ", ".join(f"{part} {share:.0%}" for part, share in row.weights.items() if share)
        times = f"{row.exact_seconds / row.seconds:.3g}"
        cells = (
            weights,
            f"{row.let_through:.0%}",
            f"{row.recall:.3f}",
            f"{row.seconds:.3g}",
            f"{row.exact_seconds:.3g}",
        )
        table.add_row(*map(Text, (*cells, times)))
    show(table)


def _table(rows: "list[Measured]") -> Table:
    """Medians, and how many times as fast as the plain code, with the least and the most of the rounds."""
    table = Table("", "seconds", "plain", "times as fast", "of the bound", title="medians", title_justify="left")
    for row in (measured.document() for measured in rows):
        bound = "" if row["of_bound"] is None else f"{row['of_bound']:.2f}"
        ratio = f"{row['ratio']:.3g} ({row['ratio_low']:.3g}-{row['ratio_high']:.3g})"
        cells = (row["name"], f"{row['seconds']:.3g}", f"{row['plain_seconds']:.3g}", ratio, bound)
        table.add_row(*map(Text, cells))
    return table
