"""A backbone with the motion and the appearance projection head (paper, section 3.1 and Figure 2)."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.config import PARTS, Pooling
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.pooling import joined

PROJECTION_SIZE = 128
"""Length of the vectors of both heads (section 4.1)."""


HeadKind = Literal["linear", "mlp"]
"""A projection head is one linear layer (the paper's), or two with a ReLU between (as in MoCo v2)."""


class TwoHeadOutput(NamedTuple):
    """What the two-head model says about B clips."""

    features: Tensor
    """(B, C, T', H', W'), dtype of the weights: the backbone's last feature map."""
    motion: Tensor
    """float32 (B, 128), unit length: relative speed perception (RSP)."""
    appearance: Tensor
    """float32 (B, 128), unit length: appearance-focused video instance discrimination (A-VID)."""

    def __repr__(self) -> str:
        return f"TwoHeadOutput({', '.join(f'{name}={tuple(part.shape)}' for name, part in self._asdict().items())})"


class Vectors(NamedTuple):
    """The vectors of one video, each part of unit length, parts in the order of PARTS."""

    clips: Tensor
    """float32 (N, D)."""
    video: Tensor
    """float32 (D,)."""


class EncoderModel(nn.Module):
    """A backbone and the heads upon it; indexing needs no more than this."""

    classifier: nn.Linear | None
    """The layer that fine-tuning appends, (num_classes, C); None before."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = backbone.channels
        """Channels C of the feature map."""
        self.classifier = None

    def add_classifier(self, num_classes: int) -> nn.Linear:
        """Append a new layer of classes, with PyTorch's random weights, in place of one that is there."""
        self.classifier = nn.Linear(self.channels, num_classes)
        return self.classifier

    @property
    def heads(self) -> dict[str, nn.Module]:
        """Projection heads by name, ``motion`` and ``appearance``; empty where the encoder has none."""
        return {}

    @property
    def part_sizes(self) -> dict[str, int]:
        """The parts of this encoder's vectors and their lengths, in the order of PARTS."""
        sizes = self.backbone.part_sizes() | dict.fromkeys(self.heads, PROJECTION_SIZE)
        return {name: sizes[name] for name in PARTS if name in sizes}

    def vectors(self, features: Tensor, pooling: Pooling) -> Vectors:
        """Pool the clips of one video and apply the heads, which always see the mean, as in training.

        Args:
            features: float (N, C, T', H', W'), feature maps of the clips.
            pooling: how the backbone's part is pooled, where the backbone does not pool in a way of its own.
        """
        pooled = self._pooled(features, pooling)
        averaged = {name: part.mean(dim=0, dtype=torch.float64) for name, part in pooled.items()}
        return Vectors(joined(self.backbone.finish(pooled)), joined(self.backbone.finish(averaged)))

    def parts(self, features: Tensor, pooling: Pooling) -> dict[str, Tensor]:
        """Of each of N clips alone: its parts float32 (N, length), in the order of PARTS, not of unit length."""
        return self.backbone.finish(self._pooled(features, pooling))

    def _pooled(self, features: Tensor, pooling: Pooling) -> dict[str, Tensor]:
        heads = {name: project(features, self.heads[name]) for name in PARTS if name in self.heads}
        return self.backbone.pool(features, pooling) | heads

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W), normalised, in the weights' dtype (float32) -> feature map (B, C, T', H', W').

        Raises InvalidSetting for another rank, channel count, integers or clips too small for the backbone.
        """
        self.backbone.check(clips)
        features: Tensor = self.backbone(clips)
        return features


class BackboneModel(EncoderModel):
    """An encoder without projection heads: its output is the feature map."""

    def forward(self, clips: Tensor) -> Tensor:
        """The same as ``features``."""
        return self.features(clips)


class TwoHeadModel(EncoderModel):
    """f(.; theta) with g_m and g_a of the paper, heads with biases on the mean of the feature map."""

    def __init__(self, backbone: Backbone, head: HeadKind = "linear") -> None:
        super().__init__(backbone)
        self.head_kind: HeadKind = head
        self.motion_head = _new_head(backbone.channels, head)
        self.appearance_head = _new_head(backbone.channels, head)

    @property
    def heads(self) -> dict[str, nn.Module]:
        """Projection heads by name."""
        return {"motion": self.motion_head, "appearance": self.appearance_head}

    def forward(self, clips: Tensor) -> TwoHeadOutput:
        """Clips (B, 3, T, H, W), ImageNet-normalised -> feature map and both unit vectors; raises as ``features``."""
        features = self.features(clips)
        return TwoHeadOutput(features, project(features, self.motion_head), project(features, self.appearance_head))


def class_logits(features: Tensor, classifier: nn.Linear, *, dropout: float = 0.0) -> Tensor:
    """Feature map (B, C, T, H, W) -> mean over time and space, through the layer of classes: float32 (B, classes).

    ``dropout`` (0 to below 1) is the part of the means that is dropped at random, in training.
    """
    with torch.autocast(features.device.type, enabled=False):
        pooled = F.dropout(features.mean(dim=(2, 3, 4), dtype=torch.float32), dropout)
        return F.linear(pooled, classifier.weight.float(), classifier.bias.float())


def _new_head(channels: int, kind: HeadKind) -> nn.Module:
    last = nn.Linear(channels, PROJECTION_SIZE)
    return last if kind == "linear" else nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), last)


def project(features: Tensor, head: nn.Module) -> Tensor:
    """Feature map (B, C, T, H, W) -> mean over time and space, through the head, to unit length: float32 (B, 128).

    Always computed in float32, under autocast or with bf16 weights too: the losses hang on differences of
    cosines that bf16 rounds away.
    """
    with torch.autocast(features.device.type, enabled=False):
        projected = features.mean(dim=(2, 3, 4), dtype=torch.float32)
        for layer in head if isinstance(head, nn.Sequential) else (head,):
            if isinstance(layer, nn.Linear):
                projected = F.linear(projected, layer.weight.float(), layer.bias.float())
            else:
                projected = layer(projected)
        return F.normalize(projected, dim=1)
