"""What every backbone is: a network from clips to a map of features, with its smallest clip."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn
from torch.nn.functional import normalize

from rspnet_core.config import Pooling
from rspnet_core.errors import InvalidSetting
from rspnet_core.models.pooling import pool_features


class Backbone(nn.Module):
    """Clips float (B, 3, T, H, W) -> feature map (B, channels, T', H', W') of the last convolutional stage."""

    channels: int
    """Channels of the feature map."""
    min_frames: ClassVar[int] = 1
    """Fewest frames T that leave at least one step of time in the feature map."""
    min_size: ClassVar[int] = 1
    """Smallest height or width in pixels that leaves at least one cell in the feature map."""
    is_volumetric: ClassVar[bool] = True
    """Whether it convolves in 3D, which channels-last memory makes fast."""
    is_float32_only: ClassVar[bool] = False
    """Whether it must not be run in a lower precision."""
    is_traceable: ClassVar[bool] = True
    """Whether a symbolic trace (``torch.fx``) computes what ``forward`` does, for clips of every size."""

    def part_sizes(self) -> dict[str, int]:
        """The parts of a vector that need no head, and their lengths; of PARTS, in their order, ``backbone`` first."""
        return {"backbone": self.channels}

    def pool(self, features: Tensor, pooling: Pooling) -> dict[str, Tensor]:
        """Feature maps (N, C, T', H', W') -> those parts, float32 (N, length), as they are averaged over the clips."""
        return {"backbone": normalize(pool_features(features, pooling), dim=1)}

    def finish(self, pooled: dict[str, Tensor]) -> dict[str, Tensor]:
        """What is done to pooled parts (..., length), of a clip or averaged over clips, before they get unit length."""
        return pooled

    def check(self, clips: Tensor) -> None:
        """Raise InvalidSetting unless ``clips`` can go through this backbone.

        Kept out of ``forward`` so that tracers see tensor operations alone.
        """
        got = f"got {str(clips.dtype).removeprefix('torch.')} {tuple(clips.shape)}"
        if clips.ndim != 5 or clips.shape[1] != 3 or not clips.is_floating_point():
            raise InvalidSetting(
                f"{got}, a batch of clips is float (batch, 3, frames, height, width): reshape the input"
            )
        if clips.shape[2] < self.min_frames or min(clips.shape[3:]) < self.min_size:
            raise InvalidSetting(
                f"{got}, {type(self).__name__} needs at least {self.min_frames} frames of "
                f"{self.min_size}x{self.min_size} pixels: take longer or larger clips"
            )


class PartsBackbone(Backbone, ABC):
    """A backbone that makes motion and appearance by itself: no heads stand on it, and nothing in it is trained."""

    titles: ClassVar[Mapping[str, str]]
    """What people call its ``motion`` and ``appearance``."""

    @abstractmethod
    def part_sizes(self) -> dict[str, int]:
        """As ``Backbone``'s, with ``motion`` and ``appearance`` among them."""

    @abstractmethod
    def shares(self, part: str, features_i: Tensor, features_j: Tensor) -> Tensor:
        """Where the cosine of a part of two clips comes from.

        Args:
            part: ``motion`` or ``appearance``.
            features_i: (C, T', H', W'), feature map of the clip to explain.
            features_j: the same of the clip that it is compared with; time and space may have another size.

        Returns:
            float32 (T', H', W'): what each place of clip i adds. The mean over all of them is the cosine.
        """


def initialise(module: nn.Module) -> None:
    """Give all convolutions He's normal initialisation (fan out, ReLU), batch norms the identity.

    PyTorch's default shrinks the signal about 2.4 times a layer (its variance is 1/3 of 1/fan-in, and a ReLU halves
    that), which batch norms of an untrained network do not restore. Use as ``network.apply(initialise)``.
    """
    if isinstance(module, nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm3d):
        module.reset_parameters()
