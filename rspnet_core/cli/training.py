"""What the commands that train share: their options, their recipe, their progress and what they say at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rspnet_core.cli.command import INTERRUPTED
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import as_line, printable
from rspnet_core.training.listener import Listener

if TYPE_CHECKING:
    from rspnet_core.training.recipe_file import Recipe
    from rspnet_core.training.run import TrainingRun

SHOWN = {
    "loss": "loss",
    "rsp_accuracy": "speed ranking",
    "avid_top1": "instance top-1",
    "sp_accuracy": "speed",
    "order_accuracy": "faster clip",
    "programs_top1": "program",
    "clip_top1": "clip top-1",
    "probe_top1": "probe top-1",
    "data_wait": "data wait",
}
log = Console(stderr=True, highlight=False)

OutOption = Annotated[Path, typer.Option("--out", help="The run's folder.", show_default=False)]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", help="A recipe's name (`rspnet-train recipes` lists them) or a .toml file.")
]
BackboneOption = Annotated[
    str | None, typer.Option("--backbone", help="c3d, resnet18, r2plus1d, s3dg or tsm18; or package.module:factory.")
]
SettingsOption = Annotated[
    list[str] | None, typer.Option("--set", help="KEY=VALUE, replaces a setting of the recipe; repeatable.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", help="Weights to start from instead of random ones.", show_default=False)
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")]
UnreadableOption = Annotated[
    float,
    typer.Option("--max-unreadable", min=0, max=1, help="Part of the videos that may be unreadable before it stops."),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Decoding processes.", show_default=False)]
ListsOption = Annotated[
    Path | None,
    typer.Option("--split-lists", help="Folder of the official lists, if not in or beside DATA.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]


def chosen_recipe(
    kind: "type[Recipe]",
    name: str | None,
    backbone: str | None,
    settings: list[str] | None,
    from_weights: str | None,
    *,
    resumed: Path | None,
) -> "Recipe":
    """The recipe that the options say; of a run that is ``resumed`` its own, which options may say again.

    Raises InvalidSetting; UnknownBackbone when a file alone names code outside of the package as its backbone.
    """
    from rspnet_core.models import find_backbone
    from rspnet_core.models.outside import is_import_path
    from rspnet_core.training.recipe_file import load_recipe

    overrides: dict[str, Any] = dict(parsed_settings(settings))
    if backbone is None and from_weights is not None and from_weights.startswith("torchvision:"):
        backbone = from_weights  # there the name of the weights is that of the network
    if backbone is not None:
        overrides["backbone"] = backbone
    if from_weights is not None:
        file = Path(from_weights)
        overrides["from_weights"] = str(file.resolve()) if file.exists() else from_weights
    if resumed is None:
        recipe = load_recipe(kind, name, overrides)
    else:
        recipe = load_recipe(kind, str(resumed / "recipe.toml"), {})
        if name or overrides:
            _check_same(load_recipe(kind, name, overrides), recipe, resumed)
    if is_import_path(recipe.backbone):
        find_backbone(recipe.backbone, named_by_user=overrides.get("backbone"))
    return recipe


def _check_same(said: "Recipe", own: "Recipe", run: Path) -> None:
    for setting, value in own:
        if getattr(said, setting) != value:
            raise InvalidSetting(
                f"{run} was begun with {setting} = {value!r}, now it is {getattr(said, setting)!r}; give --resume the "
                "options of its beginning, or none of --recipe, --backbone, --from and --set"
            )


def parsed_settings(texts: list[str] | None) -> dict[str, str]:
    """Names and values of all ``--set``. Raises InvalidSetting."""
    settings = {}
    for text in texts or []:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise InvalidSetting(f"--set {text}: write KEY=VALUE, such as --set epochs=20")
        settings[key.strip()] = value.strip()
    return settings


def finish(run: "TrainingRun", *, as_json: bool) -> None:
    """Say what became of a run; ends the command with 130 where it was stopped."""
    if run.is_first_process:
        if as_json:
            print(as_line(run.document()))
        for line in run.closing_lines():
            log.print(printable(line), markup=False, soft_wrap=True)
    if run.stopped:
        raise typer.Exit(INTERRUPTED)


class Bar(Listener):
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

    def __enter__(self) -> "Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """A line that stays."""
        log.print(printable(line), markup=False, soft_wrap=True)

    def started(self, lines: list[str], num_steps: int | None) -> None:
        """Say what will be done."""
        for line in lines:
            self.say(line)
        self._bar.reset(self._task, total=num_steps, figures="")
        self._shown_epoch = -1

    def video(self) -> None:
        """One more of a test."""
        self._bar.advance(self._task)

    def advance(self, figures: dict[str, Any]) -> None:
        """Show the latest figures."""
        text = ", ".join(f"{name} {figures[key]:.3f}" for key, name in SHOWN.items() if key in figures)
        self._bar.update(self._task, completed=figures["step"], figures=text)
        if not log.is_terminal and int(figures["epoch"]) > self._shown_epoch:
            self._shown_epoch = int(figures["epoch"])
            self.say(f"step {figures['step']}, epoch {figures['epoch']:g}: {text}")
