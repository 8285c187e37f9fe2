"""``rotation``: by how many quarter turns is the clip turned?

3DRotNet (Jing, Yang, Liu and Tian, "Self-supervised spatiotemporal feature learning via video rotation prediction",
2018, https://arxiv.org/abs/1811.11387): four classes, 0, 90, 180 and 270 degrees, by cross-entropy. There each video is
shown in all four turns, here in one of them, which costs a quarter.
"""

from typing import Any

from torch import nn

from rspnet_core.pretext.tasks.objective import Objective, Seen, classification
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants


class RotationPrediction(Objective):
    """The turn of a clip, read out of its features."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.turns = nn.Linear(channels, 4)

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """One turned clip."""
        return Variants(is_turned=True)

    def forward(self, seen: Seen) -> Term:
        """Over all videos; 0.25 is chance."""
        turns = seen.batch.truths["rotation"].turns[:, 0]
        loss, accuracy = classification(self.turns(seen.of("rotation")), turns, turns >= 0)
        return Term(loss, {"rotation_accuracy": accuracy})
