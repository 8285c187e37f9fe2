"""From the loader's samples to a batch on the device: three augmented clips a video and what goes with them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rspnet_core.config import Normalisation
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draw, draw
from rspnet_core.video.clips.loader import Sample


@dataclass(frozen=True, slots=True)
class SpeedBatch:
    """Clips of B videos, augmented and on the device."""

    anchor: Tensor
    """c_i: float32 (B, 3, T, H, W)."""
    same_speed: Tensor
    """c_j."""
    other_speed: Tensor
    """c_k."""
    anchor_speeds: Tensor
    """int64 (B,): places of the speeds s_i in the recipe's ``speeds``."""
    positive_is_other: Tensor
    """bool (B,): the positive of A-VID is c_k rather than c_j."""
    video_ids: Tensor
    """int64 (B,)."""


Apply = Callable[[Tensor, list[Draw], int, Normalisation], Tensor]
"""Carries out draws on uint8 clips, as ``augment.apply`` does."""


def make_batch(
    samples: list[Sample], recipe: PretrainRecipe, device: torch.device, apply: Apply = augment.apply
) -> SpeedBatch:
    """Augment B samples on the device, each of their 3 B clips by a draw of its own."""
    frames = torch.from_numpy(np.stack([sample.clips.frames for sample in samples], axis=1))  # (3, B, T, S, S, 3)
    frames = frames.flatten(0, 1).to(device, non_blocking=True)
    rngs = [np.random.default_rng(sample.draw_seed) for sample in samples]
    by_video = [
        [draw(rng, recipe.augmentation, sample.clips.aspect) for _ in range(3)]
        for rng, sample in zip(rngs, samples, strict=True)
    ]
    draws = [drawn[place] for place in range(3) for drawn in by_video]
    anchor, same, other = apply(frames, draws, recipe.clip_size, Normalisation()).chunk(3)
    takes_other = recipe.appearance_objective == "avid"
    return SpeedBatch(
        anchor,
        same,
        other,
        anchor_speeds=_long([recipe.speeds.index(sample.clips.speeds[0]) for sample in samples], device),
        positive_is_other=torch.tensor([takes_other and bool(rng.random() < 0.5) for rng in rngs], device=device),
        video_ids=_long([sample.video_id for sample in samples], device),
    )


def _long(values: list[int], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.long, device=device)
