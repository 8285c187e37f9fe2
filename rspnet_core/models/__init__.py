"""Encoders by name: ``create_model("resnet18")`` turns clips into a feature map and two unit vectors.

May import no other room.
"""

from collections.abc import Callable

import torch

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import UnknownBackbone
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.c3d import C3D
from rspnet_core.models.r2plus1d import R2Plus1D
from rspnet_core.models.resnet3d import ResNet3D18
from rspnet_core.models.s3dg import S3DG
from rspnet_core.models.torchvision_encoders import (
    TORCHVISION_ENCODERS,
    create_torchvision_model,
    torchvision_settings,
    torchvision_weights,
)
from rspnet_core.models.tsm import TSM18
from rspnet_core.models.two_head import (
    BackboneModel,
    Encoder,
    HeadKind,
    TwoHeadModel,
    TwoHeadOutput,
    class_logits,
    project,
)

__all__ = [
    "BACKBONES",
    "TORCHVISION_ENCODERS",
    "Backbone",
    "BackboneModel",
    "Encoder",
    "HeadKind",
    "TwoHeadModel",
    "TwoHeadOutput",
    "class_logits",
    "create_backbone_model",
    "create_model",
    "create_torchvision_model",
    "default_geometry",
    "project",
    "torchvision_settings",
    "torchvision_weights",
]

_NETWORKS: dict[str, tuple[Callable[[], Backbone], ClipGeometry]] = {
    "c3d": (C3D, ClipGeometry(frames_per_clip=16, size=112)),
    "resnet18": (ResNet3D18, ClipGeometry(frames_per_clip=16, size=112)),
    "r2plus1d": (R2Plus1D, ClipGeometry(frames_per_clip=16, size=112)),
    "s3dg": (S3DG, ClipGeometry(frames_per_clip=16, size=224)),
    "tsm18": (TSM18, ClipGeometry(frames_per_clip=8, size=112)),
}
BACKBONES: tuple[str, ...] = tuple(_NETWORKS)


def create_model(name: str, *, seed: int | None = None, head: HeadKind = "linear") -> TwoHeadModel:
    """A new, untrained model in training mode.

    Args:
        name: one of BACKBONES.
        seed: gives the same weights each time and leaves the global random state as it is; None draws from it.
        head: kind of both projection heads.

    Raises:
        UnknownBackbone: for another name.
    """
    network, _ = _lookup(name)
    if seed is None:
        return TwoHeadModel(network(), head)
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reseed accelerators too, whose state is not restored here.
        torch.default_generator.manual_seed(seed)
        return TwoHeadModel(network(), head)


def create_backbone_model(name: str, *, seed: int | None = None) -> BackboneModel:
    """The same without projection heads; a seed gives the backbone that it gives ``create_model``."""
    return BackboneModel(create_model(name, seed=seed).backbone)


def default_geometry(name: str) -> ClipGeometry:
    """The clips that a backbone of the paper sees: ten of 16 frames (``tsm18``: 8) at 112 pixels (``s3dg``: 224).

    Raises UnknownBackbone for a name that is not in BACKBONES.
    """
    return _lookup(name)[1]


def _lookup(name: str) -> tuple[Callable[[], Backbone], ClipGeometry]:
    if name not in _NETWORKS:
        raise UnknownBackbone(f"got {name!r}, have {', '.join(BACKBONES)}: choose one of these")
    return _NETWORKS[name]
