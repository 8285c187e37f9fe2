"""Two ways to do the same, timed in turns, so that a busy machine slows both alike."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from rspnet_core.bench.clock import seconds_of

Work = Callable[[], object]


@dataclass(frozen=True)
class Measured:
    """Seconds of each round of one kind of work."""

    name: str
    ours: list[float]
    plain: list[float]
    """Of the plain code, in the same rounds."""
    bound: float | None = None
    """Seconds below which the work cannot be done here, where that is known."""

    @property
    def ratios(self) -> list[float]:
        """How many times as fast as the plain code, each round."""
        return [plain / ours for ours, plain in zip(self.ours, self.plain, strict=True)]

    def document(self) -> dict[str, Any]:
        """As ``rspnet-index speed --json`` prints it."""
        seconds = median(self.ours)
        return {
            "name": self.name,
            "seconds": seconds,
            "plain_seconds": median(self.plain),
            "ratio": median(self.ratios),
            "ratio_low": min(self.ratios),
            "ratio_high": max(self.ratios),
            "bound_seconds": self.bound,
            "of_bound": None if self.bound is None else self.bound / seconds,
        }


def in_turns(work: dict[str, tuple[Work, Work]], rounds: int, device: torch.device) -> list[Measured]:
    """Time pairs of ours and the plain code by name, ``rounds`` times each, after one that is not counted."""
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in work}
    for _ in range(rounds + 1):
        for name, pair in work.items():
            for run, taken in zip(pair, seconds[name], strict=True):
                taken.append(seconds_of(run, device))
    return [Measured(name, ours[1:], plain[1:]) for name, (ours, plain) in seconds.items()]
