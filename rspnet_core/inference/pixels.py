"""Decoded pixels as what a network takes in."""

import torch
from torch import Tensor

from rspnet_core.config import Normalisation


def scales(normalisation: Normalisation) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, float32 (3,), of values in 0 to 255."""
    mean, std = (255 * torch.tensor(values) for values in (normalisation.mean, normalisation.std))
    return mean, std


def normalised(clips: Tensor, normalisation: Normalisation) -> Tensor:
    """Clips uint8 (N, T, H, W, 3), RGB -> float32 (N, 3, T, H, W), channels last in memory."""
    # A row of pixels at once: broadcast along three channels alone, numbers are taken one after the other.
    width = clips.shape[3]
    mean, std = (values.repeat(width).to(clips.device) for values in scales(normalisation))
    rows = clips.reshape(-1, width * 3).float().sub_(mean).div_(std)
    return rows.view(clips.shape).permute(0, 4, 1, 2, 3)
