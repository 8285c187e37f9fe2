"""What every run of training is wired of, once: machine, folder, decoding, figures, checkpoints and the loop.

session = open_session(OUT, recipe, ...)
return session.train(Training(task, source, ...))
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from rspnet_core.config import EncoderSpec
from rspnet_core.models import EncoderModel
from rspnet_core.training.curves import draw_curves
from rspnet_core.training.fabric import Machine, choose_machine
from rspnet_core.training.listener import Listener
from rspnet_core.training.loop import Loop
from rspnet_core.training.recipe import TrainRecipe
from rspnet_core.training.recipe_file import to_toml
from rspnet_core.training.run import RunWatcher, TrainingRun, opening_lines
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.schedule import Schedule, TimedCosine
from rspnet_core.training.task import Batches, Judgement, Task, no_judgement


@dataclass(frozen=True, kw_only=True)
class Training:
    """What is trained, from what batches, with which schedule."""

    task: Task[Any]
    """Already on the session's device."""
    encoder: EncoderModel
    """What of the task is kept in the end."""
    exported: Callable[[], EncoderModel] | None = None
    """Makes what is written of it; None writes the encoder as it is."""
    source: Batches
    """Batches on the device, as the task takes them."""
    schedule: Schedule
    new_optimiser: Callable[[nn.Module], torch.optim.Optimizer]
    """Given the trained module."""
    spec: Callable[[str], EncoderSpec]
    """Of the encoder as it is, given how far the run is ("epoch 3 of 8")."""
    aim: str
    """What is learnt, for people."""
    next_command: str
    """What a user does with the result."""
    notes: Sequence[str] = ()
    """What is to be known about the data, for people."""
    judge: Callable[[int], Judgement] = no_judgement
    """Called with the number of finished epochs, on every rank."""
    keep_every: int | None = None
    """The encoder of each epoch that this divides is kept."""


@dataclass(frozen=True)
class Session:
    """A run that is about to begin or to go on; see ``open_session``."""

    recipe: TrainRecipe
    folder: RunFolder
    machine: Machine
    listener: Listener
    resume: bool

    @property
    def fabric(self) -> Fabric:
        """Device and processes."""
        return self.machine.fabric

    def note(self, note: str) -> None:
        """Tell something about the run, by the first process."""
        if self.fabric.is_global_zero:
            self.listener.say(f"note: {note}")

    def train(self, training: Training) -> TrainingRun:
        """Make the folder, train to the end or to Ctrl-C, and draw the curves.

        Raises:
            InvalidSetting: clips too short or small for the encoder, or a run in the folder already.
            DatasetError: too many videos cannot be read.
            TrainingDiverged: the loss became NaN.
            WeightsError: a checkpoint cannot be read or written.
        """
        self._begin(training.encoder)
        watcher = RunWatcher(
            self.folder,
            self.listener,
            training.exported or (lambda: training.encoder),
            training.spec,
            _end(self.recipe, training.schedule, "of {}"),
        )
        loop = Loop(
            fabric=self.fabric,
            task=training.task,
            source=training.source,
            folder=self.folder,
            schedule=training.schedule,
            steps_per_epoch=training.source.steps_per_epoch,
            new_optimiser=training.new_optimiser,
            watcher=watcher,
            judge=partial(self._judge, training, watcher),
            lowered_to=self.machine.lowered_to,
        )
        is_first = self.fabric.is_global_zero
        if is_first:
            is_timed = isinstance(training.schedule, TimedCosine)
            self.listener.started(self._opening(training), None if is_timed else training.schedule.num_steps)
        if is_first and self.resume:
            self.folder.forget_after(loop.resume_step())
        loop.run(resume=self.resume)
        if is_first and self.folder.lines():
            draw_curves(self.folder, self.folder.curves)
        return TrainingRun(loop, self.recipe, training.source, watcher.latest, training.next_command)

    def _begin(self, encoder: EncoderModel) -> None:
        """Make the folder of a new run, by the first process, once it is sure that clips fit the encoder."""
        side = self.recipe.clip_size
        encoder.backbone.check(torch.empty(1, 3, self.recipe.frames_per_clip, side, side, device="meta"))
        if self.fabric.is_global_zero and not self.resume:
            self.folder.begin(to_toml(self.recipe))
        self.fabric.barrier()

    def _judge(self, training: Training, watcher: RunWatcher, epoch: int) -> Judgement:
        if training.keep_every and epoch % training.keep_every == 0 and self.fabric.is_global_zero:
            watcher.keep(epoch)
        return training.judge(epoch)

    def _opening(self, training: Training) -> list[str]:
        schedule = training.schedule
        steps = "steps" if isinstance(schedule, TimedCosine) else f"{schedule.num_steps} steps"
        amount = f"{len(training.source.paths)} videos, {steps} of {self.recipe.batch_size}"
        lines = opening_lines(
            self.recipe, self.machine, f"{amount} ({_end(self.recipe, schedule, '{} epochs')})", training.aim
        )
        recipe, notes = self.recipe, list(training.notes)
        if recipe.peak_rate != recipe.learning_rate:
            notes.append(
                f"learning rate {recipe.peak_rate:g}: {recipe.learning_rate:g} is that of "
                f"{recipe.reference_batch_size} videos a step"
            )
        return [f"note: {note}" for note in notes] + lines


def _end(recipe: TrainRecipe, schedule: Schedule, of_epochs: str) -> str:
    if isinstance(schedule, TimedCosine):
        return f"in {schedule.minutes:g} minutes"
    return of_epochs.format(recipe.epochs)


def open_session(out: Path, recipe: TrainRecipe, *, resume: bool, device: str, listener: Listener | None) -> Session:
    """Choose the machine and start its processes.

    Args:
        out: the run's folder.
        recipe: all settings of the run.
        resume: go on from the folder's last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        listener: told how it goes; None tells nobody.

    Raises:
        DeviceUnavailable, InvalidSetting: as ``choose_machine`` does.
    """
    machine = choose_machine(device, recipe.precision)
    machine.fabric.launch()
    return Session(recipe, RunFolder(out), machine, listener or Listener(), resume)
