"""The loop that features of videos are commonly made with: what ``rspnet-index speed`` compares a build with.

One file after the other: whole frames (``video.reading.plain``), the network in float32 as it was trained.
"""

import torch
from torch import Tensor

from rspnet_core.models.two_head import EncoderModel


@torch.no_grad()
def plain_features(model: EncoderModel, clips: Tensor, device: torch.device) -> Tensor:
    """The network as it is on the clips of one video -> feature map (num_clips, C, T', H', W') on the CPU."""
    return model.features(clips.to(device)).cpu()
