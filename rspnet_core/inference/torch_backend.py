"""PyTorch, with every batch norm folded into the convolution before it."""

import copy

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from rspnet_core.config import Normalisation
from rspnet_core.inference.pixels import normalised
from rspnet_core.models.backbone import Backbone


def folded(backbone: Backbone) -> nn.Module:
    """A module that makes the same feature maps (to about 1e-6 of the largest) without batch norms.

    A convolution and the batch norm behind it are one affine map: the sum of both is the convolution with other weights
    and another bias. A backbone that a tracer cannot follow, or not safely (``is_traceable``), is returned as it is.

    Args:
        backbone: in eval mode, float32; not changed.
    """
    return fuse(_with_plain_convolutions(backbone), inplace=True) if backbone.is_traceable else backbone


def _with_plain_convolutions(network: nn.Module) -> nn.Module:
    """A copy whose convolutions are PyTorch's own classes, which ``fuse`` looks for.

    Those of torchvision's video networks are subclasses that differ in how they are made alone.
    """
    network = copy.deepcopy(network)
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and type(module).forward is nn.Conv3d.forward:
            module.__class__ = nn.Conv3d
    return network


class TorchBackend:
    """The inference form of a backbone, on a CPU or a GPU.

    >>> run = TorchBackend(model.backbone, spec.normalisation, device=torch.device("cpu"), precision=torch.float32)
    >>> features = run(clips)
    """

    def __init__(
        self, backbone: Backbone, normalisation: Normalisation, *, device: torch.device, precision: torch.dtype
    ) -> None:
        """``backbone``, in eval mode and float32, is itself moved to ``device`` where it cannot be folded."""
        self._normalisation, self._precision = normalisation, precision
        self._network = folded(backbone).requires_grad_(False).to(device, precision)
        if backbone.is_volumetric:
            self._network.to(memory_format=torch.channels_last_3d)

    def __call__(self, clips: Tensor) -> Tensor:
        """Clips uint8 (B, T, H, W, 3), RGB, on the given device -> feature map (B, C, T', H', W') of the precision."""
        features: Tensor = self._network(normalised(clips, self._normalisation).to(self._precision))
        return features
