"""The learning rate over a run: linear warm-up, then half a cosine (section 4; the end is the release's)."""

import math
from dataclasses import dataclass


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
