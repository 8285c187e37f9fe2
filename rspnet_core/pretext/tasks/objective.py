"""What a task sees of a batch, and what it says of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.config import Settings
from rspnet_core.models.two_head import PROJECTION_SIZE
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants
from rspnet_core.pretext.views import ViewBatch


def _different(speeds: tuple[float, ...]) -> tuple[float, ...]:
    if len(set(speeds)) < len(speeds):
        raise ValueError("name each speed once")
    return speeds


Speeds = Annotated[tuple[Annotated[float, Field(gt=0, le=64)], ...], AfterValidator(_different)]
"""Different playback speeds, times ``frame_step``."""


class ObjectiveSettings(Settings):
    """Of a recipe's ``[objectives.NAME]``."""

    weight: float = Field(default=1.0, gt=0)
    """Share of the gradient at the features, among those of the other tasks."""


@dataclass(frozen=True)
class Seen:
    """A batch through the encoder, as one task sees it."""

    maps: Tensor
    """float32 (n, C, H, W): each clip's feature map, averaged over time."""
    batch: ViewBatch
    heads: Mapping[str, Callable[[Tensor], Tensor]]
    """``motion`` and ``appearance``: pooled features (n, C) -> (n, 128), standardised over the batch."""

    @cached_property
    def pooled(self) -> Tensor:
        """float32 (n, C): mean of each clip's feature map."""
        return self.maps.mean(dim=(2, 3))

    def of(self, role: str) -> Tensor:
        """Pooled features (m, C) of the clips of a role, such as ``slow``."""
        return self.pooled[self.batch.places[role]]

    @cached_property
    def _outputs(self) -> dict[str, Tensor]:
        return {}

    def varied(self, role: str) -> Tensor:
        """Pooled features (K, R, C) of the variants of a role."""
        pooled = self.of(role)
        return pooled.view(-1, len(self.batch.video_ids), *pooled.shape[1:])

    def varied_maps(self, role: str) -> Tensor:
        """Feature maps (K, R, C, H, W) of the variants of a role."""
        maps = self.maps[self.batch.places[role]]
        return maps.view(-1, len(self.batch.video_ids), *maps.shape[1:])

    def head(self, name: str, role: str | None = None) -> Tensor:
        """What a head says of the clips of a role, or of all: (m, 128), not scaled."""
        if name not in self._outputs:
            self._outputs[name] = self.heads[name](self.pooled)
        output = self._outputs[name]
        return output if role is None else output[self.batch.places[role]]

    def motion(self, role: str) -> Tensor:
        """Unit vectors (m, 128) of the motion head."""
        return F.normalize(self.head("motion", role), dim=1)

    def appearance(self, role: str) -> Tensor:
        """Unit vectors (m, 128) of the appearance head."""
        return F.normalize(self.head("appearance", role), dim=1)


class Objective(nn.Module):
    """A task: layers of its own, if any, and the loss of a batch."""

    Settings: ClassVar[type[ObjectiveSettings]] = ObjectiveSettings

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__()
        self.settings = settings

    @classmethod
    def variants(cls, settings: Any) -> Variants | None:
        """The clips that it learns from; its role is the task's name. None takes c_i, c_j and c_k."""
        return None

    def forward(self, seen: Seen) -> Term:
        """The task's loss, and figures of how well it is solved."""
        raise NotImplementedError

    def remember(self, seen: Seen) -> None:
        """Once the optimiser has stepped: what later steps are compared with, in buffers. Nothing, by default."""


class Standardised(nn.Module):
    """A linear layer whose outputs are standardised over the batch, so that no constant can satisfy a contrast."""

    def __init__(self, channels: int, size: int = PROJECTION_SIZE) -> None:
        super().__init__()
        self.layer = nn.Linear(channels, size)
        self.norm = nn.BatchNorm1d(size, affine=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """(n, channels) -> (n, size)."""
        standardised: Tensor = self.norm(self.layer(pooled))
        return standardised


def classification(logits: Tensor, truth: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and accuracy.

    Args:
        logits: (n, classes).
        truth: int64 (n,).
        counts: bool (n,), rows that count; 0 is what none of them costs.
    """
    total = counts.sum().clamp(min=1)
    losses = F.cross_entropy(logits, truth, reduction="none")
    return (losses * counts).sum() / total, ((logits.argmax(dim=1) == truth) & counts).sum() / total


def contrast(
    anchors: Tensor, others: Tensor, temperature: float, left_out: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """InfoNCE within a batch, from both sides, and how often the own partner is the nearest.

    Args:
        anchors: unit vectors (n, D).
        others: unit vectors (n, D); row k is the partner of anchor k, all other rows are negatives.
        temperature: tau.
        left_out: bool (n, n), pairs that are no negatives; None leaves none out.
    """
    logits = anchors @ others.T / temperature
    if left_out is not None:
        logits = logits.masked_fill(left_out, -torch.inf)
    target = torch.arange(len(anchors), device=anchors.device)
    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    return loss, (logits.argmax(dim=1) == target).float().mean()


def same_videos(video_ids: Tensor) -> Tensor:
    """Bool (R, R): pairs of different places in a batch that show one video, for ``contrast`` to leave out."""
    return (video_ids[:, None] == video_ids) & ~torch.eye(len(video_ids), dtype=torch.bool, device=video_ids.device)
