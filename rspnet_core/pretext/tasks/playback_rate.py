"""``playback_rate``: which of the rates does the clip play at?

The discriminative half of PRP (Yao, Liu, Luo, Zhou and Ye, "Video playback rate perception for self-supervised
spatio-temporal representation learning", CVPR 2020): rates of 1, 2, 4 and 8, by cross-entropy. Its generative half,
which decodes a slower clip, is left out.
"""

from typing import Any

from pydantic import Field
from torch import nn

from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, Speeds, classification
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants


class PlaybackRate(Objective):
    """The rate of a clip, read out of its features."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.playback_rate]``."""

        rates: Speeds = Field(default=(1, 2, 4, 8), min_length=2)
        """Times ``frame_step``; a video must be long enough for the highest."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.rate = nn.Linear(channels, len(settings.rates))

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """One clip at any rate."""
        return Variants(speeds=settings.rates)

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough; one by the number of rates is chance."""
        truth = seen.batch.truths["playback_rate"].kinds[:, 0]
        loss, accuracy = classification(self.rate(seen.of("playback_rate")), truth, seen.batch.has_speeds)
        return Term(loss, {"playback_rate_accuracy": accuracy})
