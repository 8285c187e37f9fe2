"""``rspnet-index benchmark`` and ``compare``: how well encoders retrieve."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from indexer.cli.output import IndexOption, JsonOption, print_json, say, show

MotionOption = Annotated[float, typer.Option(help="Weight of the motion (RSP) vectors.")]
AppearanceOption = Annotated[float, typer.Option(help="Weight of the appearance (A-VID) vectors.")]
BackboneWeightOption = Annotated[float, typer.Option(help="Weight of the backbone's vectors.")]
FoldOption = Annotated[int, typer.Option(help="Official split.", min=1)]
FamiliesOption = Annotated[Path | None, typer.Option(help="CSV of class,family: scores within families too.")]
CentreOption = Annotated[bool, typer.Option("--centre", help="Take the gallery's mean off all vectors before ranking.")]
WhitenOption = Annotated[
    int | None,
    typer.Option(help="Keep so many directions of each part, scaled to one spread: where people and places repeat."),
]
LeaveOutOption = Annotated[
    Literal["group", "recording"] | None,
    typer.Option(help="Each video queries all others but its own group (of its class), or recording (of all)."),
]


def benchmark(
    index: IndexOption,
    fold: FoldOption = 1,
    families: FamiliesOption = None,
    motion: MotionOption = 0.0,
    appearance: AppearanceOption = 0.0,
    backbone_weight: BackboneWeightOption = 1.0,
    centre: CentreOption = False,
    whiten: WhitenOption = None,
    leave_out: LeaveOutOption = None,
    report: Annotated[Path | None, typer.Option(help="Write report.html and report.json into this folder.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Score retrieval as the paper does: test videos query the training gallery, top-k accuracy.

    Example: [bold]rspnet-index benchmark --index demo --report demo/report[/bold]
    """
    from indexer.benchmark.evaluation import Preparation, evaluate, write_report
    from indexer.benchmark.terminal import render_table
    from indexer.retrieval.library import Library
    from indexer.retrieval.search import PartWeights
    from rspnet_core.video.datasets.dataset import read_families

    with Library.open(index, device="cpu") as library:
        document, scores = evaluate(
            library,
            fold=fold,
            weights=PartWeights(backbone=backbone_weight, motion=motion, appearance=appearance),
            families=None if families is None else read_families(families),
            preparation=Preparation(centre, whiten),
            leave_out=leave_out,
            command=shlex.join(["rspnet-index", *sys.argv[1:]]),
        )
        if report is not None:
            page = write_report(library, document, scores, report)
            say(f"report: {page}")
    if as_json:
        print_json(document)
    else:
        show(*render_table(document).renderables)


def compare(
    a: Annotated[Path, typer.Argument(help="A library.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Another of the same videos, by another encoder.", show_default=False)],
    seeds_of_a: Annotated[
        list[Path] | None, typer.Option("--seed-of-a", help="A library by other weights of A's training; repeatable.")
    ] = None,
    seeds_of_b: Annotated[list[Path] | None, typer.Option("--seed-of-b", help="The same for B.")] = None,
    fold: FoldOption = 1,
    families: FamiliesOption = None,
    motion: MotionOption = 0.0,
    appearance: AppearanceOption = 0.0,
    backbone_weight: BackboneWeightOption = 1.0,
    centre: CentreOption = False,
    whiten: WhitenOption = None,
    leave_out: LeaveOutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how much better B retrieves than A, with an interval: both score the videos that both hold.

    Recordings are drawn for both sides at once, and the seeds of each side.

    Example: [bold]rspnet-index compare untrained pretrained --seed-of-b pretrained-1 --seed-of-b pretrained-2[/bold]
    """
    from indexer.benchmark.compare import Comparison
    from indexer.benchmark.compare import compare as compare_libraries
    from indexer.benchmark.evaluation import Preparation
    from indexer.benchmark.terminal import render_comparison
    from indexer.retrieval.search import PartWeights
    from rspnet_core.video.datasets.dataset import read_families

    document = compare_libraries(
        [a, *(seeds_of_a or [])],
        [b, *(seeds_of_b or [])],
        Comparison(
            fold=fold,
            weights=PartWeights(backbone=backbone_weight, motion=motion, appearance=appearance),
            families=None if families is None else read_families(families),
            preparation=Preparation(centre, whiten),
            leave_out=leave_out,
        ),
    )
    if as_json:
        print_json(document)
    else:
        show(*render_comparison(document).renderables)
