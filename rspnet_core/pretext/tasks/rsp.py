"""``rsp``: relative speed perception (section 3.2, Eq. 2) on the release's triplets, by a projection of its own.

With the release's pairing c_i is from one window; c_j and c_k are cut from another, with one draw: they differ in speed
alone. The projection is its own, as the motion head also learns what moves where, which a speed does not tell.
"""

from typing import Any

import torch
from pydantic import Field
from torch.nn import functional as F

from rspnet_core.pretext.losses import speed_gaps
from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, Standardised
from rspnet_core.pretext.terms import Term, ranking_accuracies


class SpeedTriplet(Objective):
    """The clip of the anchor's speed is the nearer one."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.rsp]``."""

        margin: float = Field(default=1.0, gt=0)
        """gamma of Eq. 2; so wide that the hinge does not close before anything is learnt."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.projection = Standardised(channels)

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough; accuracy also by the anchor's speed."""
        batch = seen.batch
        rows = torch.cat([self.projection.layer(seen.of(role)) for role in ("anchor", "slow", "fast")])
        anchor, slow, fast = F.normalize(self.projection.norm(rows), dim=1).chunk(3)
        is_fast = batch.anchor_is_fast[:, None]
        gaps = speed_gaps(anchor, torch.where(is_fast, fast, slow), torch.where(is_fast, slow, fast))
        counts = batch.has_speeds
        loss = (F.relu(self.settings.margin - gaps) * counts).sum() / counts.sum().clamp(min=1)
        return Term(loss, ranking_accuracies(gaps > 0, batch.anchor_is_fast, counts))
