"""Motion with its truth, drawn in batches on any device: motion programs, carried out by bodies of many looks.

A program says how parts turn and where the body goes, as smooth periodic functions of time; a look says what the parts
are like: lengths, thickness, textures, colours, background. Both are drawn apart, so that one program can be seen
in many looks and one look in many programs:

    program   half of them: a jointed figure (trunk, head, two arms of two parts, two legs of two parts), some of whose
              joints swing; the others: one to four loose parts, each on a way of its own
    look      textures are cut from pictures that the caller gives, colours are tinted
    chance    phase, size, place, mirror, camera and small changes of speed and extent, drawn for each clip

Speeds are exact: frames are rendered at the times that are asked for, none is left out or repeated.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_PARENTS = (-1, 0, 0, 2, 0, 4, -1, 6, -1, 8)
"""Trunk, head, upper and lower arm (left, right), upper and lower leg (left, right): the part that each hangs on."""
_AT_TIP = (False, True, True, True, True, True, False, True, False, True)
"""Whether a part hangs on its parent's tip; else on the hips."""
_LENGTHS = (0.30, 0.10, 0.17, 0.17, 0.17, 0.17, 0.22, 0.22, 0.22, 0.22)
_RADII = (0.075, 0.07, 0.038, 0.032, 0.038, 0.032, 0.055, 0.042, 0.055, 0.042)
_REST = (0.0, 0.0, 2.8, 0.2, -2.8, -0.2, 2.95, 0.0, -2.95, 0.0)
"""Angles to the parent's direction in radians, 0 goes on straight; of the first, to the upright."""
_REACH = (0.35, 0.3, 1.3, 1.0, 1.3, 1.0, 0.7, 0.8, 0.7, 0.8)
"""Largest swing of each joint in radians."""
_PARTS = len(_PARENTS)
_HARMONICS = 2


class Programs(NamedTuple):
    """P motion programs; times in seconds, angles in radians, lengths in parts of the body's height."""

    is_figure: Tensor
    """bool (P,)."""
    hertz: Tensor
    """(P,): how often the motion repeats itself in a second."""
    swing: Tensor
    """(P, parts, 2): extent of each joint's turning, by harmonic; 0 where it is still."""
    swing_phase: Tensor
    """(P, parts, 2)."""
    posture: Tensor
    """(P, parts): what is added to the angles of rest."""
    way: Tensor
    """(P, parts, 2, 2): extent of the ways (x, y), by harmonic; of a figure that of its trunk counts."""
    way_phase: Tensor
    """(P, parts, 2, 2)."""
    drift: Tensor
    """(P, 2): constant velocity in heights a second."""
    growth: Tensor
    """(P,): extent of a periodic change of size."""
    is_there: Tensor
    """(P, parts): 1 where a loose part exists; all of a figure's do."""


class Looks(NamedTuple):
    """L looks."""

    lengths: Tensor
    """(L, parts): factor."""
    radii: Tensor
    """(L, parts): factor."""
    tint: Tensor
    """(L, parts, 3)."""
    texture_places: Tensor
    """(L, parts, 2): where in the texture a part is cut from, -1 to 1."""
    texture_scale: Tensor
    """(L,)."""
    places: Tensor
    """(L, parts, 2): of loose parts."""
    texture: Tensor
    """int64 (L,): which picture."""
    background: Tensor
    """int64 (L,): which picture."""


class Chance(NamedTuple):
    """What is drawn anew for each of N clips."""

    phase_seconds: Tensor
    speed: Tensor
    extent: Tensor
    size: Tensor
    """(N,): height of the body in parts of the picture's."""
    centre: Tensor
    """(N, 2)."""
    is_mirrored: Tensor
    """(N,): 1 or -1."""
    camera: Tensor
    """(N, 2): extent of the camera's way."""
    camera_hertz: Tensor
    camera_phase: Tensor
    """(N, 2)."""
    zoom: Tensor
    """(N,): relative change of size in a second."""


def draw_programs(num: int, rng: torch.Generator) -> Programs:
    """Draw programs, float32 on the CPU."""
    uniform = _uniform(rng)
    is_figure = uniform(num) < 0.5
    is_active = uniform(num, _PARTS) < (0.15 + 0.6 * uniform(num, 1))
    is_active |= F.one_hot((uniform(num) * _PARTS).long(), _PARTS).bool()  # one at least
    harmonics = torch.tensor([1.0, 0.4])
    swing = uniform(num, _PARTS, 1, low=0.3, high=1.0) * torch.tensor(_REACH)[:, None] * is_active[..., None]
    swing = swing * harmonics * torch.stack([torch.ones(num), (uniform(num) < 0.5).float()], dim=1)[:, None]
    is_paired = (uniform(num) < 0.5) & is_figure  # both sides do the same, in phase or against it
    pairs = torch.tensor([0, 1, 4, 5, 2, 3, 8, 9, 6, 7])
    swing_phase = uniform(num, _PARTS, _HARMONICS, high=2 * math.pi)
    sides = torch.tensor([1.0, 1, 1, 1, -1, -1, 1, 1, -1, -1])
    against = torch.where(uniform(num) < 0.5, 0.0, math.pi)[:, None, None]
    left = torch.tensor([True, True, True, True, False, False, True, True, False, False])
    paired_swing = torch.where(left[:, None], swing, swing[:, pairs] * sides[:, None])
    paired_phase = torch.where(left[:, None], swing_phase, swing_phase[:, pairs] + against)
    swing = torch.where(is_paired[:, None, None], paired_swing, swing)
    swing_phase = torch.where(is_paired[:, None, None], paired_phase, swing_phase)
    has_way = (uniform(num, 1, 1, 1) < torch.where(is_figure, 0.4, 1.0)[:, None, None, None]).float()
    way_extent = torch.where(is_figure, 0.12, 0.3)[:, None, None, None]
    way = uniform(num, _PARTS, _HARMONICS, 2, low=0.2) * has_way * way_extent * harmonics[:, None]
    has_drift = (uniform(num, 1) < 0.3).float()
    num_loose = (uniform(num, 1) * 4).long() + 1
    is_there = torch.where(is_figure[:, None], 1.0, (torch.arange(_PARTS) < num_loose).float())
    return Programs(
        is_figure=is_figure,
        hertz=torch.exp(uniform(num, low=math.log(0.6), high=math.log(2.4))),
        swing=swing,
        swing_phase=swing_phase,
        posture=uniform(num, _PARTS, low=-0.5, high=0.5) * torch.tensor(_REACH),
        way=way,
        way_phase=uniform(num, _PARTS, _HARMONICS, 2, high=2 * math.pi),
        drift=uniform(num, 2, low=-0.5, high=0.5) * has_drift * torch.tensor([1.0, 0.3]),
        growth=uniform(num, high=0.35) * (uniform(num) < 0.2).float(),
        is_there=is_there,
    )


def draw_looks(num: int, num_pictures: int, rng: torch.Generator) -> Looks:
    """Draw looks, float32 on the CPU, whose textures and backgrounds are of so many pictures."""
    uniform = _uniform(rng)
    return Looks(
        lengths=uniform(num, _PARTS, low=0.8, high=1.2),
        radii=uniform(num, 1, low=0.7, high=1.5) * uniform(num, _PARTS, low=0.8, high=1.25),
        tint=uniform(num, 1, 3, low=0.3, high=1.5) * uniform(num, _PARTS, 3, low=0.7, high=1.3),
        texture_places=uniform(num, _PARTS, 2, low=-0.7, high=0.7),
        texture_scale=uniform(num, low=0.5, high=2.0),
        places=uniform(num, _PARTS, 2, low=-0.3, high=0.3),
        texture=torch.randint(num_pictures, (num,), generator=rng),
        background=torch.randint(num_pictures, (num,), generator=rng),
    )


def draw_chance(num: int, rng: torch.Generator, difficulty: float) -> Chance:
    """Draw what differs between two clips of one program: the more, the nearer ``difficulty`` is to 1 (from 0)."""
    uniform = _uniform(rng)
    has_camera = (uniform(num) < 0.5 * difficulty).float()
    return Chance(
        phase_seconds=uniform(num, high=3.0 * difficulty),
        speed=torch.exp(uniform(num, low=-0.2, high=0.2) * difficulty),
        extent=torch.exp(uniform(num, low=-0.25, high=0.25) * difficulty),
        size=uniform(num, low=0.75 - 0.3 * difficulty, high=0.75 + 0.2 * difficulty),
        centre=uniform(num, 2, low=-0.15, high=0.15) * difficulty,
        is_mirrored=torch.where(uniform(num) < 0.5, 1.0, -1.0) if difficulty > 0 else torch.ones(num),
        camera=uniform(num, 2, low=0.0, high=0.12) * has_camera[:, None],
        camera_hertz=uniform(num, low=0.1, high=0.8),
        camera_phase=uniform(num, 2, high=2 * math.pi),
        zoom=uniform(num, low=-0.08, high=0.08) * has_camera,
    )


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
    grid = _grid(size, pictures.device)  # (size, size, 2), -0.5 to 0.5
    seen = (grid - camera[:, :, None, None]) / zoom[:, :, None, None, None]  # (N, T, size, size, 2)
    ground = _sampled(pictures[looks.background], 1.6 * seen)
    own = seen.clone()
    own[..., 0] *= chance.is_mirrored[:, None, None, None]
    own = (own - chance.centre[:, None, None, None]) / chance.size[:, None, None, None, None]
    cover = torch.zeros_like(own[..., 0])
    places = torch.zeros_like(own)
    tint = torch.zeros(*cover.shape, 3, device=cover.device)
    pixel = 1.0 / (size * chance.size[:, None, None, None])
    for part in range(_PARTS):
        length = tips[:, :, part] - roots[:, :, part]  # (N, T, 2)
        squared = length.square().sum(dim=2).clamp(min=1e-6)
        away = own - roots[:, :, part, None, None]  # (N, T, size, size, 2)
        along = (away * length[:, :, None, None]).sum(dim=4) / squared[..., None, None]
        reach = squared.sqrt()[..., None, None]
        across = (away[..., 0] * length[:, :, None, None, 1] - away[..., 1] * length[:, :, None, None, 0]) / reach
        beyond = (along - along.clamp(0, 1)) * reach
        distance = (beyond.square() + across.square()).sqrt()
        radius = (torch.tensor(_RADII[part], device=cover.device) * looks.radii[:, part])[:, None, None, None]
        radius = torch.where(programs.is_figure[:, None, None, None], radius, 2.2 * radius)
        mask = ((radius - distance) / pixel + 0.5).clamp(0, 1) * programs.is_there[:, part, None, None, None]
        is_own = mask > 0.5
        local = torch.stack([along * reach, across], dim=4) * 2 * looks.texture_scale[:, None, None, None, None]
        local = local + looks.texture_places[:, part, None, None, None]
        places = torch.where(is_own[..., None], local, places)
        tint = torch.where(is_own[..., None], looks.tint[:, part, None, None, None], tint)
        cover = torch.maximum(cover, mask)
    surface = _sampled(pictures[looks.texture], places) * tint.permute(0, 4, 1, 2, 3)
    return torch.lerp(ground, surface.clamp(0, 1), cover[:, None])


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


def _grid(size: int, device: torch.device) -> Tensor:
    places = (torch.arange(size, device=device) + 0.5) / size - 0.5
    return torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=2)


def _sampled(pictures: Tensor, places: Tensor) -> Tensor:
    """Pictures (N, 3, s, s) at places (N, T, H, W, 2), -1 to 1, mirrored beyond -> (N, 3, T, H, W)."""
    num, frames, height, width, _ = places.shape
    flat = places.reshape(num, frames * height, width, 2)
    sampled = F.grid_sample(pictures, flat, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.view(num, 3, frames, height, width)


def smooth_pictures(num: int, size: int, rng: torch.Generator, device: torch.device) -> Tensor:
    """Random textures where there are no photographs: float32 (num, 3, size, size), 0 to 1, coarse and fine waves."""
    total = torch.zeros(num, 3, size, size, device=device)
    for cells, weight in ((3, 1.0), (7, 0.7), (17, 0.5), (39, 0.35)):
        grey, coloured = (torch.rand(num, planes, cells, cells, generator=rng).to(device) for planes in (1, 3))
        noise = 0.7 * grey + 0.3 * coloured - 0.5
        total += weight * F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=False)
    return (total * 1.2 + 0.5).clamp(0, 1)


class _uniform:  # noqa: N801 (used as a function)
    """Uniform numbers of a generator."""

    def __init__(self, rng: torch.Generator) -> None:
        self._rng = rng

    def __call__(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self._rng)
