"""``mined``: what one head finds alike is a positive of the other head.

CoCLR (Han, Xie and Zisserman, "Self-supervised co-training for video representation learning", NeurIPS 2020) trains a
network of colours and one of flow, each with positives that the other one finds. Here the two heads of one encoder take
their places: beside another clip of its own video, a clip's positives for the motion head are the 5 clips in memory
that the appearance head finds nearest, and the reverse. As there, all positives stand in one logarithm (MIL-NCE), the
memory holds 2048 clips, and mining begins when plain instance discrimination has taught the heads something.

There is no momentum encoder: the memory holds what the heads said of c_i when it was seen. Negatives are also the
partners of the other videos of the batch.
"""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from rspnet_core.pretext.queue import KeyQueue
from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen, same_videos
from rspnet_core.pretext.terms import Term


class MinedContrast(Objective):
    """Each head learns from the neighbours that the other head finds."""

    class Settings(ObjectiveSettings):
        """Of ``[objectives.mined]``."""

        temperature: float = Field(default=0.07, gt=0)
        memory: int = Field(default=2048, ge=1)
        """Clips that are remembered."""
        positives: int = Field(default=5, ge=1)
        """How many of these are mined."""
        mine_from: float = Field(default=0.5, ge=0, le=1)
        """Part of the run from which positives are mined; before, the own video gives the only one."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.motion, self.appearance = KeyQueue(settings.memory), KeyQueue(settings.memory)

    def forward(self, seen: Seen) -> Term:
        """Over all videos, by both heads."""
        motion, appearance = self._with_partners(seen, "motion"), self._with_partners(seen, "appearance")
        of_motion, motion_top1 = self._of_head(seen, motion, self.motion, appearance[0], self.appearance)
        of_appearance, appearance_top1 = self._of_head(seen, appearance, self.appearance, motion[0], self.motion)
        figures = {"mined_motion_top1": motion_top1, "mined_appearance_top1": appearance_top1}
        return Term(of_motion + of_appearance, figures)

    def remember(self, seen: Seen) -> None:
        """c_i, by both heads."""
        self.motion.put(seen.motion("anchor"), seen.batch.video_ids)
        self.appearance.put(seen.appearance("anchor"), seen.batch.video_ids)

    def _with_partners(self, seen: Seen, head: str) -> tuple[Tensor, Tensor]:
        """Of c_i and of the clip that instance discrimination pairs it with, unit vectors (R, 128)."""
        vectors = seen.motion if head == "motion" else seen.appearance
        is_fast = seen.batch.positive_is_fast[:, None]
        return vectors("anchor"), torch.where(is_fast, vectors("fast"), vectors("slow"))

    def _of_head(
        self, seen: Seen, own: tuple[Tensor, Tensor], memory: KeyQueue, guides: Tensor, guiding: KeyQueue
    ) -> tuple[Tensor, Tensor]:
        """Loss and top-1 of a head, whose positives the other head's ``guides`` (R, 128) find in its memory."""
        ids = seen.batch.video_ids
        (anchors, partners), (keys, key_ids) = own, memory.negatives()
        is_own = ids[:, None] == key_ids
        mined = torch.zeros_like(is_own)
        if seen.batch.progress >= self.settings.mine_from:
            mined = nearest(guides.detach() @ guiding.negatives()[0].T, is_own, self.settings.positives)
        left_out = torch.cat([same_videos(ids), is_own], dim=1)
        is_positive = torch.cat([torch.eye(len(ids), dtype=torch.bool, device=ids.device), mined], dim=1)
        logits = anchors @ torch.cat([partners, keys]).T / self.settings.temperature
        loss = mil_nce(logits, is_positive, left_out)
        is_right = logits.masked_fill(left_out, -torch.inf).argmax(dim=1) == torch.arange(len(ids), device=ids.device)
        return loss, is_right.float().mean()


def nearest(similar: Tensor, left_out: Tensor, k: int) -> Tensor:
    """Bool (R, n): the k most alike of each row of (R, n), without those left out; fewer where there are fewer."""
    places = similar.masked_fill(left_out, -torch.inf).topk(min(k, similar.shape[1]), dim=1).indices
    return torch.zeros_like(left_out).scatter(1, places, value=True) & ~left_out


def mil_nce(logits: Tensor, is_positive: Tensor, left_out: Tensor) -> Tensor:
    """The mean of -log(sum over positives / sum over all) of exp(logits), each (R, n), without those left out."""
    logits = logits.masked_fill(left_out, -torch.inf)
    return (logits.logsumexp(dim=1) - logits.masked_fill(~is_positive, -torch.inf).logsumexp(dim=1)).mean()
