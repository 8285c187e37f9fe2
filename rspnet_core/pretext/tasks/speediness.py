"""``speediness``: does the clip play at its natural speed, or twice as fast?

SpeedNet (Benaim et al., "SpeedNet: learning the speediness in videos", CVPR 2020): a binary classifier by
cross-entropy; each video is in the batch at both speeds under one augmentation.
"""

from typing import Any

import torch
from torch import nn

from rspnet_core.pretext.tasks.objective import Objective, Seen, classification
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants


class Speediness(Objective):
    """Sped up or not, of each clip by itself."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.speed = nn.Linear(channels, 2)

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """The same beginning at both speeds."""
        return Variants(clips=2, speeds=(1, 2), picks="each", layout="together")

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough; 0.5 is chance."""
        counts = seen.batch.has_speeds
        truth = torch.arange(2, device=counts.device).repeat_interleave(len(counts))
        loss, accuracy = classification(self.speed(seen.of("speediness")), truth, counts.repeat(2))
        return Term(loss, {"speediness_accuracy": accuracy})
