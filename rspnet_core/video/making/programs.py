"""Motion with its truth, drawn in batches: motion programs, to be carried out by bodies of many looks (``rendering``).

A program says how parts turn and where the body goes, as smooth periodic functions of time; a look says what the parts
are like: lengths, thickness, textures, colours, background. Both are drawn apart, so that one program can be seen
in many looks and one look in many programs:

    program   half of them: a jointed figure (trunk, head, two arms of two parts, two legs of two parts), some of whose
              joints swing; the others: one to four loose parts, each on a way of its own
    look      textures are cut from pictures that the caller gives, colours are tinted
    chance    phase, size, place, mirror, camera and small changes of speed and extent, drawn for each clip
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_REACH = (0.35, 0.3, 1.3, 1.0, 1.3, 1.0, 0.7, 0.8, 0.7, 0.8)
"""Largest swing of each joint in radians."""
PARTS = len(_REACH)
"""Trunk, head, upper and lower arm (left, right), upper and lower leg (left, right); or so many loose parts at most."""
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
    is_active = uniform(num, PARTS) < (0.15 + 0.6 * uniform(num, 1))
    is_active |= F.one_hot((uniform(num) * PARTS).long(), PARTS).bool()  # one at least
    harmonics = torch.tensor([1.0, 0.4])
    swing = uniform(num, PARTS, 1, low=0.3, high=1.0) * torch.tensor(_REACH)[:, None] * is_active[..., None]
    swing = swing * harmonics * torch.stack([torch.ones(num), (uniform(num) < 0.5).float()], dim=1)[:, None]
    is_paired = (uniform(num) < 0.5) & is_figure  # both sides do the same, in phase or against it
    pairs = torch.tensor([0, 1, 4, 5, 2, 3, 8, 9, 6, 7])
    swing_phase = uniform(num, PARTS, _HARMONICS, high=2 * math.pi)
    sides = torch.tensor([1.0, 1, 1, 1, -1, -1, 1, 1, -1, -1])
    against = torch.where(uniform(num) < 0.5, 0.0, math.pi)[:, None, None]
    left = torch.tensor([True, True, True, True, False, False, True, True, False, False])
    paired_swing = torch.where(left[:, None], swing, swing[:, pairs] * sides[:, None])
    paired_phase = torch.where(left[:, None], swing_phase, swing_phase[:, pairs] + against)
    swing = torch.where(is_paired[:, None, None], paired_swing, swing)
    swing_phase = torch.where(is_paired[:, None, None], paired_phase, swing_phase)
    has_way = (uniform(num, 1, 1, 1) < torch.where(is_figure, 0.4, 1.0)[:, None, None, None]).float()
    way_extent = torch.where(is_figure, 0.12, 0.3)[:, None, None, None]
    way = uniform(num, PARTS, _HARMONICS, 2, low=0.2) * has_way * way_extent * harmonics[:, None]
    has_drift = (uniform(num, 1) < 0.3).float()
    num_loose = (uniform(num, 1) * 4).long() + 1
    is_there = torch.where(is_figure[:, None], 1.0, (torch.arange(PARTS) < num_loose).float())
    return Programs(
        is_figure=is_figure,
        hertz=torch.exp(uniform(num, low=math.log(0.6), high=math.log(2.4))),
        swing=swing,
        swing_phase=swing_phase,
        posture=uniform(num, PARTS, low=-0.5, high=0.5) * torch.tensor(_REACH),
        way=way,
        way_phase=uniform(num, PARTS, _HARMONICS, 2, high=2 * math.pi),
        drift=uniform(num, 2, low=-0.5, high=0.5) * has_drift * torch.tensor([1.0, 0.3]),
        growth=uniform(num, high=0.35) * (uniform(num) < 0.2).float(),
        is_there=is_there,
    )


def draw_looks(num: int, num_pictures: int, rng: torch.Generator) -> Looks:
    """Draw looks, float32 on the CPU, whose textures and backgrounds are of so many pictures."""
    uniform = _uniform(rng)
    return Looks(
        lengths=uniform(num, PARTS, low=0.8, high=1.2),
        radii=uniform(num, 1, low=0.7, high=1.5) * uniform(num, PARTS, low=0.8, high=1.25),
        tint=uniform(num, 1, 3, low=0.3, high=1.5) * uniform(num, PARTS, 3, low=0.7, high=1.3),
        texture_places=uniform(num, PARTS, 2, low=-0.7, high=0.7),
        texture_scale=uniform(num, low=0.5, high=2.0),
        places=uniform(num, PARTS, 2, low=-0.3, high=0.3),
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


class _uniform:  # noqa: N801 (used as a function)
    """Uniform numbers of a generator."""

    def __init__(self, rng: torch.Generator) -> None:
        self._rng = rng

    def __call__(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self._rng)
