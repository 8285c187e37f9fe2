"""R(2+1)D with one residual block a stage (Tran et al., CVPR 2018, https://arxiv.org/abs/1711.11248).

Every 3D convolution is factored into one over space and one over time, with a batch norm and a ReLU between.
"""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.models.backbone import Backbone, initialise

Triple = tuple[int, int, int]


class FactoredConv(nn.Module):
    """Convolution (1, k, k), BatchNorm, ReLU, convolution (k, 1, 1).

    Its inner channels give it as many parameters as the full convolution has (section 3.5 of the paper above).
    """

    def __init__(self, in_channels: int, out_channels: int, *, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        (time, height, width), area = kernel, kernel[1] * kernel[2]
        inner = math.prod(kernel) * in_channels * out_channels // (area * in_channels + time * out_channels)
        self.spatial_conv = nn.Conv3d(
            in_channels,
            inner,
            kernel_size=(1, height, width),
            stride=(1, *stride[1:]),
            padding=(0, height // 2, width // 2),
            bias=False,
        )
        self.bn = nn.BatchNorm3d(inner)
        self.temporal_conv = nn.Conv3d(
            inner,
            out_channels,
            kernel_size=(time, 1, 1),
            stride=(stride[0], 1, 1),
            padding=(time // 2, 0, 0),
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Space first, then time; no batch norm after the second half."""
        x = F.relu(self.bn(self.spatial_conv(x)), inplace=True)
        out: Tensor = self.temporal_conv(x)
        return out


class FactoredBlock(nn.Module):
    """Two factored 3x3x3 convolutions beside a shortcut; ``halve`` takes every second frame, row and column."""

    def __init__(self, in_channels: int, out_channels: int, *, halve: bool) -> None:
        super().__init__()
        kernel, stride = (3, 3, 3), (2, 2, 2) if halve else (1, 1, 1)
        self.downsampleconv: FactoredConv | None = None
        if halve:
            self.downsampleconv = FactoredConv(in_channels, out_channels, kernel=(1, 1, 1), stride=stride)
            self.downsamplebn = nn.BatchNorm3d(out_channels)
        self.conv1 = FactoredConv(in_channels, out_channels, kernel=kernel, stride=stride)
        self.bn1 = nn.BatchNorm3d(out_channels)
        self.conv2 = FactoredConv(out_channels, out_channels, kernel=kernel, stride=(1, 1, 1))
        self.bn2 = nn.BatchNorm3d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add the shortcut before the last ReLU."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x if self.downsampleconv is None else self.downsamplebn(self.downsampleconv(x))
        return F.relu(out, inplace=True)


def _stage(in_channels: int, out_channels: int, *, halve: bool) -> nn.ModuleDict:
    return nn.ModuleDict({"block1": FactoredBlock(in_channels, out_channels, halve=halve)})


class R2Plus1D(Backbone):
    """Clips (B, 3, T, H, W) -> (B, 512, T/8, H/16, W/16), rounded up: 16x112x112 gives 2x7x7."""

    channels = 512

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = FactoredConv(3, 64, kernel=(3, 7, 7), stride=(1, 2, 2))
        self.bn1 = nn.BatchNorm3d(64)
        self.conv2 = _stage(64, 64, halve=False)
        self.conv3 = _stage(64, 128, halve=True)
        self.conv4 = _stage(128, 256, halve=True)
        self.conv5 = _stage(256, 512, halve=True)
        self.apply(initialise)

    def forward(self, clips: Tensor) -> Tensor:
        """Shapes at the line ends are those of 16x112x112."""
        x = F.relu(self.bn1(self.conv1(clips)), inplace=True)  # (B, 64, 16, 56, 56)
        x = self.conv2["block1"](x)
        x = self.conv3["block1"](x)  # (B, 128, 8, 28, 28)
        x = self.conv4["block1"](x)  # (B, 256, 4, 14, 14)
        features: Tensor = self.conv5["block1"](x)  # (B, 512, 2, 7, 7)
        return features
