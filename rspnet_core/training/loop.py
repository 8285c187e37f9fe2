"""The training loop: steps, figures, checkpoints, exact resume. What is trained is a ``Task``; the loop knows no more.

A run that is killed at any step and resumed equals one that was not, bit for bit on a CPU: batches depend on their
step alone, and a checkpoint holds all that a step changes (parameters, key encoder, queue, optimiser, sums of figures).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from rspnet_core.errors import InvalidSetting, TrainingDiverged
from rspnet_core.training.fabric import reduced
from rspnet_core.training.means import Means
from rspnet_core.training.precision import check_gradients
from rspnet_core.training.run_folder import Figures, RunFolder
from rspnet_core.training.schedule import Schedule, TimedCosine
from rspnet_core.training.state import (
    load_modules,
    load_optimiser,
    module_tensors,
    optimiser_tensors,
    read_state,
    write_state,
)
from rspnet_core.training.stopping import StopBetweenSteps
from rspnet_core.training.task import Batches, Judgement, Task, Watcher, no_judgement

LOG_EVERY_STEPS = 10
_CHECKPOINT_SECONDS = 300.0


@dataclass
class Loop:
    """One run. ``run`` trains from wherever the checkpoint in the folder is, or from the start."""

    fabric: Fabric
    task: Task[Any]
    source: Batches
    folder: RunFolder
    schedule: Schedule
    steps_per_epoch: int
    new_optimiser: Callable[[nn.Module], torch.optim.Optimizer]
    """Given the trained module."""
    watcher: Watcher
    judge: Callable[[int], Judgement] = no_judgement
    """Called with the number of finished epochs, on every rank; what it tells on rank 0 counts."""
    lowered_to: torch.dtype | None = None
    """What the fabric lets the module compute in; gradients in less than float32 are checked before the first step."""

    step: int = 0
    window: Means = field(default_factory=Means)
    best_score: float = -math.inf
    stopped: bool = False
    """Ended early by Ctrl-C or SIGTERM; the state is saved."""
    saved_at: float = -math.inf
    """When the last checkpoint was written, by ``time.monotonic()``."""

    def run(self, *, resume: bool) -> None:
        """Train to the end of the schedule. Raises TrainingDiverged, WeightsError."""
        optimiser = self.new_optimiser(self.task.trained)
        if resume:
            self._load(optimiser)
        module, wrapped = self.fabric.setup(self.task.trained, optimiser)
        started = time.perf_counter()
        with StopBetweenSteps() as stop:
            steps_left = self.schedule.num_steps - self.step
            first_step = self.step
            for batch, num_samples in self.source.batches(self.step, steps_left):
                if self.step == first_step and self.lowered_to is not None:
                    check_gradients(self.task.trained, self.task.inputs(batch), self.lowered_to)
                if self.step == 0:
                    self.task.start(batch)
                figures = self._take_step(batch, num_samples, module, wrapped)
                self.window.add(figures)
                self.step += 1
                started = self._finish_step(optimiser, started)
                if self._anyone(stop.asked) and self.step < self.schedule.num_steps:
                    self.stopped = True
                    self._save(optimiser, is_best=False)
                    return
            if isinstance(self.schedule, TimedCosine):  # no step knew that it would be the last
                if self.window.count:
                    self._log(started)
                self._save(optimiser, is_best=False)

    def _take_step(self, batch: Any, num_samples: int, module: Any, optimiser: Any) -> dict[str, Tensor]:
        for group in optimiser.param_groups:
            group["lr"] = self.schedule.rate_at(self.step) * group.get("rate_factor", 1.0)
        return take_step(self.fabric, self.task, batch, module, optimiser, self._share(num_samples))

    def _share(self, num_samples: int) -> float:
        if self.fabric.world_size == 1:
            return 1.0
        return num_samples / float(reduced(self.fabric, torch.tensor(float(num_samples)), "mean"))

    def _finish_step(self, optimiser: Any, started: float) -> float:
        """Figures at the end of an interval, judgement and checkpoint at that of an epoch; when the interval began."""
        ends_epoch = self.step % self.steps_per_epoch == 0
        if not ends_epoch and self.step % LOG_EVERY_STEPS:
            return started
        self._log(started)
        is_best = False
        if ends_epoch:
            is_best = self._judge_epoch(self.step // self.steps_per_epoch)
        self._maybe_save(optimiser, is_best=is_best)
        return time.perf_counter()

    def _log(self, started: float) -> None:
        means = self._across_processes(self.window.means())
        if not all(map(math.isfinite, means.values())):
            bad = next(name for name, value in means.items() if not math.isfinite(value))
            raise TrainingDiverged(
                f"{bad} is {means[bad]} at step {self.step}: training diverged; {self.folder.last_state} is the last "
                "good state; lower learning_rate, or choose precision=fp32"
            )
        seconds = time.perf_counter() - started
        steps = max(self.window.count, 1)
        waited, self.source.waited_seconds = self.source.waited_seconds, 0.0
        line = {
            "step": self.step,
            "epoch": round(self.step / self.steps_per_epoch, 4),
            **{name: round(value, 6) for name, value in means.items()},
            "learning_rate": self.schedule.rate_at(self.step - 1),
            "step_seconds": round(seconds / steps, 5),
            "data_wait": round(waited / max(seconds, 1e-9), 5),
        }
        self.window = Means()
        if self.fabric.is_global_zero:
            self.watcher.interval(line)

    def _judge_epoch(self, epoch: int) -> bool:
        """Whether the judge, if there is one, finds this the best epoch so far.

        The loss is no judge: InfoNCE rises while its queue fills, whatever is learnt.
        """
        judgement = self.judge(epoch)
        if judgement.figures and self.fabric.is_global_zero:
            self.watcher.interval({"step": self.step, "epoch": epoch, **judgement.figures})
        score = -math.inf if judgement.score is None else judgement.score
        is_best = score > self.best_score
        self.best_score = max(score, self.best_score)
        return is_best

    def _maybe_save(self, optimiser: Any, *, is_best: bool) -> None:
        recently = time.monotonic() - self.saved_at < _CHECKPOINT_SECONDS
        if is_best or not recently or self.step == self.schedule.num_steps:
            self._save(optimiser, is_best=is_best)

    def _save(self, optimiser: Any, *, is_best: bool) -> None:
        self.saved_at = time.monotonic()
        values = {
            "step": self.step,
            "best_score": self.best_score,
            "window": {"sums": self.window.plain(), "count": self.window.count},
            "seconds": self.schedule.seconds() if isinstance(self.schedule, TimedCosine) else None,
        }
        for name, value in self.window.plain().items():
            if not math.isfinite(value):
                raise TrainingDiverged(f"{name} is {value} at step {self.step}: training diverged; nothing was saved")
        if not self.fabric.is_global_zero:
            return
        write_state(
            self.folder.last_state,
            module_tensors(self.task.modules) | optimiser_tensors(optimiser) | {"random": torch.get_rng_state()},
            values,
        )
        self.watcher.checkpoint(is_best=is_best)

    def resume_step(self) -> int:
        """The step that a resumed run goes on from."""
        return int(read_state(self.folder.last_state)[1]["step"]) if self.folder.last_state.exists() else 0

    def _load(self, optimiser: torch.optim.Optimizer) -> None:
        if not self.folder.last_state.exists():
            return
        tensors, values = read_state(self.folder.last_state)
        load_modules(self.task.modules, tensors)
        load_optimiser(optimiser, tensors)
        torch.set_rng_state(tensors["random"])
        self.step, self.best_score = values["step"], values["best_score"]
        self.window = Means(**values["window"])
        spent = values.get("seconds")  # None of a run by steps, absent from states of older versions
        if isinstance(self.schedule, TimedCosine) != (spent is not None):
            by = "epochs; leave it out" if spent is None else "the clock; give its minutes again"
            raise InvalidSetting(f"--minutes: the run in {self.folder.path} was begun by {by}")
        if isinstance(self.schedule, TimedCosine):
            self.schedule.spent_seconds = float(values["seconds"])

    def _across_processes(self, means: Figures) -> Figures:
        if self.fabric.world_size == 1 or not means:
            return means
        values = torch.tensor(list(means.values()), dtype=torch.float64)
        return dict(zip(means, reduced(self.fabric, values, "mean").tolist(), strict=True))

    def _anyone(self, asked: bool) -> bool:
        if self.fabric.world_size == 1:
            return asked
        return bool(reduced(self.fabric, torch.tensor(float(asked)), "sum") > 0)


def take_step(
    fabric: Fabric, task: Task[Any], batch: Any, module: nn.Module, optimiser: Any, share: float = 1.0
) -> dict[str, Tensor]:
    """One step of training: figures of the batch, ``loss`` among them.

    Processes average their gradients; ``share`` is the weight of this one's, below 1 where its batch lost a video.
    """
    outcome = task.loss(batch, module)
    fabric.backward(outcome.loss * share)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    task.after_step(outcome)
    return {"loss": outcome.loss.detach(), **outcome.figures}
