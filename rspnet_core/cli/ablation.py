"""``rspnet-train ablation``: the paper's tables and Figure 3 on one's own data."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rspnet_core.cli.command import INTERRUPTED
from rspnet_core.cli.training import (
    Bar,
    DeviceOption,
    JsonOption,
    ListsOption,
    SettingsOption,
    WorkersOption,
    log,
    parsed_settings,
)
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.text import as_line, printable

if TYPE_CHECKING:
    from rspnet_core.tables.jobs import Plan


def ablation_command(
    unlabelled: Annotated[Path, typer.Argument(help="Videos to pre-train on.", show_default=False)],
    labelled: Annotated[Path, typer.Argument(help="Labelled videos to fine-tune and test on.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="Folder of all runs and of the result.", show_default=False)],
    table: Annotated[int | None, typer.Option(help="1, 2, 3 (fine-tuning) or 4 (retrieval).")] = None,
    figure: Annotated[int | None, typer.Option(help="3: losses and accuracy over checkpoints.")] = None,
    backbones: Annotated[
        list[str] | None, typer.Option("--backbone", help="Rows of this network alone; repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many random seeds, from 0.")] = 1,
    folds: Annotated[list[int] | None, typer.Option("--fold", help="Official splits; repeatable.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Of the pre-training; by default k100-BACKBONE.")] = None,
    settings: SettingsOption = None,
    finetune_recipe: Annotated[str | None, typer.Option(help="Of the fine-tuning; by default ucf101-BACKBONE.")] = None,
    finetune_settings: Annotated[
        list[str] | None, typer.Option("--finetune-set", help="KEY=VALUE for the fine-tuning; repeatable.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Epochs between two checkpoints of Figure 3.")] = 200,
    list_files: Annotated[
        list[Path] | None, typer.Option("--list", help="A list of the videos to pre-train on; repeatable.")
    ] = None,
    split_lists: ListsOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the rows of a table of the paper end to end: pre-train, fine-tune, test; write it beside the published one.

    Stopped or killed, the same command goes on where it was. Rows that cannot be run say why.

    Example: rspnet-train ablation kinetics100 ucf101 --table 1 --backbone resnet18 --seeds 3 --out table1

    Example: rspnet-train ablation kinetics400 ucf101 --figure 3 --backbone s3dg --recipe k400-s3dg-1000 --out figure3
    """
    from rspnet_core.tables.jobs import Plan
    from rspnet_core.tables.steps import Stopped

    if (table is None) == (figure is None) or figure not in (None, 3):
        raise InvalidSetting("choose one of --table 1, 2, 3 or 4 and --figure 3")
    plan = Plan(
        unlabelled,
        labelled,
        out,
        folds=tuple(folds or [1]),
        seeds=tuple(range(seeds)),
        pretrain_recipe=recipe,
        finetune_recipe=finetune_recipe,
        pretrain_settings=parsed_settings(settings),
        finetune_settings=parsed_settings(finetune_settings),
        list_files=tuple(list_files or ()),
        split_lists=split_lists,
        keep_every=every if figure else None,
        device=device,
        workers=workers,
    )
    try:
        _table(plan, table, backbones or [], as_json) if table else _figure(plan, backbones or ["s3dg"], as_json)
    except Stopped:
        log.print("stopped; the same command goes on where it was")
        raise typer.Exit(INTERRUPTED) from None


def _table(plan: "Plan", table: int, backbones: list[str], as_json: bool) -> None:
    from rspnet_core.atomic import replace_text
    from rspnet_core.tables.jobs import check, run_retrieval, run_row
    from rspnet_core.tables.rows import rows_of
    from rspnet_core.tables.table import markdown, measured, table_document

    rows = rows_of(table, backbones)
    check(plan, rows)
    run, ks = (run_retrieval, (1, 5, 10, 20, 50)) if table == 4 else (run_row, (1,))
    found: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row.needs:
            found[row] = {"reason": f"needs {row.needs}"}
            continue
        log.print(f"{row.method}, {row.backbone}", style="bold")
        try:
            with Bar() as bar:
                found[row] = measured([run(plan, row, seed, bar) for seed in plan.seeds], ks)
        except WeightsError as error:
            if not row.supervised_weights:
                raise
            found[row] = {"reason": str(error)}
    document = table_document(table, found)
    text = markdown(document)
    for suffix, content in ((".md", text), (".json", json.dumps(document, indent=2))):
        replace_text(plan.out / f"table{table}{suffix}", content)
    print(as_line(document) if as_json else text, end="\n" if as_json else "")


def _figure(plan: "Plan", backbones: list[str], as_json: bool) -> None:
    from rspnet_core.tables.figure import draw_figure, run_figure

    if len(backbones) > 1:
        raise InvalidSetting(f"--figure 3 shows one network, got {', '.join(backbones)}; name one --backbone")
    with Bar() as bar:
        document = run_figure(plan, backbones[0], bar)
    target = plan.out / "figure3.png"
    draw_figure(document, target)
    print(as_line(document) if as_json else printable(str(target)))
