"""``statistics``: the motion head must tell where, and into which direction, how much moves in the clip.

A linear read-out of the motion head is regressed on the clip's own motion energy, in the spirit of Wang et al.
("Self-supervised spatio-temporal representation learning for videos by predicting motion and appearance statistics",
CVPR 2019): the absolute difference of neighbouring frames on a coarse grid, and the same by the direction of the
normal flow. The target costs no network, and starts learning where contrasts have nothing to hold on to.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rspnet_core.config import Normalisation
from rspnet_core.models.energy_maps import DIRECTIONS, grey_of, oriented_energy
from rspnet_core.models.two_head import PROJECTION_SIZE
from rspnet_core.pretext.tasks.objective import Objective, Seen
from rspnet_core.pretext.terms import Term

_GRID = (3, 7, 7)
_ORIENTED_GRID = 4
TARGETS = math.prod(_GRID) + DIRECTIONS * _ORIENTED_GRID**2


class MotionStatistics(Objective):
    """Motion energy, read out of the motion head."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.read_out = nn.Linear(PROJECTION_SIZE, TARGETS)

    def forward(self, seen: Seen) -> Term:
        """Mean squared error over all clips; 1 is what a constant gets."""
        target = motion_statistics(seen.batch.clips)
        loss = F.mse_loss(self.read_out(seen.head("motion")), target)
        return Term(loss, {"statistics_explained": 1 - loss})


@torch.no_grad()
def motion_statistics(clips: Tensor) -> Tensor:
    """Square roots of motion energy on a grid and by direction (``models.energy_maps``), standardised within each clip.

    Args:
        clips: float32 (N, 3, T, H, W), T at least 2, normalised as ImageNet's images.

    Returns:
        float32 (N, TARGETS): 3 x 7 x 7 (time, rows, columns) of energy, then 8 x 4 x 4 (directions, rows, columns).
    """
    mean, std = torch.tensor([Normalisation().mean, Normalisation().std], device=clips.device).view(2, 3, 1, 1, 1)
    grey = F.avg_pool2d(grey_of(clips.float() * std + mean), 3, stride=1, padding=1, count_include_pad=False)
    energy = (grey[:, 1:] - grey[:, :-1]).abs()
    grid = F.adaptive_avg_pool3d(energy[:, None], _GRID).flatten(1)
    oriented = F.adaptive_avg_pool2d(oriented_energy(grey).mean(dim=2), _ORIENTED_GRID).flatten(1)
    return torch.cat([_standardised(grid.sqrt()), _standardised(oriented.sqrt())], dim=1)


def _standardised(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + 1e-3)
