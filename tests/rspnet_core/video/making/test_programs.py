"""Rendered motion: what a program says is what moves, at exactly the speed that is asked for."""

import pytest
import torch
from torch import Tensor

from rspnet_core.video.making.programs import (
    Chance,
    Looks,
    Programs,
    draw_chance,
    draw_looks,
    draw_programs,
    render,
    smooth_pictures,
)

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
