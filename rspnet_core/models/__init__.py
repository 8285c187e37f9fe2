"""Encoders by name: ``create_model("resnet18")`` turns clips into a feature map and two unit vectors.

May import no other room.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import UnknownBackbone
from rspnet_core.models.backbone import Backbone, PartsBackbone
from rspnet_core.models.outside import Network
from rspnet_core.models.registry import BACKBONES, Entry, find_backbone
from rspnet_core.models.torchvision_encoders import (
    TORCHVISION_ENCODERS,
    create_torchvision_model,
    torchvision_settings,
    torchvision_weights,
)
from rspnet_core.models.two_head import (
    BackboneModel,
    EncoderModel,
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
    "EncoderModel",
    "HeadKind",
    "Network",
    "PartsBackbone",
    "TwoHeadModel",
    "TwoHeadOutput",
    "class_logits",
    "create_backbone_model",
    "create_model",
    "create_torchvision_model",
    "default_geometry",
    "entry_with_heads",
    "find_backbone",
    "project",
    "seeded",
    "torchvision_settings",
    "torchvision_weights",
]


def create_model(name: str, *, seed: int | None = None, head: HeadKind = "linear") -> TwoHeadModel:
    """A new model in training mode; untrained, but for a backbone from outside of the package that brings weights.

    Args:
        name: one of BACKBONES, the name of an encoder that an installed package offers, or ``package.module:factory``.
        seed: gives the same weights each time and leaves the global random state as it is; None draws from it.
        head: kind of both projection heads.

    Raises:
        UnknownBackbone: for another name.
    """
    entry = entry_with_heads(name)
    with seeded(seed):
        return TwoHeadModel(entry.create(), head)


def entry_with_heads(name: str) -> Entry:
    """The entry of a backbone that takes heads, as pre-training needs it. Raises UnknownBackbone for another."""
    entry = find_backbone(name, named_by_user=name)
    if not entry.takes_heads:
        raise UnknownBackbone(f"got {name!r}, which takes no heads; have {', '.join(BACKBONES)}: choose one of these")
    return entry


def create_backbone_model(name: str, *, seed: int | None = None) -> BackboneModel:
    """The same without projection heads; a seed gives the backbone that it gives ``create_model``."""
    with seeded(seed):
        return BackboneModel(find_backbone(name, named_by_user=name).create())


def default_geometry(name: str) -> ClipGeometry:
    """The clips that a backbone is made for; the paper's: ten of 16 frames (tsm18: 8) at 112 pixels (s3dg: 224).

    Raises UnknownBackbone.
    """
    return find_backbone(name, named_by_user=name).settings()[0]


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Random weights of a seed, with the global random state as it was afterwards; None draws from that state."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reseed accelerators too, whose state is not restored here.
        torch.default_generator.manual_seed(seed)
        yield
