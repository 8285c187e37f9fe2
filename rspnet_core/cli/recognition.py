"""``rspnet-train finetune``, ``evaluate`` and ``probe``: action recognition."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rspnet_core.cli.command import SOME_FAILED, OwnBackboneOption
from rspnet_core.cli.training import (
    BackboneOption,
    Bar,
    DeviceOption,
    FromOption,
    JsonOption,
    ListsOption,
    OutOption,
    RecipeOption,
    ResumeOption,
    SettingsOption,
    UnreadableOption,
    WorkersOption,
    chosen_recipe,
    finish,
)
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import as_line, printable

LabelledArgument = Annotated[Path, typer.Argument(help="A folder of labelled videos.", show_default=False)]
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="Folder to write report.html into.", show_default=False)
]


def finetune_command(
    data: LabelledArgument,
    out: OutOption,
    recipe: RecipeOption = None,
    backbone: BackboneOption = None,
    settings: SettingsOption = None,
    from_weights: FromOption = None,
    fold: Annotated[int | None, typer.Option(min=1, help="The official split to learn from; 1 if not said.")] = None,
    freeze: Annotated[bool, typer.Option("--freeze", help="Train the new layer alone: the linear probe.")] = False,
    split_lists: ListsOption = None,
    resume: ResumeOption = False,
    max_unreadable: UnreadableOption = 0.01,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune an encoder on the train side of a labelled folder; without --from, train it from scratch.

    The run's model.safetensors goes into `rspnet-train evaluate` and, as any encoder, into `rspnet-index build`.
    Ctrl-C saves the state at the next step; the same command with --resume goes on.

    Example: rspnet-train finetune ucf101 --from runs/x/model.safetensors --recipe ucf101-resnet18 --out runs/tuned

    Example: rspnet-train finetune ucf101 --from official:c3d --recipe release-ucf101-c3d --fold 2 --out runs/c3d-2
    """
    from rspnet_core.recognition.finetune import finetune
    from rspnet_core.recognition.recipe import FinetuneRecipe

    given = [f"fold={fold}"] * (fold is not None) + ["freeze=true"] * freeze
    chosen = chosen_recipe(
        FinetuneRecipe,
        recipe,
        backbone,
        [*(settings or []), *given],
        from_weights,
        resumed=out if resume else None,
    )
    with Bar() as bar:
        run = finetune(
            data,
            out,
            chosen,
            split_lists=split_lists,
            resume=resume,
            device=device,
            workers=workers,
            max_unreadable=max_unreadable,
            listener=bar,
        )
    finish(run, as_json=as_json)


def evaluate_command(
    data: LabelledArgument,
    weights: Annotated[
        list[str], typer.Option(help="A fine-tuned model.safetensors; one for each fold gives their mean too.")
    ],
    split_lists: ListsOption = None,
    report: ReportOption = None,
    backbone: OwnBackboneOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Test fine-tuned encoders on the test side of the folds that they were trained on.

    Ten evenly spaced clips a video, mean of their softmax: top-1, top-5, per class, confusion, calibration.

    Example: rspnet-train evaluate ucf101 --weights runs/tuned/model.safetensors --report report

    Example: rspnet-train evaluate ucf101 --weights f1/model.safetensors --weights f2/model.safetensors --json
    """
    from rspnet_core.recognition.evaluate import evaluate

    if len(set(weights)) < len(weights):
        raise InvalidSetting("--weights names the same file twice; give the runs of different folds")
    with Bar() as bar:
        found = evaluate(
            data,
            weights,
            split_lists=split_lists,
            device=device,
            workers=workers,
            listener=bar,
            backbone=backbone,
        )
    _tell(found, report, as_json)


def probe_command(
    data: LabelledArgument,
    weights: Annotated[str | None, typer.Option(help="Any encoder's weights.", show_default=False)] = None,
    knn: Annotated[bool, typer.Option("--knn", help="Weighted vote of the 20 nearest train videos.")] = False,
    linear: Annotated[bool, typer.Option("--linear", help="Logistic regression on the mean features.")] = False,
    fold: Annotated[int, typer.Option(min=1, help="The official split.")] = 1,
    split_lists: ListsOption = None,
    report: ReportOption = None,
    backbone: OwnBackboneOption = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how much frozen features say of the classes of a labelled folder, with nothing fine-tuned.

    Example: rspnet-train probe ucf101 --weights runs/x/model.safetensors --knn

    Example: rspnet-train probe ucf101 --weights official:resnet18 --linear --report report

    Example: rspnet-train probe ucf101 --backbone energy --knn
    """
    from rspnet_core.recognition.evaluate import evaluate_frozen

    if knn == linear:
        raise InvalidSetting("choose one of --knn and --linear")
    if weights is None and backbone is None:
        raise InvalidSetting("got neither --weights nor --backbone; name weights, or --backbone energy, which has none")
    with Bar() as bar:
        found = evaluate_frozen(
            data,
            weights,
            "knn" if knn else "linear",
            fold=fold,
            split_lists=split_lists,
            device=device,
            workers=workers,
            listener=bar,
            backbone=backbone,
        )
    _tell(found, report, as_json)


def compare_command(
    a: Annotated[Path, typer.Argument(help="What `evaluate --json` or `probe --json` printed.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="The same of another way of training.", show_default=False)],
    seeds_of_a: Annotated[
        list[Path] | None, typer.Option("--seed-of-a", help="That of another seed of A's training; repeatable.")
    ] = None,
    seeds_of_b: Annotated[list[Path] | None, typer.Option("--seed-of-b", help="The same for B.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how much more B recognises than A, with an interval: both are scored on the videos that both have tested.

    Recordings are drawn for both sides at once, and the seeds of each side.

    Example: rspnet-train compare scratch.json tuned.json

    Example: rspnet-train compare scratch-1.json tuned-1.json --seed-of-a scratch-2.json --seed-of-b tuned-2.json
    """
    from rspnet_core.recognition.compare import compare_tests, comparison_lines

    found = compare_tests([a, *(seeds_of_a or [])], [b, *(seeds_of_b or [])])
    print(as_line(found) if as_json else "\n".join(comparison_lines(found)))


def _tell(documents: list[dict[str, Any]], report: Path | None, as_json: bool) -> None:
    """Print what was found, write the page; ends the command with 3 where test videos are unreadable or missing."""
    from rspnet_core.recognition.document import mean_of_folds
    from rspnet_core.recognition.report import write_report
    from rspnet_core.recognition.summary import lines, mean_lines
    from rspnet_core.tables.beside import published_beside

    if report is not None:
        folds = [(f"Fold {found['fold']}", found) for found in documents]
        page = write_report(report, folds, _facts(documents), published=published_beside(documents[0]))
        print(printable(f"report: {page}"), file=sys.stderr)
    if as_json:
        mean = mean_of_folds(documents) if len(documents) > 1 else None
        print(as_line({"folds": documents, "mean": mean}))
    else:
        for found in documents:
            print(printable(f"{found['encoder']['source']}; test of fold {found['fold']} of {found['data']}"))
            for line in lines(found):
                print(f"  {line}")
        if len(documents) > 1:
            for line in mean_lines(documents):
                print(line)
    if any(found["unreadable"] or found["missing"] for found in documents):
        raise typer.Exit(SOME_FAILED)


def _facts(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """What was measured, for the head of the page."""
    first = documents[0]
    clips = first["encoder"]["geometry"]
    return {
        "encoder": first["encoder"]["backbone"],
        "weights": "; ".join(found["encoder"]["source"] for found in documents),
        "data": f"{first['data']}, {first['layout']}",
        "learnt from": ", ".join(f"{found['train_videos']:,} videos" for found in documents),
        "clips": f"{clips['num_clips']} of {clips['frames_per_clip']} frames, {clips['size']} pixels",
        **({"notes": "; ".join(first["notes"])} if first["notes"] else {}),
    }
