"""``avid``: appearance-focused video instance discrimination (section 3.2, Eq. 3), its negatives in the batch.

c_i finds the clip of its own video at either speed, whichever was drawn, among those of all other videos.
"""

import torch
from pydantic import Field

from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, contrast, same_videos
from rspnet_core.pretext.terms import Term


class InstanceDiscrimination(Objective):
    """A clip finds another of its video."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.avid]``."""

        temperature: float = Field(default=0.1, gt=0)

    def forward(self, seen: Seen) -> Term:
        """Over all videos of the batch; two clips of one video are no negatives."""
        batch = seen.batch
        positive = torch.where(batch.positive_is_fast[:, None], seen.appearance("fast"), seen.appearance("slow"))
        own = same_videos(batch.video_ids)
        loss, accuracy = contrast(seen.appearance("anchor"), positive, self.settings.temperature, own)
        return Term(loss, {"avid_top1": accuracy})
