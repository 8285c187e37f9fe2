"""The clips of a ring of rendered motion programs (``tasks.programs``), over pictures of the videos of the step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from rspnet_core.config import Augmentation, Normalisation
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draws, draw_many
from rspnet_core.video.making.programs import (
    Chance,
    Looks,
    Programs,
    draw_chance,
    draw_looks,
    draw_programs,
)
from rspnet_core.video.making.rendering import render, smooth_pictures

_PICTURES = 64
"""Textures and backgrounds of a step; half of them are frames of the videos."""
_USUAL_FPS = 25
"""Of videos that are read as recorded."""


@dataclass(frozen=True)
class Renderer:
    """Renders the ring of a step."""

    num_programs: int
    """P, at least 2."""
    frames_per_clip: int
    clip_size: int
    seconds_per_frame: float
    augmentation: Augmentation
    """Its colours alone."""

    @property
    def num_clips(self) -> int:
        """Each program in two looks."""
        return 2 * self.num_programs

    def clips(self, rng: np.random.Generator, frames: Tensor, progress: float) -> Tensor:
        """Clips (2 P, 3, T, size, size) on the device, coloured and normalised; the harder, the later in the run.

        Args:
            rng: where all draws come from.
            frames: uint8 (n, S, S, 3), frames of videos, on the device.
            progress: part of the run that is over, 0 to 1.
        """
        device = frames.device
        drawn = torch.Generator().manual_seed(int(rng.integers(2**62)))
        clip = torch.arange(self.num_clips)
        program, look = clip // 2, ((clip + 1) // 2) % self.num_programs
        programs = _taken(draw_programs(self.num_programs, drawn), program, device)
        looks = _taken(draw_looks(self.num_programs, _PICTURES, drawn), look, device)
        chance = _taken(draw_chance(self.num_clips, drawn, min(1.0, 0.3 + progress)), clip, device)
        chosen = torch.from_numpy(rng.integers(len(frames), size=_PICTURES // 2)).to(device)
        found = frames[chosen].permute(0, 3, 1, 2).float() / 255
        pictures = torch.cat([found, smooth_pictures(_PICTURES - len(found), frames.shape[1], drawn, device)])
        times = torch.arange(self.frames_per_clip, device=device) * self.seconds_per_frame
        clips = _render(device)(Programs(*programs), Looks(*looks), Chance(*chance), times, pictures, self.clip_size)
        colours = draw_many(rng, self.augmentation, np.ones(self.num_clips))
        zeros, ones = torch.zeros(self.num_clips), torch.ones(self.num_clips)
        return augment.coloured(clips, Draws(zeros, zeros, ones, ones, *colours[4:]), Normalisation())


def renderer_of(recipe: JointRecipe) -> Renderer:
    """Of a recipe whose ``num_programs`` is above 0."""
    seconds_per_frame = recipe.frame_step / (recipe.fps or _USUAL_FPS)
    return Renderer(
        recipe.num_programs, recipe.frames_per_clip, recipe.clip_size, seconds_per_frame, recipe.augmentation
    )


@cache
def _render(device: torch.device) -> Callable[..., Tensor]:
    """On a GPU compiled: dozens of passes over the pixels of each part become one."""
    return torch.compile(render, dynamic=False) if device.type == "cuda" else render


def _taken(drawn: tuple[Tensor, ...], places: Tensor, device: torch.device) -> list[Tensor]:
    return [part[places].to(device, non_blocking=True) for part in drawn]
