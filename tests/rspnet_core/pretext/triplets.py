"""The clips c_i, c_j and c_k of a batch by hand, and the batch that a plan would have made of them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rspnet_core.pretext.views import SEEN, ViewBatch


@dataclass(frozen=True)
class Triplets:
    """Clips of B videos as the paper names them."""

    anchor: Tensor
    same_speed: Tensor
    other_speed: Tensor
    anchor_speeds: Tensor
    positive_is_other: Tensor
    video_ids: Tensor

    @property
    def batch(self) -> ViewBatch:
        is_fast, num = self.anchor_speeds == 1, len(self.video_ids)
        rows = is_fast.view(-1, 1, 1, 1, 1)
        slow = torch.where(rows, self.other_speed, self.same_speed)
        fast = torch.where(rows, self.same_speed, self.other_speed)
        return ViewBatch(
            clips=torch.cat([self.anchor, slow, fast]),
            places={role: slice(place * num, (place + 1) * num) for place, role in enumerate(SEEN)},
            video_ids=self.video_ids,
            speed_places=torch.tensor([0, 1]).expand(num, 2),
            anchor_is_fast=is_fast,
            positive_is_fast=is_fast ^ self.positive_is_other,
            has_speeds=torch.ones(num, dtype=torch.bool),
            progress=0.0,
        )
