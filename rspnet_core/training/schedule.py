"""The learning rate over a run: half a cosine (section 4; the end is the release's), or steps; warm-up before."""

import math
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
        cosine = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return self.peak * (self.final_fraction + (1 - self.final_fraction) * cosine)


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


def cosine_schedule(recipe: TrainRecipe, steps_per_epoch: int) -> CosineSchedule:
    """The cosine of a recipe."""
    warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    return CosineSchedule(recipe.learning_rate, recipe.final_rate, recipe.epochs * steps_per_epoch, warmup_steps)
