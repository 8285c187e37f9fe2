"""``order``: of two clips of one window, which plays faster? The speed column of TransRank (Duan et al., CVPR 2022).

A linear read-out v of the features, softplus(-(v(fast) - v(slow))). Unlike the triplet of Eq. 2, its gradient does not
vanish where no vector knows speed yet. Clips of the synthetic programs are not used.
"""

from typing import Any

from torch import nn
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, Seen
from rspnet_core.pretext.terms import Term


class SpeedOrder(Objective):
    """The faster of two clips scores higher."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.speed = nn.Linear(channels, 1)

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough for both speeds."""
        gap = (self.speed(seen.of("fast")) - self.speed(seen.of("slow"))).squeeze(1)
        counts = seen.batch.has_speeds.float()
        total = counts.sum().clamp(min=1)
        loss = (F.softplus(-gap) * counts).sum() / total
        return Term(loss, {"order_accuracy": ((gap > 0).float() * counts).sum() / total})
