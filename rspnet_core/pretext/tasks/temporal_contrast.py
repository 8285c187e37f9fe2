"""``temporal_contrast``: a clip finds itself under another draw, and not another moment of its own video.

TCLR (Dave, Gupta, Rizve and Shah, "TCLR: temporal contrastive learning for video representation", CVIU 2022,
https://arxiv.org/abs/2101.07974). Of its losses, local-local is learnt by the motion head alone: its negatives are the
other moments of the own video, which instance discrimination would pull together, so that this, the second loss, is
learnt by the appearance head. Global-local, which compares moments within a feature map, is left out: the small
encoders here keep one.
"""

from typing import Any

import torch
from pydantic import Field
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, contrast, same_videos
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants

_MOMENTS = 2


class TemporalContrast(Objective):
    """Moments of a video stay apart for the motion head, and together for the appearance head."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.temporal_contrast]``."""

        temperature: float = Field(default=0.1, gt=0)

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Two moments, each by two draws."""
        return Variants(clips=_MOMENTS, layout="in turn", repeats=2)

    def forward(self, seen: Seen) -> Term:
        """Moments over the videos that are long enough, instances over all."""
        temperature, counts = self.settings.temperature, seen.batch.has_speeds
        moments = torch.stack(seen.motion("temporal_contrast").chunk(2 * _MOMENTS), dim=1)  # (R, 4, 128)
        clip = torch.arange(2 * _MOMENTS, device=moments.device)
        logits = (moments @ moments.mT / temperature).masked_fill(clip[:, None] == clip, -torch.inf)
        partner = (clip + _MOMENTS) % len(clip)
        losses = F.cross_entropy(logits.flatten(0, 1), partner.repeat(len(logits)), reduction="none")
        total = counts.sum().clamp(min=1)
        local = (losses.view(-1, len(clip)).mean(dim=1) * counts).sum() / total
        is_right = (logits.argmax(dim=2) == partner).float().mean(dim=1)
        clips = seen.appearance("temporal_contrast").chunk(2 * _MOMENTS)
        instance, top1 = contrast(clips[0], clips[-1], temperature, same_videos(seen.batch.video_ids))
        figures = {"moment_top1": (is_right * counts).sum() / total, "temporal_instance_top1": top1}
        return Term(local + instance, figures)
