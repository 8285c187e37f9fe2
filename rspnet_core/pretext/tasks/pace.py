"""``pace``: which pace does the clip play at, and which other clip is of its video?

Wang, Jiao and Liu ("Self-supervised video representation learning by pace prediction", ECCV 2020): paces of 1 to 4 by
cross-entropy, and a contrast of the same context, two clips of a video against all of others, with a weight of 0.1. Its
temperature is this project's.
"""

from typing import Any

from pydantic import Field
from torch import nn
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import (
    Objective,
    ObjectiveSettings,
    Seen,
    Speeds,
    Standardised,
    classification,
    contrast,
    same_videos,
)
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants


class Pace(Objective):
    """The pace of each of two clips, which find each other."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.pace]``."""

        paces: Speeds = Field(default=(1, 2, 3, 4), min_length=2)
        """Times ``frame_step``; a video must be long enough for the highest."""
        contrast: float = Field(default=0.1, ge=0)
        """Weight of the contrast, beside 1 of the classification."""
        temperature: float = Field(default=0.1, gt=0)

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.pace = nn.Linear(channels, len(settings.paces))
        self.projection = Standardised(channels)

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Two clips, each at any pace."""
        return Variants(clips=2, speeds=settings.paces)

    def forward(self, seen: Seen) -> Term:
        """Paces over the videos that are long enough, the contrast over all; one by the number of paces is chance."""
        pooled, truth = seen.of("pace"), seen.batch.truths["pace"].kinds.T.flatten()
        loss, accuracy = classification(self.pace(pooled), truth, seen.batch.has_speeds.repeat(2))
        one, other = F.normalize(self.projection(pooled), dim=1).chunk(2)
        context, top1 = contrast(one, other, self.settings.temperature, same_videos(seen.batch.video_ids))
        figures = {"pace_accuracy": accuracy, "pace_context_top1": top1}
        return Term(loss + self.settings.contrast * context, figures)
