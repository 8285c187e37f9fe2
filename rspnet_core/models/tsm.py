"""TSM: a 2D ResNet-18 that exchanges channels between neighbouring frames (Lin et al., ICCV 2019).

Source: https://arxiv.org/abs/1811.08383. The shift sits inside each residual block, before its first convolution,
so that the shortcut keeps what is seen in the frame itself ("residual TSM", section 3.2 there).
"""

from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from rspnet_core.models.backbone import Backbone

SHIFTED_PART = 8
"""One in eight channels moves each way in time."""


def temporal_shift(maps: Tensor, num_frames: int) -> Tensor:
    """Move an eighth of the channels one frame back in time and an eighth one frame forward.

    ::

        frame                 0   1   2   3
        first eighth holds    1   2   3   -     the next frame's (-: zeros)
        second eighth holds   -   0   1   2     the frame's before
        the rest holds        0   1   2   3

    Args:
        maps: (B * num_frames, C, H, W), the frames of a clip one after another; any dtype and memory format.
        num_frames: frames of one clip.

    Returns:
        A new tensor of the same shape, dtype and memory format.
    """
    part = maps.shape[1] // SHIFTED_PART
    before = torch.unflatten(maps, 0, (-1, num_frames))  # (B, T, C, H, W)
    shifted = torch.empty_like(before)
    shifted[:, :-1, :part] = before[:, 1:, :part]
    shifted[:, -1, :part] = 0
    shifted[:, 1:, part : 2 * part] = before[:, :-1, part : 2 * part]
    shifted[:, 0, part : 2 * part] = 0
    shifted[:, :, 2 * part :] = before[:, :, 2 * part :]
    return shifted.flatten(0, 1)


fx.wrap("temporal_shift")  # a single step to tracers, which cannot follow assignments to slices


def _shifted_block(block: Any, maps: Tensor, num_frames: int) -> Tensor:
    """One ``BasicBlock`` of torchvision (which has no types) with the shift in front of its first convolution."""
    out = F.relu(block.bn1(block.conv1(temporal_shift(maps, num_frames))), inplace=True)
    out = block.bn2(block.conv2(out))
    out += maps if block.downsample is None else block.downsample(maps)
    return F.relu(out, inplace=True)


class TSM18(Backbone):
    """Clips (B, 3, T, H, W) -> (B, 512, T, H/32, W/32), rounded up: 8x112x112 gives 8x4x4."""

    channels = 512
    is_volumetric = False

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet18  # takes seconds to import, and no other backbone needs it

        net = resnet18(weights=None)
        self.conv1, self.bn1, self.maxpool = net.conv1, net.bn1, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4

    def forward(self, clips: Tensor) -> Tensor:
        """Every frame is a 2D image; frames meet in the shifts alone."""
        num_frames = clips.shape[2]
        maps = clips.transpose(1, 2).flatten(0, 1)  # (B * T, 3, H, W); no copy where clips are channels-last
        maps = self.maxpool(F.relu(self.bn1(self.conv1(maps)), inplace=True))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                maps = _shifted_block(block, maps, num_frames)
        return torch.unflatten(maps, 0, (-1, num_frames)).transpose(1, 2)  # (B, 512, T, H/32, W/32)
