"""The learning rate over a run: half a cosine (section 4; the end is the release's), or steps; warm-up before."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rspnet_core.training.recipe import TrainRecipe


class Schedule(Protocol):
    """A rate for each step of a run."""

    @property
    def num_steps(self) -> int:
        """Steps of the whole run."""

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, from 0."""

    def progress(self, step: int) -> float:
        """Part of the run that is over before a step, 0 to 1."""


@dataclass(frozen=True, slots=True)
class CosineSchedule:
    """``rate_at(step)`` for steps 0 to ``num_steps`` - 1."""

    peak: float
    final_fraction: float
    num_steps: int
    warmup_steps: int = 0

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / max(self.num_steps - self.warmup_steps, 1)
        return _cosine(self.peak, self.final_fraction, min(done, 1.0))

    def progress(self, step: int) -> float:
        """Part of the steps that is over."""
        return step / self.num_steps


@dataclass
class TimedCosine:
    """The same by the clock: a run of so many minutes, however many steps these allow."""

    peak: float
    final_fraction: float
    minutes: float
    warmup_steps: int = 0
    spent_seconds: float = 0.0
    """By earlier parts of a run that is resumed."""
    agree: Callable[[float], float] = float
    """Makes one time of what the clocks of several processes say; each asks it once a step."""
    num_steps: int = 10**9
    _started: float | None = None
    _now: tuple[int, float] = (-1, 0.0)
    """The step that was asked for last, and its progress."""

    def seconds(self) -> float:
        """Spent so far; the clock starts when it is first asked."""
        if self._started is None:
            self._started = time.monotonic()
        return self.spent_seconds + time.monotonic() - self._started

    def progress(self, step: int) -> float:
        """Part of the minutes that was over when it was first asked for this step."""
        if step != self._now[0]:
            self._now = step, min(self.agree(self.seconds()) / (60 * self.minutes), 1.0)
        return self._now[1]

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        warm = min((step + 1) / max(self.warmup_steps, 1), 1.0)
        return warm * _cosine(self.peak, self.final_fraction, self.progress(step))


@dataclass(frozen=True, slots=True)
class StepSchedule:
    """``rate_at(step)``: the peak, times ``factor`` from each of ``milestones`` (steps) on."""

    peak: float
    factor: float
    milestones: tuple[int, ...]
    num_steps: int
    warmup_steps: int = 0

    def rate_at(self, step: int) -> float:
        """Learning rate of a step."""
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        return self.peak * self.factor ** sum(step >= milestone for milestone in self.milestones)

    def progress(self, step: int) -> float:
        """Part of the steps that is over."""
        return step / self.num_steps


def _cosine(peak: float, final_fraction: float, done: float) -> float:
    return peak * (final_fraction + (1 - final_fraction) * 0.5 * (1 + math.cos(math.pi * done)))


def cosine_schedule(recipe: TrainRecipe, steps_per_epoch: int) -> CosineSchedule:
    """The cosine of a recipe."""
    warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    return CosineSchedule(recipe.peak_rate, recipe.final_rate, recipe.epochs * steps_per_epoch, warmup_steps)
