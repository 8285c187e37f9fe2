"""Rendered motion: what a program says is what moves, at exactly the speed that is asked for."""

import math
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.video.making.programs import (
    Chance,
    Looks,
    Programs,
    draw_chance,
    draw_looks,
    draw_programs,
)
from rspnet_core.video.making.rendering import _RADII, _surface, render, smooth_pictures

CPU = torch.device("cpu")
TIMES = torch.arange(6) * 0.08
SIZE = 48


def drawn(num: int, seed: int, difficulty: float = 0.0) -> tuple[Programs, Looks, Chance, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    pictures = smooth_pictures(4, 64, rng, CPU)
    return draw_programs(num, rng), draw_looks(num, 4, rng), draw_chance(num, rng, difficulty), pictures


def test_the_same_seed_renders_the_same() -> None:
    first, second = (render(*drawn(3, 5, 1.0)[:3], TIMES, drawn(3, 5, 1.0)[3], SIZE) for _ in range(2))
    assert first.shape == (3, 3, 6, SIZE, SIZE)
    assert first.equal(second)
    assert 0 <= first.min() <= first.max() <= 1


def test_a_program_without_any_motion_is_a_still_picture() -> None:
    programs, looks, chance, pictures = drawn(4, 1)
    nothing = {name: torch.zeros_like(getattr(programs, name)) for name in ("swing", "way", "drift", "growth")}
    clips = render(programs._replace(**nothing), looks, chance, TIMES, pictures, SIZE)
    assert torch.allclose(clips, clips[:, :, :1].expand_as(clips), atol=1e-5)


def test_every_drawn_program_moves_something() -> None:
    programs, looks, chance, pictures = drawn(60, 2)
    clips = render(programs, looks, chance, TIMES, pictures, SIZE)
    assert (clips[:, :, 1:] - clips[:, :, :-1]).abs().mean(dim=(1, 2, 3, 4)).min() > 1e-4


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed_is_exact_and_skips_no_frame(speed: float) -> None:
    programs, looks, chance, pictures = drawn(3, 3)
    moving = programs._replace(drift=torch.zeros_like(programs.drift))  # a drift is told from the clip's middle
    faster = render(moving, looks, chance._replace(speed=chance.speed * speed), TIMES, pictures, SIZE)
    assert torch.allclose(faster, render(moving, looks, chance, TIMES * speed, pictures, SIZE), atol=1e-5)


def test_a_mirrored_body_moves_to_the_other_side() -> None:
    programs, looks, chance, pictures = drawn(2, 4)
    plain = pictures * 0 + torch.linspace(0.2, 0.8, 64)[:, None]  # the same from left to right
    whole = {"texture_scale": torch.zeros(2), "texture_places": torch.zeros_like(looks.texture_places)}
    looks = looks._replace(**whole)
    one = render(programs, looks, chance._replace(is_mirrored=torch.ones(2)), TIMES, plain, SIZE)
    other = render(programs, looks, chance._replace(is_mirrored=-torch.ones(2)), TIMES, plain, SIZE)
    assert torch.allclose(one, other.flip(4), atol=0.02)


def test_one_program_in_two_looks_moves_the_same_parts_alike() -> None:
    """With equal lengths, places and sizes only surfaces differ: pixels change in the same places."""
    programs, looks, chance, pictures = drawn(1, 11)
    recoloured = looks._replace(tint=looks.tint * 0.3, background=(looks.background + 1) % 4)
    places = []
    for look in (looks, recoloured):
        clips = render(programs, look, chance, TIMES, pictures, SIZE)
        change = (clips[:, :, 1:] - clips[:, :, :-1]).abs().sum(dim=1)
        places.append((change > 0.02).float())
    overlap = (places[0] * places[1]).sum() / torch.maximum(places[0], places[1]).sum()
    assert overlap > 0.5


def test_half_of_the_bodies_are_figures_and_harder_clips_differ_more() -> None:
    rng = torch.Generator().manual_seed(0)
    assert 0.4 < draw_programs(500, rng).is_figure.float().mean() < 0.6
    easy, hard = (draw_chance(500, rng, difficulty) for difficulty in (0.0, 1.0))
    assert easy.phase_seconds.abs().max() == 0
    assert easy.is_mirrored.min() == 1
    assert hard.phase_seconds.std() > 0.5
    assert hard.size.std() > 3 * easy.size.std() == 0


def colour_of(texture: Tensor, along: float, beside: float) -> Tensor:
    place = torch.tensor([along, beside]).view(1, 1, 1, 2)
    return F.grid_sample(texture[None], place, padding_mode="reflection", align_corners=False).flatten()


@pytest.mark.parametrize("seed", range(3))
def test_each_pixel_is_of_the_last_part_whose_capsule_holds_it(seed: int) -> None:
    """Against the distance to a line segment, pixel by pixel and part by part."""
    num, times, rng = 3, 2, torch.Generator().manual_seed(seed)
    programs, looks, _, pictures = drawn(num, seed)
    roots, tips = (torch.rand(num, times, 10, 2, generator=rng) - 0.5 for _ in range(2))
    x, y = (torch.rand(num, times, places, generator=rng) - 0.5 for places in (7, 5))
    textures = pictures[looks.texture]
    depths, colours = _surface(programs, looks, roots, tips, x, y, textures)
    for clip, time, row, column in product(range(num), range(times), range(5), range(7)):
        depth, colour = -math.inf, torch.zeros(3)
        place = torch.stack([x[clip, time, column], y[clip, time, row]])
        for part in range(10):
            if not programs.is_there[clip, part]:
                continue
            root, line = roots[clip, time, part], tips[clip, time, part] - roots[clip, time, part]
            reach = float(line.norm())
            unit, away = line / reach, place - root
            along, beside = float(away @ unit), float(away[0] * unit[1] - away[1] * unit[0])
            nearest = root + unit * min(max(along, 0.0), reach)
            radius = _RADII[part] * float(looks.radii[clip, part]) * (1 if programs.is_figure[clip] else 2.2)
            inside = radius - float((place - nearest).norm())
            depth = max(depth, inside)
            if inside > 0:
                scale, shift = 2 * float(looks.texture_scale[clip]), looks.texture_places[clip, part]
                cut = colour_of(textures[clip], along * scale + float(shift[0]), beside * scale + float(shift[1]))
                colour = cut * looks.tint[clip, part]
        assert float(depths[clip, time, row, column]) == pytest.approx(depth, abs=1e-5)
        if abs(depth) > 1e-5:
            assert torch.allclose(colours[clip, :, time, row, column], colour, atol=1e-4)


def test_textures_are_noise_of_four_sizes_enlarged() -> None:
    found = smooth_pictures(2, 20, torch.Generator().manual_seed(3), CPU)
    rng, total = torch.Generator().manual_seed(3), torch.zeros(2, 3, 20, 20)
    for cells, weight in ((3, 1.0), (7, 0.7), (17, 0.5), (39, 0.35)):
        grey, coloured = torch.rand(2, 1, cells, cells, generator=rng), torch.rand(2, 3, cells, cells, generator=rng)
        noise = 0.7 * grey + 0.3 * coloured - 0.5
        total += weight * F.interpolate(noise, size=(20, 20), mode="bicubic", align_corners=False)
    assert torch.allclose(found, (1.2 * total + 0.5).clamp(0, 1), atol=1e-5)
