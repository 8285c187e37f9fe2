"""``still``: what moves in a window is the same when another draw and another video's still picture cover it.

In the spirit of BE (Wang et al., CVPR 2021, "Removing the background by adding the background"), by the motion head.
The negatives are the windows of other videos and, in the second half of the run, the own window at the other speed.
"""

from pydantic import Field
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, contrast
from rspnet_core.pretext.terms import Term

_HARD_FROM = 0.5
"""Part of the run from which the own window at the other speed is a negative."""


class StillContrast(Objective):
    """A window finds itself under a still."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.still]``."""

        temperature: float = Field(default=0.2, gt=0)

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
