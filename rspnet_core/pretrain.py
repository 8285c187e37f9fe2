"""Pre-training on a folder of unlabelled videos, as ``rspnet-train pretrain`` does it.

    scan -> files --ClipLoader--> uint8 clips --augment, on the device--> SpeedBatch --RSPNetObjective--> loss
    run folder: recipe.toml, metrics.jsonl, checkpoints, model.safetensors

Try it on a CPU in half a minute (`rspnet-index sample-data demo` makes the videos):

    rspnet-train pretrain demo --out runs/try --recipe small-tsm18 --set epochs=2
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from rspnet_core.checkpoint import load_encoder
from rspnet_core.errors import InvalidSetting
from rspnet_core.knn_probe import ProbePlan, make_probe
from rspnet_core.listener import Listener
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.pretext.batches import BatchSource
from rspnet_core.pretext.momentum import shorten_statistics
from rspnet_core.pretext.objective import RSPNetObjective
from rspnet_core.pretrain_run import PretrainRun, RunWatcher, clip_geometry
from rspnet_core.recipe import PretrainRecipe, to_toml
from rspnet_core.training.curves import draw_curves
from rspnet_core.training.fabric import default_workers, gather_in_order, make_fabric, prepare
from rspnet_core.training.loop import Loop
from rspnet_core.training.optimiser import OptimiserSettings
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.schedule import CosineSchedule
from rspnet_core.video.clip_loader import ClipLoader, Shard
from rspnet_core.video.datasets import listed_videos
from rspnet_core.video.sandbox import DecodePool


def build_objective(recipe: PretrainRecipe, num_steps: int, *, from_weights: str | None = None) -> RSPNetObjective:
    """The objective of a recipe with new weights of its seed, or with those of a file.

    Raises UnknownBackbone, WeightsError, InvalidSetting (weights of another backbone, or without heads).
    """
    model = create_model(recipe.backbone, seed=recipe.seed, head=recipe.head)
    if from_weights is not None:
        model = _loaded(from_weights, recipe)
    shorten_statistics(model, num_steps)
    torch.manual_seed(recipe.seed)  # of what is new here, and recorded by checkpoints
    return RSPNetObjective(model.train(), recipe)


def _loaded(weights: str, recipe: PretrainRecipe) -> TwoHeadModel:
    model, spec = load_encoder(weights, None)
    if not isinstance(model, TwoHeadModel) or spec.backbone != recipe.backbone or spec.head != recipe.head:
        raise InvalidSetting(
            f"{weights} is {spec.backbone} with {spec.head if model.heads else 'no'} heads, the recipe wants "
            f"{recipe.backbone} with {recipe.head} heads; give other weights, or --backbone and --set head=..."
        )
    model.classifier = None  # of a fine-tuned encoder
    return model.requires_grad_(True)


def pretrain(
    data: Path,
    out: Path,
    recipe: PretrainRecipe,
    *,
    list_files: list[Path] | None = None,
    from_weights: str | None = None,
    resume: bool = False,
    device: str = "auto",
    workers: int | None = None,
    max_unreadable: float = 0.01,
    probe: ProbePlan | None = None,
    listener: Listener | None = None,
) -> PretrainRun:
    """Train, or go on with, a run.

    Args:
        data: folder of videos; labels are not looked at.
        out: the run's folder; with ``resume`` its own recipe.toml is what counts.
        recipe: all settings.
        list_files: text files that name videos of ``data``, a path first on each line; None takes all videos.
        from_weights: weights to start from instead of random ones.
        resume: go on from ``out``'s last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: decoding processes; None is one on a CPU, and one a core but one on a GPU.
        max_unreadable: part of the videos that may be unreadable.
        probe: labelled videos on which retrieval is measured while training.
        listener: told how it goes; None tells nobody.

    Raises:
        UsageError: settings, lists or devices that do not fit.
        TrainingDiverged: the loss became NaN.
        WeightsError: a checkpoint cannot be read or written.
    """
    listener = listener or Listener()
    fabric = make_fabric(device, recipe.precision)
    fabric.launch()
    loader = ClipLoader(
        data,
        listed_videos(data, list_files or []),
        recipe.sampling,
        recipe.batch_size,
        recipe.seed,
        Shard(fabric.global_rank, fabric.world_size),
        max_unreadable,
        on_unreadable=lambda path, reason: listener.say(f"unreadable, left out: {path}: {reason}"),
    )
    num_steps = recipe.epochs * loader.steps_per_epoch
    objective = on_device(build_objective(recipe, num_steps, from_weights=from_weights), fabric)
    folder = RunFolder(out)
    if fabric.is_global_zero and not resume:
        folder.begin(to_toml(recipe))
    fabric.barrier()
    watcher = RunWatcher(folder, objective, recipe, data.resolve().name, listener)
    with DecodePool(workers or default_workers(fabric)) as pool:
        source = BatchSource(loader, pool, recipe, fabric.device)
        measure = (
            None if probe is None else make_probe(probe, objective.query.model, clip_geometry(recipe), fabric, pool)
        )
        schedule, steps = _schedule(recipe, loader.steps_per_epoch), loader.steps_per_epoch
        loop = Loop(fabric, objective, source, folder, schedule, steps, new_optimiser(recipe), watcher, measure)
        if fabric.is_global_zero:
            listener.started(_opening_lines(recipe, fabric, len(loader.paths), num_steps), num_steps)
        if resume and fabric.is_global_zero:
            folder.forget_after(loop.resume_step())
        loop.run(resume=resume)
    if fabric.is_global_zero and watcher.latest:
        draw_curves(folder, folder.curves)
    return PretrainRun(
        folder, recipe, loader, loop.step, num_steps, loop.stopped, watcher.latest, fabric.is_global_zero
    )


def on_device(objective: RSPNetObjective, fabric: Fabric) -> RSPNetObjective:
    """The objective, moved to the device of ``fabric`` and spanning its processes."""
    for module in objective.modules.values():
        prepare(fabric, module)
    if fabric.world_size > 1:
        objective.gather = gather_in_order
    return objective


def _schedule(recipe: PretrainRecipe, steps_per_epoch: int) -> CosineSchedule:
    warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    return CosineSchedule(recipe.learning_rate, recipe.final_rate, recipe.epochs * steps_per_epoch, warmup_steps)


def new_optimiser(recipe: PretrainRecipe) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """Makes the recipe's optimiser of some parameters."""
    chosen = OptimiserSettings(recipe.optimiser, recipe.learning_rate, recipe.sgd_momentum, recipe.weight_decay)
    return chosen.build


def _opening_lines(recipe: PretrainRecipe, fabric: Fabric, num_videos: int, num_steps: int) -> list[str]:
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    return [
        f"{num_videos} videos, {num_steps} steps of {recipe.batch_size} ({recipe.epochs} epochs)",
        f"{recipe.backbone} by {'+'.join(recipe.objectives)}, {recipe.frames_per_clip} frames of "
        f"{recipe.clip_size}x{recipe.clip_size} pixels, on {fabric.device}{processes} in {fabric._precision.precision}",
    ]
