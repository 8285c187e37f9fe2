"""S3D-G: separable 3D Inception with feature gating (Xie et al., ECCV 2018, https://arxiv.org/abs/1712.04851)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.models.backbone import Backbone, initialise

Triple = tuple[int, int, int]


class ConvUnit(nn.Module):
    """Convolution without bias, BatchNorm, ReLU; padded so that a stride of 1 keeps the shape."""

    def __init__(self, in_channels: int, out_channels: int, kernel: Triple = (1, 1, 1), stride: int = 1) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm3d(out_channels, eps=1e-3, momentum=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, T, H, W) -> (B, out, T', H', W')."""
        return F.relu(self.bn(self.conv3d(x)), inplace=True)


class GatedSeparableConv(nn.Module):
    """Convolution over space, then over time, then a gate a channel from the average over the whole clip.

    The stride is that of the spatial half, on all three axes: the stem drops every second frame before it has
    looked at motion. The published checkpoints were trained so.
    """

    def __init__(self, in_channels: int, out_channels: int, *, side: int, stride: int = 1) -> None:
        super().__init__()
        self.sep_conv = nn.Sequential(
            ConvUnit(in_channels, out_channels, (1, side, side), stride),
            ConvUnit(out_channels, out_channels, (side, 1, 1)),
        )
        self.excitation = nn.Conv3d(out_channels, out_channels, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, T, H, W) -> (B, out, T', H', W')."""
        x = self.sep_conv(x)
        return x * torch.sigmoid(self.excitation(x.mean(dim=(2, 3, 4), keepdim=True)))


class Inception(nn.Module):
    """Four branches side by side: 1x1x1; two of 1x1x1 then separable 3x3x3; max pooling then 1x1x1.

    ``widths``: channels of branch 0, of both parts of branch 1, of both parts of branch 2, of branch 3.
    """

    def __init__(self, in_channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        direct, reduced1, out1, reduced2, out2, pooled = widths
        self.branch0 = ConvUnit(in_channels, direct)
        self.branch1 = nn.Sequential(ConvUnit(in_channels, reduced1), GatedSeparableConv(reduced1, out1, side=3))
        self.branch2 = nn.Sequential(ConvUnit(in_channels, reduced2), GatedSeparableConv(reduced2, out2, side=3))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), ConvUnit(in_channels, pooled))

    def forward(self, x: Tensor) -> Tensor:
        """Stack the branches' channels in their order."""
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class S3DG(Backbone):
    """Clips (B, 3, T, H, W) -> (B, 1024, T/8, H/32, W/32): 16x224x224 gives 2x7x7, 64 frames give 8x7x7."""

    channels = 1024
    min_frames = 5
    min_size = 17

    def __init__(self) -> None:
        super().__init__()
        self.feature = nn.Sequential()  # shapes for 16x224x224
        for name, layer in {
            "sepConv1": GatedSeparableConv(3, 64, side=7, stride=2),  # (B, 64, 8, 112, 112)
            "pool1": nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),  # (B, 64, 8, 56, 56)
            "basicConv3d": ConvUnit(64, 64),
            "sep_conv2": GatedSeparableConv(64, 192, side=3),
            "pool2": nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),  # (B, 192, 8, 28, 28)
            "sepInc_3b": Inception(192, (64, 96, 128, 16, 32, 32)),
            "sepInc_3c": Inception(256, (128, 128, 192, 32, 96, 64)),
            "pool3": nn.MaxPool3d(3, stride=2, padding=1),  # (B, 480, 4, 14, 14)
            "sepInc_4b": Inception(480, (192, 96, 208, 16, 48, 64)),
            "sepInc_4c": Inception(512, (160, 112, 224, 24, 64, 64)),
            "sepInc_4d": Inception(512, (128, 128, 256, 24, 64, 64)),
            "sepInc_4e": Inception(512, (112, 144, 288, 32, 64, 64)),
            "sepInc_4f": Inception(528, (256, 160, 320, 32, 128, 128)),
            "pool4": nn.MaxPool3d(2, stride=2),  # (B, 832, 2, 7, 7)
            "sepInc_5b": Inception(832, (256, 160, 320, 32, 128, 128)),
            "sepInc_5c": Inception(832, (384, 192, 384, 48, 128, 128)),  # (B, 1024, 2, 7, 7)
        }.items():
            self.feature.add_module(name, layer)
        self.apply(initialise)

    def forward(self, clips: Tensor) -> Tensor:
        """Run all layers in order."""
        features: Tensor = self.feature(clips)
        return features
