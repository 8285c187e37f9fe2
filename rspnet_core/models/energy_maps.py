"""Where a clip moves and in which direction, and what it looks like there: maps that no training is needed for.

Motion is *oriented energy*. With d the difference of two neighbouring grey frames and g the gradient of their mean, a
pattern that moves by v obeys d = -g . v (brightness constancy; Horn and Schunck, 1981), so that what can be known of v
at one place, the normal flow, points along -d g. The energy |d| is spread over eight directions around it:

    e_k = |d| * relu(u . n_k)^4 / 1.5,   u = -sign(d) g / |g|,   n_k = (cos, sin)(k * 45 degrees),   k = 0 ... 7

The eight weights sum to 1 for every u: the even powers up to 6 of a cosine have no harmonic at 8. Places without
texture have a gradient of noise alone, and a direction of chance: energy counts |g|^2 / (|g|^2 + 0.005^2) there.

Edges are the gradients of still pictures, by orientation (no sign); colours, shares of the 27 points of RGB whose
values are 0, 1/2 or 1, between which a colour is interpolated.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

DIRECTIONS = 8
"""Of motion, counter-clockwise on paper with y downwards: right, right-down, down, ..., right-up."""
ORIENTATIONS = 4
"""Of the brightness gradient at edges, half a turn apart from its opposite: across, falling, along, rising."""
COLOUR_LEVELS = 3
"""Of each of red, green and blue: 0, 1/2, 1."""
COLOURS = COLOUR_LEVELS**3
LUMA = (0.299, 0.587, 0.114)
"""Grey by red, green and blue (BT.601)."""
TEXTURE_NOISE = 0.005
"""Gradient, in grey (0 to 1) a pixel, of what has no texture."""

_TINY = 1e-12


def grey_of(clips: Tensor) -> Tensor:
    """RGB float (N, 3, T, H, W), 0 to 1 -> grey (N, T, H, W), 0 to 1."""
    red, green, blue = clips.unbind(dim=1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def oriented_energy(grey: Tensor) -> Tensor:
    """Grey frames float (N, T, H, W), 0 to 1, T at least 2 -> energy (N, 8, T - 1, H, W) in grey a frame, from 0."""
    ahead, behind = zip(*energy_along_axes(grey), strict=True)
    return torch.stack(ahead + behind, dim=1)


def energy_along_axes(grey: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The same, (N, T - 1, H, W) each, of a direction and its opposite: those of the first four."""
    difference = grey[:, 1:] - grey[:, :-1]
    right, down = _gradient((grey[:, 1:] + grey[:, :-1]) / 2)
    squared = right.square() + down.square()
    strength = difference.abs() * (squared / (squared + TEXTURE_NOISE**2) / 1.5)
    against = torch.rsqrt(squared + _TINY) * -difference.sign()
    right, down = right * against, down * against
    for along in (right, (right + down) * math.sqrt(0.5), down, (down - right) * math.sqrt(0.5)):
        both = strength * along.square().square()
        one = both * (along > 0)
        yield one, both - one


def edge_energy(grey: Tensor) -> Tensor:
    """Grey pictures float (N, T, H, W), 0 to 1 -> gradient (N, 4, T, H, W) in grey a pixel, from 0, by orientation."""
    right, down = _gradient(grey)
    squared = right.square() + down.square()
    scale = (squared + _TINY).pow(-1.5) / 1.5  # |g| cos^4 / 1.5 = (g . n)^4 / |g|^3 / 1.5
    alongs = (right, (right + down) * math.sqrt(0.5), down, (down - right) * math.sqrt(0.5))
    return torch.stack([along.square().square() * scale for along in alongs], dim=1)


def colour_shares(clips: Tensor) -> Tensor:
    """RGB float (N, 3, T, H, W), 0 to 1 -> shares (N, 27, T, H, W) of the points of RGB, sum 1; red is slowest."""
    levels = torch.linspace(0, 1, COLOUR_LEVELS, device=clips.device).view(-1, 1, 1, 1)
    near = 1 - (clips[:, :, None] - levels).abs() * (COLOUR_LEVELS - 1)  # (N, 3, levels, T, H, W)
    red, green, blue = near.clamp(min=0).unbind(dim=1)
    return (red[:, :, None, None] * green[:, None, :, None] * blue[:, None, None]).flatten(1, 3)


def _gradient(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (N, T, H, W) -> central differences to the right and downwards; a border continues as it ends."""
    # Not by F.pad, which is split over threads however small pictures are.
    wide = torch.cat([pictures[..., :1], pictures, pictures[..., -1:]], dim=-1)
    high = torch.cat([pictures[..., :1, :], pictures, pictures[..., -1:, :]], dim=-2)
    return (wide[..., 2:] - wide[..., :-2]) / 2, (high[..., 2:, :] - high[..., :-2, :]) / 2
