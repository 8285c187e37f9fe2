"""``rspnet-train pretrain`` and ``curve``."""

from functools import partial
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
from rspnet_core.text import as_line, printable


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
        typer.Option(
            help="A labelled folder: measure retrieval on its train side while training, keep the best epoch."
        ),
    ] = None,
    probe_every: Annotated[int, typer.Option(min=1, help="Epochs between two probes.")] = 10,
    max_unreadable: UnreadableOption = 0.01,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="End after so many minutes, rather than after the recipe's epochs."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of weights, batches and augmentation, as --set seed=N.")
    ] = None,
    device: DeviceOption = "auto",
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pre-train an encoder on unlabelled videos by relative speed perception and instance discrimination.

    Recipes with [objectives.NAME] tables (motion-...) learn several tasks at once. A store needs no decoders.

    The run's model.safetensors goes straight into `rspnet-index build --weights`. Ctrl-C saves the state at the next
    step; the same command with --resume goes on, and ends with the same weights as if it had never stopped.

    Example: rspnet-train pretrain kinetics400 --recipe k400-resnet18 --out runs/x

    Example: rspnet-train pretrain archive --recipe small-resnet18 --out runs/small --set epochs=20 --probe archive

    Example: rspnet-train pretrain all.store --recipe motion-small --minutes 17 --seed 1 --out runs/motion

    Example: torchrun --nproc-per-node 8 -m rspnet_core.cli pretrain kinetics400 --recipe k400-s3dg --out runs/x
    """
    from rspnet_core.pretext.joint_recipe import JointRecipe, is_joint
    from rspnet_core.pretext.pretrain import pretrain
    from rspnet_core.pretext.recipe import PretrainRecipe
    from rspnet_core.video.store.frame_store import is_store

    if is_store(data):
        _refuse_on_a_store({"--list": list_files, "--probe": probe, "--workers": workers})
    settings = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    said = partial(chosen_recipe, name=recipe, backbone=backbone, settings=settings, from_weights=from_weights)
    resumed = out if resume else None
    named = str(out / "recipe.toml") if resume else recipe
    chosen = said(JointRecipe, resumed=resumed) if is_joint(named) else said(PretrainRecipe, resumed=resumed)
    retrieval = None
    if probe is not None:
        from rspnet_core.recognition.retrieval import RetrievalPlan  # not above: it wants the decoders to be installed

        retrieval = RetrievalPlan(probe, probe_every)
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
            retrieval=retrieval,
            minutes=minutes,
            listener=bar,
        )
    finish(run, as_json=as_json)


def _refuse_on_a_store(options: dict[str, object]) -> None:
    given = sorted(name for name, value in options.items() if value is not None)
    if given:
        raise InvalidSetting(f"{', '.join(given)} is not for training on a store; leave it out")


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
        print(as_line(folder.lines()))
        return
    target = out or folder.curves
    draw_curves(folder, target)
    print(printable(str(target)))
