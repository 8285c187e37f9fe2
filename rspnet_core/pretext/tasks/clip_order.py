"""``clip_order``: three clips of a video in another order; which of the six orders is it?

VCOP (Xu, Xiao, Zhao, Shao, Xie and Zhuang, "Self-supervised spatiotemporal learning via video clip order prediction",
CVPR 2019): clips of 16 frames, 8 frames between two, hence half a clip here; features are joined pair by pair, a layer
of 512 with a ReLU on each pair, dropout of 0.5, then a linear layer over all pairs. There each video is asked for one
order a step, here for all six, as its clips go through the encoder once whatever their order.
"""

from itertools import combinations, permutations
from typing import Any

import torch
from torch import nn

from rspnet_core.pretext.tasks.objective import Objective, Seen, classification
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants

_CLIPS = 3
_HIDDEN = 512
ORDERS = list(permutations(range(_CLIPS)))
"""Order n shows clip ``ORDERS[n][0]`` first."""
_PAIRS = list(combinations(range(_CLIPS), 2))


class ClipOrder(Objective):
    """The order of three clips, read out of their features by pairs."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.of_pair = nn.Sequential(nn.Linear(2 * channels, _HIDDEN), nn.ReLU())
        self.order = nn.Sequential(nn.Dropout(0.5), nn.Linear(len(_PAIRS) * _HIDDEN, len(ORDERS)))

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Three clips, one after another."""
        return Variants(clips=_CLIPS, layout="in turn")

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough; a sixth is chance."""
        clips, counts = seen.varied("clip_order"), seen.batch.has_speeds
        shown = torch.stack([clips[list(order)] for order in ORDERS], dim=1)  # (3, orders, R, C)
        pairs = [self.of_pair(torch.cat([shown[a], shown[b]], dim=2)) for a, b in _PAIRS]
        truth = torch.arange(len(ORDERS), device=clips.device).repeat_interleave(len(counts))
        logits = self.order(torch.cat(pairs, dim=2)).flatten(0, 1)
        loss, accuracy = classification(logits, truth, counts.repeat(len(ORDERS)))
        return Term(loss, {"clip_order_accuracy": accuracy})
