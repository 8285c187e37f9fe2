"""C3D with batch normalisation: eight 3x3x3 convolutions (Tran et al., ICCV 2015, https://arxiv.org/abs/1412.0767)."""

from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.models.backbone import Backbone, initialise


def _conv(in_channels: int, out_channels: int) -> nn.Conv3d:
    return nn.Conv3d(in_channels, out_channels, kernel_size=3, padding=1)


class C3D(Backbone):
    """Clips (B, 3, T, H, W) -> (B, 512, T/8, H/16, W/16), rounded down: 16x112x112 gives 2x7x7.

    The network ends after conv5b: its fifth pooling is not part of the feature map.
    """

    channels = 512
    min_frames = 8
    min_size = 16

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(3, 64), nn.BatchNorm3d(64)
        self.conv2, self.bn2 = _conv(64, 128), nn.BatchNorm3d(128)
        self.conv3a, self.bn3a = _conv(128, 256), nn.BatchNorm3d(256)
        self.conv3b, self.bn3b = _conv(256, 256), nn.BatchNorm3d(256)
        self.conv4a, self.bn4a = _conv(256, 512), nn.BatchNorm3d(512)
        self.conv4b, self.bn4b = _conv(512, 512), nn.BatchNorm3d(512)
        self.conv5a, self.bn5a = _conv(512, 512), nn.BatchNorm3d(512)
        self.conv5b, self.bn5b = _conv(512, 512), nn.BatchNorm3d(512)
        self.apply(initialise)

    def forward(self, clips: Tensor) -> Tensor:
        """Shapes at the line ends are those of 16x112x112."""
        x = F.relu(self.bn1(self.conv1(clips)), inplace=True)
        x = F.max_pool3d(x, (1, 2, 2))  # (B, 64, 16, 56, 56): time is kept until motion has been seen
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = F.max_pool3d(x, 2)  # (B, 128, 8, 28, 28)
        x = F.relu(self.bn3a(self.conv3a(x)), inplace=True)
        x = F.relu(self.bn3b(self.conv3b(x)), inplace=True)
        x = F.max_pool3d(x, 2)  # (B, 256, 4, 14, 14)
        x = F.relu(self.bn4a(self.conv4a(x)), inplace=True)
        x = F.relu(self.bn4b(self.conv4b(x)), inplace=True)
        x = F.max_pool3d(x, 2)  # (B, 512, 2, 7, 7)
        x = F.relu(self.bn5a(self.conv5a(x)), inplace=True)
        return F.relu(self.bn5b(self.conv5b(x)), inplace=True)
