"""``still``: what moves in a window is the same when it is drawn otherwise and a still picture covers it.

The motion head learns it. With stills of the clip itself it is BE (Wang et al., CVPR 2021, "Removing the background by
adding the background"); those of another video also show what is to be overlooked.
The negatives are the windows of other videos and, in the second half of the run, the own window at the other speed.
"""

from pydantic import Field
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, contrast
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.views import Covers

_HARD_FROM = 0.5
"""Part of the run from which the own window at the other speed is a negative."""


class StillContrast(Objective):
    """A window finds itself under a still."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.still]``."""

        temperature: float = Field(default=0.2, gt=0)
        still_of: Covers = "other"
        """The still is a frame of another video of the batch, or of the covered clip itself (BE)."""

    def forward(self, seen: Seen) -> Term:
        """Over all videos of the batch."""
        temperature = self.settings.temperature
        slow, covered, fast = (seen.motion(role) for role in ("slow", "covered", "fast"))
        loss, accuracy = contrast(slow, covered, temperature)
        if seen.batch.progress >= _HARD_FROM:
            harder = F.softplus((covered * (fast - slow)).sum(dim=1) / temperature)
            counts = seen.batch.has_speeds.float()
            loss = loss + (harder * counts).sum() / counts.sum().clamp(min=1)
        return Term(loss, {"still_top1": accuracy})
