"""``rspnet-train compare-tasks``: pretext tasks on one harness."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rspnet_core.cli.command import INTERRUPTED
from rspnet_core.cli.training import Bar, DeviceOption, JsonOption, SettingsOption, log, parsed_settings
from rspnet_core.text import as_line


def compare_tasks_command(
    data: Annotated[Path, typer.Argument(help="The store that tasks learn from; no labels.", show_default=False)],
    held_out: Annotated[
        Path, typer.Option("--store", help="A store of labelled videos, not learnt from: the queries.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of all runs and of the table.", show_default=False)],
    gallery: Annotated[
        Path | None, typer.Option(help="The store that they search; themselves without their own recording by default.")
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            help="A task, or several learnt together (rsp+avid); repeatable. All but rendered ones by default.",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many random seeds, from 1.")] = 2,
    recipe: Annotated[str, typer.Option(help="All of its settings but the tasks.")] = "motion-small",
    settings: SettingsOption = None,
    clips: Annotated[int, typer.Option(min=1, help="Clips of each video that retrieval averages.")] = 10,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train each pretext task alone on equal data, steps and seeds; measure all alike, beside what needs no training.

    Retrieval and the speed ranking of held-out videos, by the encoder's features; intervals over recordings, the gain
    over the untrained encoder, and the published rows beside. Stopped or killed, the same command goes on; rows that
    are done are not trained again.

    Example: rspnet-train compare-tasks train.store --store test.store --gallery train.store --out tasks

    Example: rspnet-train compare-tasks train.store --store test.store --task pace --task rsp+avid --out tasks --json
    """
    from rspnet_core.atomic import replace_text
    from rspnet_core.tables.compare_tasks import Comparison, compare_tasks
    from rspnet_core.tables.steps import Stopped
    from rspnet_core.tables.task_table import task_document, task_markdown

    plan = Comparison(
        data,
        held_out,
        out,
        gallery,
        seeds=tuple(range(1, seeds + 1)),
        recipe=recipe,
        settings=dict(parsed_settings(settings)),
        num_clips=clips,
        device=device,
        **({"tasks": tuple(tasks)} if tasks else {}),
    )
    try:
        with Bar() as bar:
            found = compare_tasks(plan, bar)
    except Stopped:
        log.print("stopped; the same command goes on where it was")
        raise typer.Exit(INTERRUPTED) from None
    document = task_document(plan, found)
    text = task_markdown(document)
    for name, content in (("tasks.md", text), ("tasks.json", json.dumps(document, indent=2))):
        replace_text(out / name, content)
    print(as_line(document) if as_json else text, end="\n" if as_json else "")
