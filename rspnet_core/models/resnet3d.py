"""3D ResNet-18 (Hara et al., CVPR 2018, https://arxiv.org/abs/1711.09577): not torchvision's ``r3d_18``.

It differs from that one in its 7x7x7 stem, followed by a max pooling that halves time too.
"""

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.models.backbone import Backbone, initialise


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions beside a shortcut, which is a 1x1x1 convolution where the shape changes (type B)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(out_channels)
        self.conv2 = nn.Conv3d(out_channels, out_channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(out_channels)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv3d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm3d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Add the shortcut before the last ReLU."""
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


def _stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(in_channels, out_channels, stride), BasicBlock(out_channels, out_channels, 1))


class ResNet3D18(Backbone):
    """Clips (B, 3, T, H, W) -> (B, 512, T/16, H/32, W/32), rounded up: 16x112x112 gives 1x4x4."""

    channels = 512
    pooling_step: ClassVar[int] = 2
    """Stride in time of the pooling behind the stem."""

    def __init__(self) -> None:
        super().__init__()
        width = self.channels // 8
        self.conv1 = nn.Conv3d(3, width, kernel_size=7, stride=(1, 2, 2), padding=3, bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        self.apply(initialise)

    def forward(self, clips: Tensor) -> Tensor:
        """Shapes at the line ends are those of 16x112x112."""
        x = self.bn1(self.conv1(clips))  # (B, 64, 16, 56, 56)
        stride = (self.pooling_step, 2, 2)
        # ReLU and maximum may change places: values and gradients are the same, for an eighth of the ReLU's work.
        x = F.relu(F.max_pool3d(x, kernel_size=3, stride=stride, padding=1), inplace=True)  # (B, 64, 8, 28, 28)
        x = self.layer1(x)
        x = self.layer2(x)  # (B, 128, 4, 14, 14)
        x = self.layer3(x)  # (B, 256, 2, 7, 7)
        features: Tensor = self.layer4(x)  # (B, 512, 1, 4, 4)
        return features


class SmallResNet3D18(ResNet3D18):
    """The same with half of the channels, which sees twice as many moments: 16x96x96 gives (B, 256, 2, 3, 3).

    A quarter of the weights; nothing before the second stage averages time away, so that short motions stay apart.
    """

    channels = 256
    pooling_step = 1
