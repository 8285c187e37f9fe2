"""Similarity activation maps of a pair of clips (paper, Eq. 4), in units of their cosine and at the clips' resolution.

    clip i --backbone--> F_i --Eq. 4 with x_j--> cells (T', H', W') --trilinear--> map (T, H, W)

For a linear head p = W x + b, with x the mean of F, the cosine of two clips is p_i . p_j / (|p_i| |p_j|). Eq. 4 divided
by the same norms is therefore the share of every place in that cosine: its mean over the clip is the cosine, less what
the bias adds. Only a linear head splits like that, so any other is refused. An encoder without heads is explained by
its backbone: W is the identity, and the cosine that of the mean feature vectors. A backbone that makes motion and
appearance by itself (``energy``) says its shares of every place itself; their mean is the cosine, too.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.config import HEADS, Pooling
from rspnet_core.errors import InvalidSetting, MissingHead
from rspnet_core.explain.cam import similarity_activation_map
from rspnet_core.models.backbone import PartsBackbone
from rspnet_core.models.two_head import EncoderModel

BACKBONE = "backbone"
"""What explains an encoder without heads."""


@dataclass(frozen=True)
class PairMaps:
    """Where the cosine of two clips comes from, by one head."""

    first: Tensor
    """float32 (T', H', W'): every cell's contribution in the first clip, of any sign."""
    second: Tensor
    """float32 (T', H', W'): the same for the second clip."""
    cosine: float
    """Of the two clips' projections, bias included."""


@dataclass(frozen=True, eq=False)
class OwnPart:
    """``motion`` or ``appearance`` of a backbone that makes them by itself, in the place of a head."""

    backbone: PartsBackbone
    name: str

    def vectors(self, features: Tensor) -> Tensor:
        """Feature maps (N, C, T', H', W') -> float32 (N, length), unit length."""
        pooling: Pooling = "mean"  # it pools in a way of its own
        return self.backbone.finish(self.backbone.pool(features, pooling))[self.name]


Head = nn.Linear | OwnPart


def explained_by(model: EncoderModel) -> tuple[str, ...]:
    """What an encoder's similarities are explained by: its heads, or its backbone where it has none."""
    return HEADS if set(HEADS) <= model.part_sizes.keys() else (BACKBONE,)


def explaining_head(model: EncoderModel, name: str) -> Head:
    """The same as ``linear_head``, or what a backbone makes by itself in its place. Raises as ``linear_head``."""
    if isinstance(model.backbone, PartsBackbone) and name in HEADS:
        return OwnPart(model.backbone, name)
    return linear_head(model, name)


def linear_head(model: EncoderModel, name: str) -> nn.Linear:
    """The head ``motion`` or ``appearance`` of an encoder; ``backbone`` of one without heads: the identity.

    Raises:
        MissingHead: the encoder has no such head.
        InvalidSetting: an unknown name, or a head that is not one linear layer, which Eq. 4 cannot explain.
    """
    if name == BACKBONE and not model.heads:
        return _identity(model)
    if name not in HEADS:
        raise InvalidSetting(f"got head {name!r}, allowed are {' and '.join(HEADS)}")
    if name not in model.heads:
        raise MissingHead(
            f"this encoder has no {name} head, so there is no {name} map; use weights of an RSPNet model, it has both"
        )
    head = model.heads[name]
    if type(head) is not nn.Linear:  # a subclass may compute something else
        raise InvalidSetting(
            f"the {name} head is {type(head).__name__}, heat maps exist for one linear layer (torch.nn.Linear) only: "
            "use weights with linear heads"
        )
    return head


def _identity(model: EncoderModel) -> nn.Linear:
    head = nn.Linear(model.channels, model.channels).requires_grad_(False)
    nn.init.eye_(head.weight)
    nn.init.zeros_(head.bias)
    return head.to(next(model.parameters(), head.weight).device)


@torch.inference_mode()
def projections(features: Tensor, head: Head) -> Tensor:
    """Feature maps (N, C, T', H', W') -> float32 (N, 128): mean over time and space, through the head, not scaled."""
    if isinstance(head, OwnPart):
        return head.vectors(features)
    return F.linear(features.mean(dim=(2, 3, 4), dtype=torch.float32), head.weight.float(), head.bias.float())


@torch.inference_mode()
def pair_maps(features_i: Tensor, features_j: Tensor, head: Head) -> PairMaps:
    """Eq. 4 for both clips of a pair, each given the other.

    Args:
        features_i: (C, T', H', W'), feature map of the first clip.
        features_j: the same of the second; time and space may have another size.
        head: from :func:`linear_head` or :func:`explaining_head`.
    """
    first, second = features_i[None], features_j[None]
    projected = [projections(features, head)[0] for features in (first, second)]
    if isinstance(head, OwnPart):
        shares, cosine = head.backbone.shares, float(projected[0] @ projected[1])
        of_first, of_second = shares(head.name, features_i, features_j), shares(head.name, features_j, features_i)
        return PairMaps(of_first, of_second, min(cosine, 1.0))
    norms = max(float(projected[0].norm() * projected[1].norm()), 1e-12)
    cosine = float(projected[0] @ projected[1]) / norms
    return PairMaps(
        first=similarity_activation_map(first, second, head.weight)[0] / norms,
        second=similarity_activation_map(second, first, head.weight)[0] / norms,
        cosine=min(max(cosine, -1.0), 1.0),  # rounding may leave the range
    )


def upsampled(cells: Tensor, frames: int, height: int, width: int) -> NDArray[np.float32]:
    """Cells (T', H', W') -> float32 (frames, height, width), trilinear over time and space."""
    maps = F.interpolate(cells[None, None].float(), size=(frames, height, width), mode="trilinear", align_corners=False)
    return np.asarray(maps[0, 0].cpu().numpy(), dtype=np.float32)
