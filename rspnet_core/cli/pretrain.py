"""``rspnet-train pretrain`` and ``curve``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rspnet_core.cli.training import (
    BackboneOption,
    Bar,
    DeviceOption,
    FromOption,
    JsonOption,
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
from rspnet_core.text import printable


def pretrain_command(
    data: Annotated[
        Path,
        typer.Argument(
            help="A folder of videos, or a store that `cache` wrote; labels are not used.", show_default=False
        ),
    ],
    out: OutOption,
    recipe: RecipeOption = None,
    backbone: BackboneOption = None,
    settings: SettingsOption = None,
    from_weights: FromOption = None,
    resume: ResumeOption = False,
    list_files: Annotated[
        list[Path] | None,
        typer.Option("--list", help="A text file that names the videos to use, one a line; repeatable."),
    ] = None,
    probe: Annotated[
        Path | None,
        typer.Option(help="A labelled folder with official splits: measure retrieval on it while training."),
    ] = None,
    probe_every: Annotated[int, typer.Option(min=1, help="Epochs between two probes.")] = 10,
    max_unreadable: UnreadableOption = 0.01,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="End after so many minutes, on a store; else after the recipe's epochs."),
    ] = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pre-train an encoder on unlabelled videos by relative speed perception and instance discrimination.

    Recipes with [objectives.NAME] tables (motion-...) learn several tasks at once from a store of frames.

    The run's model.safetensors goes straight into `rspnet-index build --weights`. Ctrl-C saves the state at the next
    step; the same command with --resume goes on, and ends with the same weights as if it had never stopped.

    Example: rspnet-train pretrain kinetics400 --recipe k400-resnet18 --out runs/x

    Example: rspnet-train pretrain archive --recipe small-resnet18 --out runs/small --set epochs=20 --probe archive

    Example: rspnet-train pretrain all.store --recipe motion-gpu --minutes 9 --out runs/motion

    Example: torchrun --nproc-per-node 8 -m rspnet_core.cli pretrain kinetics400 --recipe k400-s3dg --out runs/x
    """
    from rspnet_core.pretext.joint_pretrain import pretrain_from_store
    from rspnet_core.pretext.joint_recipe import JointRecipe, learns_from_store
    from rspnet_core.pretext.recipe import PretrainRecipe
    from rspnet_core.video.store.frame_store import is_store

    if learns_from_store(str(out / "recipe.toml") if resume else recipe):
        refused = {"--list": list_files, "--probe": probe, "--workers": workers, "--from": from_weights}
        _refuse({name for name, value in refused.items() if value is not None}, "is not for training on a store")
        joint = chosen_recipe(JointRecipe, recipe, backbone, settings, None, resumed=out if resume else None)
        with Bar() as bar:
            run = pretrain_from_store(data, out, joint, resume=resume, device=device, minutes=minutes, listener=bar)
        finish(run, as_json=as_json)
        return
    if is_store(data):
        raise InvalidSetting(f"{data} is a store of frames; give a recipe that learns from one, such as motion-gpu")
    _refuse({"--minutes"} if minutes is not None else set(), "is for recipes that learn from a store")
    chosen = chosen_recipe(PretrainRecipe, recipe, backbone, settings, from_weights, resumed=out if resume else None)
    from rspnet_core.pretext.pretrain import pretrain  # not above: it wants the decoders to be installed
    from rspnet_core.recognition.retrieval import RetrievalPlan

    with Bar() as bar:
        run = pretrain(
            data,
            out,
            chosen,
            list_files=list_files,
            resume=resume,
            device=device,
            workers=workers,
            max_unreadable=max_unreadable,
            retrieval=None if probe is None else RetrievalPlan(probe, probe_every),
            listener=bar,
        )
    finish(run, as_json=as_json)


def _refuse(options: set[str], reason: str) -> None:
    if options:
        raise InvalidSetting(f"{', '.join(sorted(options))} {reason}; leave it out")


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
        print(json.dumps(folder.lines()))
        return
    target = out or folder.curves
    draw_curves(folder, target)
    print(printable(str(target)))
