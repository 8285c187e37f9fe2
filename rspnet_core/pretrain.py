"""Pre-training on a folder of unlabelled videos, as ``rspnet-train pretrain`` does it.

    scan -> files --SpeedClipLoader--> uint8 clips --augment, on the device--> SpeedBatch --RSPNetObjective--> loss
    run folder: recipe.toml, metrics.jsonl, checkpoints, model.safetensors

Try it on a CPU in half a minute (`rspnet-index sample-data demo` makes the videos):

    rspnet-train pretrain demo --out runs/try --recipe small-tsm18 --set epochs=2
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from rspnet_core.checkpoint import describe, load_encoder, save_checkpoint
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.knn_probe import labelled_split, retrieval_accuracy
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.pretext.batches import BatchSource
from rspnet_core.pretext.momentum import shorten_statistics
from rspnet_core.pretext.objective import RSPNetObjective
from rspnet_core.recipe import PretrainRecipe, to_toml
from rspnet_core.training.alarms import collapse_alarms
from rspnet_core.training.curves import draw_curves
from rspnet_core.training.fabric import default_workers, gather_in_order, make_fabric, prepare
from rspnet_core.training.loop import Loop
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.schedule import CosineSchedule
from rspnet_core.video.clip_loader import Shard, SpeedClipLoader
from rspnet_core.video.datasets import scan
from rspnet_core.video.sandbox import DecodePool
from rspnet_core.video.split_lists import read_paths


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Labelled videos, and how often retrieval is measured on them."""

    data: Path
    every_epochs: int


def make_probe(
    plan: ProbePlan, model: TwoHeadModel, recipe: PretrainRecipe, fabric: Fabric, pool: DecodePool
) -> Callable[[int], dict[str, float]]:
    """Top-k retrieval of the test videos among the training videos of split 1, every few epochs, on rank 0."""
    labelled = labelled_split(plan.data)

    def probe(epoch: int) -> dict[str, float]:
        if epoch % plan.every_epochs or not fabric.is_global_zero:
            return {}
        with fabric.autocast():
            return retrieval_accuracy(model, labelled, clip_geometry(recipe), pool)

    return probe


@dataclass
class PretrainRun:
    """What a finished (or stopped) run tells."""

    folder: RunFolder
    recipe: PretrainRecipe
    num_videos: int
    step: int
    num_steps: int
    stopped: bool
    figures: dict[str, Any]
    """The latest of each figure."""
    is_first_process: bool = True
    unreadable: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What ``pretrain --json`` prints."""
        return {
            "run": str(self.folder.path),
            "model": str(self.folder.model),
            "videos": self.num_videos,
            "steps": self.step,
            "of_steps": self.num_steps,
            "stopped": self.stopped,
            "figures": self.figures,
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable.items()],
            "recipe": self.recipe.model_dump(mode="json"),
        }

    def closing_lines(self) -> list[str]:
        """What a person reads at the end."""
        lines = [f"{len(self.unreadable)} unreadable videos were left out"] if self.unreadable else []
        if self.stopped:
            return [*lines, f"stopped at step {self.step} of {self.num_steps}; the same command with --resume goes on"]
        wait = f", waiting for data {self.figures['data_wait']:.1%} of the time" if "data_wait" in self.figures else ""
        return [*lines, f"{self.step} steps{wait}; next: rspnet-index build VIDEOS --weights {self.folder.model}"]


@dataclass
class _Watcher:
    """Writes figures and the encoder where the loop says; tells ``on_figures``."""

    folder: RunFolder
    objective: RSPNetObjective
    recipe: PretrainRecipe
    data_name: str
    on_figures: Callable[[dict[str, Any]], None]
    on_warning: Callable[[str], None]
    latest: dict[str, Any] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    def interval(self, figures: dict[str, Any]) -> None:
        self.folder.append(figures)
        self.latest |= figures
        self.on_figures(figures)
        for name, alarm in collapse_alarms(figures).items():
            if name not in self.warned and figures["epoch"] >= 1:  # an untrained network's vectors are alike too
                self.warned.add(name)
                self.on_warning(f"warning: step {figures['step']}: {alarm}")

    def checkpoint(self, *, is_best: bool) -> None:
        model = self.objective.query.model
        epochs = f"epoch {self.latest.get('epoch', 0):g} of {self.recipe.epochs}"
        spec = describe(
            model,
            self.recipe.backbone,
            source=f"pre-trained on {self.data_name} by {'+'.join(self.recipe.objectives)}, {epochs}",
            trained=True,
            geometry=clip_geometry(self.recipe),
        )
        for path in (self.folder.model, *([self.folder.best] if is_best else [])):
            save_checkpoint(model, spec, path)


def clip_geometry(recipe: PretrainRecipe) -> ClipGeometry:
    """The clips that the encoder of a recipe sees when it embeds: ten, at the first playback speed."""
    return ClipGeometry(
        frames_per_clip=recipe.frames_per_clip,
        frame_step=recipe.frame_step * recipe.speeds[0],
        size=recipe.clip_size,
        fps=recipe.fps,
    )


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
    on_start: Callable[[list[str], int], None] = lambda lines, num_steps: None,
    on_figures: Callable[[dict[str, Any]], None] = lambda figures: None,
    on_warning: Callable[[str], None] = lambda message: None,
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
        on_start: told what will be done, in lines, and the number of steps.
        on_figures: told each line of figures.
        on_warning: told of unreadable videos and signs of collapse.

    Raises:
        UsageError: settings, lists or devices that do not fit.
        TrainingDiverged: the loss became NaN.
        WeightsError: a checkpoint cannot be read or written.
    """
    folder = RunFolder(out)
    fabric = make_fabric(device, recipe.precision)
    fabric.launch()
    paths = training_videos(data, list_files or [])
    loader = SpeedClipLoader(
        data,
        paths,
        recipe.sampling,
        recipe.batch_size,
        recipe.seed,
        Shard(fabric.global_rank, fabric.world_size),
        max_unreadable,
        on_unreadable=lambda path, reason: on_warning(f"unreadable, left out: {path}: {reason}"),
    )
    num_steps = recipe.epochs * loader.steps_per_epoch
    objective = build_objective(recipe, num_steps, from_weights=from_weights)
    for module in objective.modules.values():
        prepare(fabric, module)
    if fabric.world_size > 1:
        objective.gather = gather_in_order
    if fabric.is_global_zero and not resume:
        folder.begin(to_toml(recipe))
    fabric.barrier()
    watcher = _Watcher(folder, objective, recipe, data.resolve().name, on_figures, on_warning)
    schedule = CosineSchedule(
        recipe.learning_rate, recipe.final_rate, num_steps, round(recipe.warmup_epochs * loader.steps_per_epoch)
    )
    with DecodePool(workers or default_workers(fabric)) as pool:
        loop = Loop(
            fabric,
            objective,
            BatchSource(loader, pool, recipe, fabric.device),
            folder,
            schedule,
            loader.steps_per_epoch,
            recipe.sgd_momentum,
            recipe.weight_decay,
            watcher,
            None if probe is None else make_probe(probe, objective.query.model, recipe, fabric, pool),
        )
        if fabric.is_global_zero:
            on_start(_opening_lines(recipe, fabric, len(paths), num_steps), num_steps)
        if resume and fabric.is_global_zero:
            folder.forget_after(loop.resume_step())
        loop.run(resume=resume)
    if fabric.is_global_zero and watcher.latest:
        draw_curves(folder, folder.curves)
    return PretrainRun(
        folder,
        recipe,
        len(paths),
        loop.step,
        num_steps,
        loop.stopped,
        watcher.latest,
        fabric.is_global_zero,
        loader.unreadable,
    )


def _opening_lines(recipe: PretrainRecipe, fabric: Fabric, num_videos: int, num_steps: int) -> list[str]:
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    return [
        f"{num_videos} videos, {num_steps} steps of {recipe.batch_size} ({recipe.epochs} epochs)",
        f"{recipe.backbone} by {'+'.join(recipe.objectives)}, {recipe.frames_per_clip} frames of "
        f"{recipe.clip_size}x{recipe.clip_size} pixels, on {fabric.device}{processes} in {fabric._precision.precision}",
    ]


def training_videos(data: Path, list_files: list[Path]) -> list[str]:
    """Paths of the videos to train on, sorted: all of ``data``, or those that the lists name. Raises DatasetError."""
    files = {file.path for file in scan(data).files if file.problem is None}
    if not list_files:
        return sorted(files)
    named = {line for path in list_files for line in read_paths(path)}
    if missing := sorted(named - files):
        raise DatasetError(
            f"{len(missing)} of {len(named)} listed videos are not in {data}, such as {missing[0]}; "
            "paths in lists are relative to the data folder"
        )
    return sorted(named)
