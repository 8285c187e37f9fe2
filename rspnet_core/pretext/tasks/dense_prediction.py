"""``dense_prediction``: of the feature maps of some blocks of a video, those of the next blocks are predicted.

DPC (Han, Xie and Zisserman, "Video representation learning by dense predictive coding", ICCV Workshops 2019): a ConvGRU
gathers the maps of the blocks seen, two layers predict the next one, which is gathered in turn. At each place a
prediction must find what is there among all places of all predicted blocks of all videos: other videos are easy
negatives, other places of the own one spatial, other blocks temporal. All convolutions there have a kernel of 1, hence
the layers here are those of single places; dropout of 0.1 behind each gathering; scores are dot products.

There 5 of 8 blocks of 5 frames are seen; here 3 of 5 blocks of the recipe's clips, as few short videos have more. There
targets are taken before the last ReLU; here all are behind it, and are standardised over the batch. Colours change with
the block here, there with the frame.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, Seen, classification, same_videos
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants

_SEEN, _PREDICTED = 3, 2


class DensePrediction(Objective):
    """What comes next, at each place."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.gather = nn.GRUCell(channels, channels)
        self.dropout = nn.Dropout(0.1)
        self.predict = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels))
        self.norm = nn.BatchNorm1d(channels, affine=False)

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Blocks of one video, one right after another."""
        return Variants(clips=_SEEN + _PREDICTED, layout="in blocks")

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough; one by the number of all predicted places is chance."""
        maps, batch = seen.varied_maps("dense_prediction"), seen.batch
        blocks = maps.movedim(2, -1).flatten(2, 3)  # (blocks, R, places, C)
        num_videos, num_places = blocks.shape[1:3]
        targets = self.norm(blocks[_SEEN:].flatten(0, 2))
        logits = self._predicted(blocks[:_SEEN].flatten(1, 2)) @ targets.T
        video = torch.arange(num_videos, device=maps.device).repeat_interleave(num_places).repeat(_PREDICTED)
        logits = logits.masked_fill(same_videos(batch.video_ids)[video][:, video], -torch.inf)
        truth = torch.arange(len(logits), device=maps.device)
        loss, accuracy = classification(logits, truth, batch.has_speeds[video])
        return Term(loss, {"dense_prediction_top1": accuracy})

    def _predicted(self, places: Tensor) -> Tensor:
        """Of places (blocks, n, C) those of the next blocks, one block after another: (predicted x n, C)."""
        state, found = torch.zeros_like(places[0]), []
        for block in places:
            state = self.dropout(self.gather(block, state))
        for _ in range(_PREDICTED):
            found.append(self.predict(state))
            state = self.dropout(self.gather(F.relu(found[-1]), state))
        return torch.cat(found)
