"""``rspnet-train pretrain``: its options, its progress and what it says at the end."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rspnet_core.command import INTERRUPTED
from rspnet_core.errors import InvalidSetting
from rspnet_core.listener import Listener
from rspnet_core.text import printable

SHOWN = {
    "loss": "loss",
    "rsp_accuracy": "speed ranking",
    "avid_top1": "instance top-1",
    "sp_accuracy": "speed",
    "probe_top1": "probe top-1",
    "data_wait": "data wait",
}
log = Console(stderr=True, highlight=False)


def pretrain_command(
    data: Annotated[Path, typer.Argument(help="A folder of videos; labels are not used.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The run's folder.", show_default=False)],
    recipe: Annotated[
        str | None, typer.Option(help="A recipe's name (`rspnet-train recipes` lists them) or a .toml file.")
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="c3d, resnet18, r2plus1d, s3dg or tsm18.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, replaces a setting of the recipe; repeatable.")
    ] = None,
    from_weights: Annotated[
        str | None, typer.Option("--from", help="Weights to start from instead of random ones.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    list_files: Annotated[
        list[Path] | None,
        typer.Option("--list", help="A text file that names the videos to use, one a line; repeatable."),
    ] = None,
    probe: Annotated[
        Path | None,
        typer.Option(help="A labelled folder with official splits: measure retrieval on it while training."),
    ] = None,
    probe_every: Annotated[int, typer.Option(min=1, help="Epochs between two probes.")] = 10,
    max_unreadable: Annotated[
        float, typer.Option(min=0, max=1, help="Part of the videos that may be unreadable before the run stops.")
    ] = 0.01,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Decoding processes.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout at the end.")] = False,
) -> None:
    """Pre-train an encoder on unlabelled videos by relative speed perception and instance discrimination.

    The run's model.safetensors goes straight into `rspnet-index build --weights`. Ctrl-C saves the state at the next
    step; the same command with --resume goes on, and ends with the same weights as if it had never stopped.

    Example: rspnet-train pretrain kinetics400 --recipe k400-resnet18 --out runs/x

    Example: rspnet-train pretrain archive --recipe small-resnet18 --out runs/small --set epochs=20 --probe archive

    Example: torchrun --nproc-per-node 8 -m rspnet_core.cli pretrain kinetics400 --recipe k400-s3dg --out runs/x
    """
    from rspnet_core.knn_probe import ProbePlan
    from rspnet_core.pretrain import pretrain
    from rspnet_core.recipe import load_recipe

    overrides = parsed_settings(settings)
    if backbone is not None:
        overrides["backbone"] = backbone
    if resume and (recipe or overrides):
        raise InvalidSetting("a resumed run has its recipe in its folder; leave out --recipe, --backbone and --set")
    chosen = load_recipe(str(out / "recipe.toml") if resume else recipe, overrides)
    with _Bar() as bar:
        run = pretrain(
            data,
            out,
            chosen,
            list_files=list_files or [],
            from_weights=from_weights,
            resume=resume,
            device=device,
            workers=workers,
            max_unreadable=max_unreadable,
            probe=None if probe is None else ProbePlan(probe, probe_every),
            listener=bar,
        )
    if as_json and run.is_first_process:
        typer.echo(json.dumps(run.document()))
    for line in run.closing_lines() if run.is_first_process else ():
        log.print(printable(line), markup=False, soft_wrap=True)
    if run.stopped:
        raise typer.Exit(INTERRUPTED)


def parsed_settings(texts: list[str] | None) -> dict[str, str]:
    """Names and values of all ``--set``. Raises InvalidSetting."""
    settings = {}
    for text in texts or []:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise InvalidSetting(f"--set {text}: write KEY=VALUE, such as --set epochs=20")
        settings[key.strip()] = value.strip()
    return settings


class _Bar(Listener):
    """A bar of steps on a terminal, a line for each few figures elsewhere."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=log,
            disable=not log.is_terminal,
        )
        self._task = self._bar.add_task("steps", total=None, figures="")
        self._shown_epoch = -1

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        log.print(printable(line), markup=False, soft_wrap=True)

    def started(self, lines: list[str], num_steps: int) -> None:
        """Say what will be done."""
        for line in lines:
            self.say(line)
        self._bar.update(self._task, total=num_steps)

    def advance(self, figures: dict[str, Any]) -> None:
        """Show the latest figures."""
        text = ", ".join(f"{name} {figures[key]:.3f}" for key, name in SHOWN.items() if key in figures)
        self._bar.update(self._task, completed=figures["step"], figures=text)
        if not log.is_terminal and int(figures["epoch"]) > self._shown_epoch:
            self._shown_epoch = int(figures["epoch"])
            self.say(f"step {figures['step']}, epoch {figures['epoch']:g}: {text}")


def curve_command(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="The PNG to write; by default RUN/curves.png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON document instead.")] = False,
) -> None:
    """Draw a run's losses, pretext accuracies and probe over its epochs, as Figure 3 of the paper; also while it runs.

    Example: rspnet-train curve runs/x
    """
    from rspnet_core.training.curves import draw_curves
    from rspnet_core.training.run_folder import RunFolder

    folder = RunFolder(run)
    if as_json:
        typer.echo(json.dumps(folder.lines()))
        return
    target = out or folder.curves
    draw_curves(folder, target)
    typer.echo(target)
