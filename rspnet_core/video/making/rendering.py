"""Motion programs, carried out on any device: where the parts of a body are at each time, and the picture that follows.

Speeds are exact: frames are rendered at the times that are asked for, none is left out or repeated.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.video.making.programs import PARTS, Chance, Looks, Programs

_PARENTS = (-1, 0, 0, 2, 0, 4, -1, 6, -1, 8)
"""Trunk, head, upper and lower arm (left, right), upper and lower leg (left, right): the part that each hangs on."""
_AT_TIP = (False, True, True, True, True, True, False, True, False, True)
"""Whether a part hangs on its parent's tip; else on the hips."""
_LENGTHS = (0.30, 0.10, 0.17, 0.17, 0.17, 0.17, 0.22, 0.22, 0.22, 0.22)
_RADII = (0.075, 0.07, 0.038, 0.032, 0.038, 0.032, 0.055, 0.042, 0.055, 0.042)
_REST = (0.0, 0.0, 2.8, 0.2, -2.8, -0.2, 2.95, 0.0, -2.95, 0.0)
"""Angles to the parent's direction in radians, 0 goes on straight; of the first, to the upright."""


def render(programs: Programs, looks: Looks, chance: Chance, times: Tensor, pictures: Tensor, size: int) -> Tensor:
    """Carry out N programs, one by one, in N looks.

    Args:
        programs: N of them, as are ``looks`` and ``chance``, all on the device of ``pictures``.
        looks: what is seen.
        chance: what else differs.
        times: float32 (T,), seconds from the beginning.
        pictures: float32 (n, 3, s, s), 0 to 1: textures and backgrounds.
        size: side of the square clips in pixels.

    Returns:
        float32 (N, 3, T, size, size), RGB, 0 to 1.
    """
    moments = chance.phase_seconds[:, None] + times.to(pictures.device) * chance.speed[:, None]  # (N, T)
    roots, tips = _bodies(programs, looks, chance, moments)
    camera, zoom = _camera(chance, times.to(pictures.device))
    along_axis = (torch.arange(size, device=pictures.device) + 0.5) / size - 0.5
    seen_x, seen_y = ((along_axis - camera[..., axis, None]) / zoom[..., None] for axis in (0, 1))  # (N, T, size)
    whole = (*seen_y.shape, size)
    ground = _sampled(
        pictures[looks.background], 1.6 * seen_x[:, :, None].expand(whole), 1.6 * seen_y[..., None].expand(whole)
    )
    own_x = (seen_x * chance.is_mirrored[:, None, None] - chance.centre[:, None, :1]) / chance.size[:, None, None]
    own_y = (seen_y - chance.centre[:, None, 1:]) / chance.size[:, None, None]
    depth, surface = _surface(programs, looks, roots, tips, own_x, own_y, pictures[looks.texture])
    cover = (depth * (size * chance.size[:, None, None, None]) + 0.5).clamp(0, 1)
    return torch.lerp(ground, surface.clamp(0, 1), cover[:, None])


def _surface(
    programs: Programs, looks: Looks, roots: Tensor, tips: Tensor, x: Tensor, y: Tensor, textures: Tensor
) -> tuple[Tensor, Tensor]:
    """The bodies alone, at places given by rows and columns: parts are capsules, the later ones before the others.

    A place is told along a part and across it, each the sum of what its column and what its row add: a pass over the
    pixels where the other formulas take many.

    Args:
        programs: N.
        looks: N.
        roots: (N, T, parts, 2), as of ``_bodies``, like all places here.
        tips: (N, T, parts, 2).
        x: (N, T, W), of columns.
        y: (N, T, H), of rows.
        textures: (N, 3, s, s).

    Returns:
        How deep in the bodies each place is (N, T, H, W), below 0 outside, and their colours (N, 3, T, H, W), black
        outside.
    """
    lengths = tips - roots
    reach = lengths.square().sum(dim=3).clamp(min=1e-6).sqrt()  # (N, T, parts)
    towards = lengths / reach[..., None]
    across = torch.stack([towards[..., 1], -towards[..., 0]], dim=3)
    axes = torch.stack([towards, across], dim=3)  # (N, T, parts, axis, xy)
    begin = (roots[:, :, :, None] * axes).sum(dim=4)  # (N, T, parts, axis)
    radii = torch.tensor(_RADII, device=x.device) * looks.radii * torch.where(programs.is_figure[:, None], 1, 2.2)
    radii = torch.where(programs.is_there > 0, radii, -1e6)  # (N, parts)
    depth = torch.full((*y.shape, x.shape[2]), -1e6, device=x.device)
    seen = torch.full(depth.shape, PARTS, device=x.device)  # which part; PARTS is none
    for part in range(PARTS):
        along, beside = (
            (x * axes[:, :, part, axis, :1] - begin[:, :, part, axis, None])[:, :, None]
            + (y * axes[:, :, part, axis, 1:])[..., None]
            for axis in (0, 1)
        )
        beyond = along - torch.minimum(along.clamp(min=0), reach[:, :, part, None, None])
        inside = radii[:, None, part, None, None] - torch.hypot(beyond, beside)
        depth = torch.maximum(depth, inside)
        seen = seen.masked_fill(inside > 0, part)
    scale = 2 * looks.texture_scale[:, None, None]

    def where_seen(of_parts: Tensor) -> Tensor:
        """Values (N, T, parts), each where its part is seen (N, T, H, W); 0 where none is."""
        chosen = F.pad(of_parts, (0, 1)).gather(2, seen.flatten(2))
        return chosen.view(seen.shape)

    local = [
        where_seen(scale * axes[:, :, :, axis, 0]) * x[:, :, None]
        + where_seen(scale * axes[:, :, :, axis, 1]) * y[..., None]
        + where_seen(looks.texture_places[:, None, :, axis] - scale * begin[..., axis])
        for axis in (0, 1)
    ]
    tint = torch.stack([where_seen(looks.tint[:, None, :, colour].expand_as(reach)) for colour in range(3)], dim=1)
    return depth, _sampled(textures, *local) * tint


def _bodies(programs: Programs, looks: Looks, chance: Chance, moments: Tensor) -> tuple[Tensor, Tensor]:
    """Where each part begins and ends, both (N, T, parts, 2) in heights of the body, y down."""
    device = moments.device
    turns = 2 * math.pi * programs.hertz[:, None] * moments  # (N, T)
    waves = torch.stack([turns, 2 * turns], dim=2)[:, :, None]  # (N, T, 1, harmonics)
    extent = chance.extent[:, None, None]
    swings = (programs.swing[:, None] * torch.sin(waves + programs.swing_phase[:, None])).sum(dim=3)
    angles = torch.tensor(_REST, device=device) + programs.posture[:, None] + extent * swings  # (N, T, parts)
    ways = (programs.way[:, None] * torch.sin(waves[..., None] + programs.way_phase[:, None])).sum(dim=3)
    seconds = moments - moments.mean(dim=1, keepdim=True)
    ways = extent[..., None] * ways + (programs.drift[:, None] * seconds[..., None])[:, :, None]
    growth = 1 + programs.growth[:, None] * torch.sin(turns)
    lengths = torch.tensor(_LENGTHS, device=device) * looks.lengths  # (N, parts)
    figure_roots: list[Tensor] = []
    figure_tips: list[Tensor] = []
    directions: list[Tensor] = []
    hips = ways[:, :, 0]
    for part, parent in enumerate(_PARENTS):
        direction = angles[:, :, part] + directions[parent] if parent >= 0 else angles[:, :, part]
        root = figure_tips[parent] if _AT_TIP[part] else hips
        directions.append(direction)
        figure_roots.append(root)
        figure_tips.append(root + (lengths[:, None, part] * growth)[..., None] * _towards(direction))
    loose_roots = looks.places[:, None] + ways
    loose_tips = loose_roots + (0.8 * lengths[:, None] * growth[..., None])[..., None] * _towards(angles)
    is_figure = programs.is_figure[:, None, None, None]
    roots = torch.where(is_figure, torch.stack(figure_roots, dim=2), loose_roots)
    tips = torch.where(is_figure, torch.stack(figure_tips, dim=2), loose_tips)
    return roots, tips


def _towards(angles: Tensor) -> Tensor:
    """Unit vectors (..., 2), y down, of angles from the upright."""
    return torch.stack([angles.sin(), -angles.cos()], dim=-1)


def _camera(chance: Chance, times: Tensor) -> tuple[Tensor, Tensor]:
    """Where the camera looks (N, T, 2), and how near it is (N, T)."""
    turns = 2 * math.pi * chance.camera_hertz[:, None, None] * times[:, None] + chance.camera_phase[:, None]
    return chance.camera[:, None] * torch.sin(turns), 1 + chance.zoom[:, None] * times


def _sampled(pictures: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Pictures (N, 3, s, s) at places (N, T, H, W), -1 to 1, mirrored beyond -> (N, 3, T, H, W)."""
    num, frames, height, width = x.shape
    flat = torch.stack([x, y], dim=4).view(num, frames * height, width, 2)
    sampled = F.grid_sample(pictures, flat, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.view(num, 3, frames, height, width)


def smooth_pictures(num: int, size: int, rng: torch.Generator, device: torch.device) -> Tensor:
    """Random textures where there are no photographs: float32 (num, 3, size, size), 0 to 1, coarse and fine waves."""
    total = torch.zeros(num, 3, size, size, device=device)
    for cells, weight in ((3, 1.0), (7, 0.7), (17, 0.5), (39, 0.35)):
        grey, coloured = (torch.rand(num, planes, cells, cells, generator=rng).to(device) for planes in (1, 3))
        bigger = _bicubic(cells, size, device)
        total += bigger @ (weight * (0.7 * grey + 0.3 * coloured - 0.5)) @ bigger.mT
    return (total * 1.2 + 0.5).clamp(0, 1)


def _bicubic(source: int, size: int, device: torch.device) -> Tensor:
    """Float32 (size, source): enlarges columns, as ``F.interpolate`` does along both axes."""
    one_axis = torch.eye(source, device=device)[None, None]
    return F.interpolate(one_axis, size=(size, source), mode="bicubic", align_corners=False)[0, 0]
