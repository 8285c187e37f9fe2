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
from rspnet_core.models.two_head import PROJECTION_SIZE
from rspnet_core.pretext.tasks.objective import Objective, Seen
from rspnet_core.pretext.terms import Term

_GRID = (3, 7, 7)
_DIRECTIONS = 8
_ORIENTED_GRID = 4
TARGETS = math.prod(_GRID) + _DIRECTIONS * _ORIENTED_GRID**2
_GREY = (0.299, 0.587, 0.114)
_FLAT = 0.02
"""Gradient (a pixel, of grey 0 to 1) under which a place is too plain to say where it moves."""


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
    """Square roots of motion energy on a grid and by direction, standardised within each clip.

    Args:
        clips: float32 (N, 3, T, H, W), normalised as ImageNet's images.

    Returns:
        float32 (N, TARGETS): 3 x 7 x 7 (time, rows, columns) of energy, then 8 x 4 x 4 (directions, rows, columns).
    """
    weights = torch.tensor(_GREY, device=clips.device) * torch.tensor(Normalisation().std, device=clips.device)
    grey = torch.einsum("nctyx,c->ntyx", clips.float(), weights)
    grey = F.avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)
    change = grey[:, 1:] - grey[:, :-1]  # (N, T-1, H, W)
    middle = (grey[:, 1:] + grey[:, :-1]) / 2
    slope_y, slope_x = torch.gradient(middle, dim=(2, 3))
    steepness = slope_x.square() + slope_y.square()
    energy = change.abs()
    grid = F.adaptive_avg_pool3d(energy[:, None], _GRID).flatten(1)
    trusted = energy * steepness / (steepness + _FLAT**2)
    flow_x, flow_y = -change * slope_x, -change * slope_y
    length = (flow_x.square() + flow_y.square()).sqrt().clamp(min=1e-9)
    oriented = []
    for number in range(_DIRECTIONS):
        angle = 2 * math.pi * number / _DIRECTIONS
        along = (flow_x * math.cos(angle) + flow_y * math.sin(angle)) / length
        share = along.clamp(min=0).square()
        oriented.append(F.adaptive_avg_pool2d((trusted * share).mean(dim=1, keepdim=True), _ORIENTED_GRID).flatten(1))
    return torch.cat([_standardised(grid.sqrt()), _standardised(torch.cat(oriented, dim=1).sqrt())], dim=1)


def _standardised(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True).sqrt() + 1e-3)
