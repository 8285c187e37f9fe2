"""Networks of the paper's shape with an eighth of their channels, for tests of what is done with a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from torch import nn
from torchvision.models.resnet import BasicBlock

from rspnet_core.models import resnet3d
from rspnet_core.models.resnet3d import ResNet3D18
from rspnet_core.models.tsm import TSM18

PLANES = (8, 16, 32, 64)


def _thin_tsm(self: TSM18) -> None:
    nn.Module.__init__(self)
    self.conv1 = nn.Conv2d(3, PLANES[0], kernel_size=7, stride=2, padding=3, bias=False)
    self.bn1 = nn.BatchNorm2d(PLANES[0])
    self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    self.layer1 = nn.Sequential(*(BasicBlock(PLANES[0], PLANES[0]) for _ in range(2)))
    for number, (channels, planes) in enumerate(pairwise(PLANES), start=2):
        shortcut = nn.Sequential(nn.Conv2d(channels, planes, 1, stride=2, bias=False), nn.BatchNorm2d(planes))
        blocks = BasicBlock(channels, planes, 2, shortcut), BasicBlock(planes, planes)
        setattr(self, f"layer{number}", nn.Sequential(*blocks))


def _thin_resnet(self: ResNet3D18) -> None:
    nn.Module.__init__(self)
    self.conv1 = nn.Conv3d(3, PLANES[0], kernel_size=7, stride=(1, 2, 2), padding=3, bias=False)
    self.bn1 = nn.BatchNorm3d(PLANES[0])
    self.layer1 = resnet3d._stage(PLANES[0], PLANES[0], stride=1)
    for number, (channels, planes) in enumerate(pairwise(PLANES), start=2):
        setattr(self, f"layer{number}", resnet3d._stage(channels, planes, stride=2))
    self.apply(resnet3d.initialise)


@contextmanager
def thin() -> Iterator[None]:
    """Within the block ``tsm18`` and ``resnet18`` are thin, in this process alone."""
    with pytest.MonkeyPatch.context() as patch:
        for network, initialise in ((TSM18, _thin_tsm), (ResNet3D18, _thin_resnet)):
            patch.setattr(network, "__init__", initialise)
            patch.setattr(network, "channels", PLANES[-1])
        yield
