"""``equivariance``: what was done in time to two clips of a video is found again between two clips of another video.

TE (Jenni and Jin, "Time-equivariant contrastive video representation learning", ICCV 2021), its three ideas:

    transform  a vector of each *pair* of clips, [f(a), f(b)], tells the relative transform: speeds, directions, and how
               far apart. The pair of another video with the same one is the positive, pairs with others are negatives
    relation   the pair is overlapping, in order or against it: three classes
    instance   clip a finds clip b of its video, whatever was done in time, among those of other videos

All are weighted equally. Half of a batch has the transforms of the other half, with places of its own.
"""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
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
from rspnet_core.pretext.variants import RELATIONS, Truth, Variants


class TimeEquivariance(Objective):
    """Pairs of clips tell their transform, and clips their video."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.equivariance]``."""

        speeds: Speeds = Field(default=(1, 2), min_length=1)
        """Times ``frame_step``, each forwards and backwards; a video must be long enough for two clips at the
        highest."""
        temperature: float = Field(default=0.1, gt=0)

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.pair = nn.Sequential(nn.Linear(2 * channels, channels), nn.ReLU())
        self.transform, self.instance = Standardised(channels), Standardised(channels)
        self.relation = nn.Linear(channels, len(RELATIONS))

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Two clips, in twins."""
        return Variants(2, settings.speeds, ("forwards", "backwards"), layout="anyhow", in_twins=True)

    def forward(self, seen: Seen) -> Term:
        """Transform and relation over the videos that are long enough, instances over all."""
        clips, truth, counts = seen.varied("equivariance"), seen.batch.truths["equivariance"], seen.batch.has_speeds
        pairs = self.pair(torch.cat([clips[0], clips[1]], dim=1))
        vectors = F.normalize(self.transform(pairs), dim=1)
        transform, top1 = transform_contrast(vectors, truth, counts, self.settings.temperature)
        relation, accuracy = classification(self.relation(pairs), truth.relations, counts)
        one, other = F.normalize(self.instance(clips.flatten(0, 1)), dim=1).chunk(2)
        instance, own_top1 = contrast(one, other, self.settings.temperature, same_videos(seen.batch.video_ids))
        figures = {"equivariance_top1": top1, "relation_accuracy": accuracy, "equivariance_instance_top1": own_top1}
        return Term(transform + relation + instance, figures)


def transform_contrast(vectors: Tensor, truth: Truth, counts: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """InfoNCE of pairs, their twins as positives, and how often a twin is the nearest.

    Pairs of equal kinds and relation that are no twins are neither positives nor negatives.

    Args:
        vectors: unit vectors (R, D).
        truth: of the R videos.
        counts: bool (R,), videos that take part.
        temperature: tau.
    """
    num, device = len(vectors), vectors.device
    alike = torch.cat([truth.kinds, truth.relations[:, None]], dim=1)
    is_other = counts & ~torch.eye(num, dtype=torch.bool, device=device)
    is_twin = (truth.twins[:, None] == truth.twins) & is_other
    is_negative = (alike[:, None] != alike).any(dim=2) & is_other
    logits = (vectors @ vectors.T / temperature).masked_fill(~(is_twin | is_negative), -torch.inf)
    has_twin = counts & is_twin.any(dim=1)
    logits = torch.where(has_twin[:, None], logits, 0.0)  # rows that do not count, and may have nothing left
    twins = logits.masked_fill(~is_twin & has_twin[:, None], -torch.inf).logsumexp(dim=1)
    losses, total = logits.logsumexp(dim=1) - twins, has_twin.sum().clamp(min=1)
    is_right = is_twin.gather(1, logits.argmax(dim=1, keepdim=True))[:, 0]
    return torch.where(has_twin, losses, 0.0).sum() / total, (is_right & has_twin).sum() / total
