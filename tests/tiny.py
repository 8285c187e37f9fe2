"""An encoder of 70,000 weights that the tests' processes know as ``tiny``: all of the code paths, little arithmetic."""

from itertools import pairwise

from torch import Tensor, fx, nn
from torch.nn import functional as F

from rspnet_core.config import ClipGeometry
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.registry import BACKBONES, PaperEntry
from rspnet_core.models.tsm import temporal_shift

NAME = "tiny"
WIDTHS = (3, 16, 32, 64, 64)

fx.wrap("temporal_shift")


class Tiny(Backbone):
    """Clips (B, 3, T, H, W) -> (B, 64, T, H/32, W/32), rounded up: a TSM of four convolutions."""

    channels = WIDTHS[-1]
    is_volumetric = False

    def __init__(self) -> None:
        super().__init__()
        pairs = list(pairwise(WIDTHS))
        self.convolutions = nn.ModuleList(nn.Conv2d(n, m, 3, stride=2, padding=1, bias=False) for n, m in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(m) for _, m in pairs)
        for convolution in self.convolutions:
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clips: Tensor) -> Tensor:
        num_frames = clips.shape[2]
        maps = F.avg_pool2d(clips.transpose(1, 2).flatten(0, 1), 2, ceil_mode=True)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            maps = F.relu(norm(convolution(temporal_shift(maps, num_frames))))
        return maps.unflatten(0, (-1, num_frames)).transpose(1, 2)


def register() -> None:
    """Make the name known to this process."""
    BACKBONES.setdefault(NAME, PaperEntry(Tiny, ClipGeometry(frames_per_clip=8, size=112)))
