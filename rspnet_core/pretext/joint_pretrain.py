"""Pre-training on a store of frames by several tasks, as ``rspnet-train pretrain STORE`` does it.

    store, all frames on the device --ViewPlan--> clips, cut, augmented and rendered there --JointTask--> loss

No decoder runs beside it, and none need be installed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rspnet_core.config import ClipGeometry, EncoderSpec, Normalisation
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.pretext.joint import JointModel, JointTask
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.views import SPEEDS, ViewBatch, ViewPlan
from rspnet_core.training.batch_norm import shorten_statistics
from rspnet_core.training.fabric import prepare
from rspnet_core.training.listener import Listener
from rspnet_core.training.optimiser import optimiser_of
from rspnet_core.training.run import TrainingRun
from rspnet_core.training.schedule import CosineSchedule, Schedule, TimedCosine
from rspnet_core.training.session import Training, open_session
from rspnet_core.video.store.frame_store import FrameStore, open_store
from rspnet_core.weights.checkpoint import describe

_FEWEST_STEPS = 500
"""That a run of so many minutes surely takes on a GPU; batch norms remember a hundredth of it."""


def pretrain_from_store(
    folder: Path,
    out: Path,
    recipe: JointRecipe,
    *,
    resume: bool = False,
    device: str = "auto",
    minutes: float | None = None,
    listener: Listener | None = None,
) -> TrainingRun:
    """Train, or go on with, a run.

    Args:
        folder: a store that ``rspnet-train cache`` wrote.
        out: the run's folder; with ``resume`` its own recipe.toml is what counts.
        recipe: all settings.
        resume: go on from ``out``'s last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        minutes: how long the run may take, over all its resumptions; rate and difficulty follow the clock. None takes
            the recipe's epochs.
        listener: told how it goes; None tells nobody.

    Raises:
        UsageError: settings or devices that do not fit, several processes.
        DatasetError: the store is damaged, or is of another frame rate or of fewer videos than a batch.
        TrainingDiverged: the loss became NaN.
        WeightsError: a checkpoint cannot be read or written.
    """
    session = open_session(out, recipe, resume=resume, device=device, listener=listener)
    if session.fabric.world_size > 1:
        raise InvalidSetting("training on a store takes one process; start it without torchrun")
    store = open_store(folder)
    _check(store, recipe, folder)
    steps_per_epoch = -(-len(store.index.videos) // recipe.batch_size)
    schedule = _schedule(recipe, steps_per_epoch, minutes)
    torch.manual_seed(recipe.seed)
    joint = JointModel(create_model(recipe.backbone, seed=recipe.seed), recipe.objectives)
    shorten_statistics(joint, schedule.num_steps if minutes is None else _FEWEST_STEPS)
    prepare(session.fabric, joint)
    plan = ViewPlan(
        store.on(session.fabric.device),
        recipe.frames_per_clip,
        recipe.frame_step,
        recipe.clip_size,
        recipe.augmentation,
        recipe.batch_size,
        recipe.num_programs,
        recipe.fps or 25,
        recipe.seed,
    )
    training = Training(
        task=JointTask(joint.train()),
        encoder=joint.model,
        exported=joint.exported,
        source=StoreSource(plan, schedule, steps_per_epoch),
        schedule=schedule,
        new_optimiser=lambda module: optimiser_of(recipe, module.parameters()),
        spec=partial(_spec, joint.model, recipe, folder.resolve().name),
        aim=f"by {recipe.summary}",
        next_command=f"rspnet-index build VIDEOS --weights {session.folder.model}",
    )
    return session.train(training)


@dataclass
class StoreSource:
    """``training.task.Batches`` of a plan: nothing is waited for."""

    plan: ViewPlan
    schedule: Schedule
    steps_per_epoch: int
    waited_seconds: float = 0.0
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> Sequence[str]:
        """The videos of the store."""
        return self.plan.store.paths

    def batches(self, first_step: int, num_steps: int) -> Iterator[tuple[Any, int]]:
        """Each batch with its number of videos, until the schedule is over."""
        for step in range(first_step, first_step + num_steps):
            progress = self.schedule.progress(step)
            if progress >= 1:
                return
            batch: ViewBatch = self.plan.batch(step, progress)
            yield batch, self.plan.num_videos


def _check(store: FrameStore, recipe: JointRecipe, folder: Path) -> None:
    if store.index.fps != recipe.fps:
        held, wanted = (fps or "as recorded" for fps in (store.index.fps, recipe.fps))
        raise DatasetError(
            f"frames a second: {folder} holds {held}, the recipe wants {wanted}; "
            "write the store anew with --fps, or give --set fps=..."
        )
    if len(store.index.videos) < recipe.batch_size:
        raise DatasetError(
            f"{len(store.index.videos)} videos in {folder} are fewer than one batch of {recipe.batch_size}; "
            "give more videos or a smaller batch_size"
        )
    if not recipe.num_programs and recipe.objectives.keys() & {"programs", "looks"}:
        raise InvalidSetting("programs and looks are learnt from rendered motion; set num_programs, or leave them out")


def _schedule(recipe: JointRecipe, steps_per_epoch: int, minutes: float | None) -> Schedule:
    if minutes is not None:
        return TimedCosine(recipe.learning_rate, recipe.final_rate, minutes, recipe.warmup_steps)
    num_steps = recipe.epochs * steps_per_epoch
    return CosineSchedule(recipe.learning_rate, recipe.final_rate, num_steps, recipe.warmup_steps)


def _spec(model: TwoHeadModel, recipe: JointRecipe, data_name: str, progress: str) -> EncoderSpec:
    return describe(
        model,
        recipe.backbone,
        source=f"pre-trained on {data_name} by {recipe.summary}, {progress}",
        trained=True,
        geometry=ClipGeometry(
            frames_per_clip=recipe.frames_per_clip,
            frame_step=recipe.frame_step * SPEEDS[0],
            size=recipe.clip_size,
            fps=recipe.fps,
        ),
        normalisation=Normalisation(),
    )
