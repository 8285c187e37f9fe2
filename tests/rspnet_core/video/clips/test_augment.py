"""Augmentation against torchvision's functions, and what its draws promise."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from rspnet_core.config import Augmentation, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.video.clips.augment import apply, axis_matrices, colour_matrices
from rspnet_core.video.clips.draws import Draw, Draws, draw, draw_many

SIDE = 64
PLAIN = Normalisation(mean=(0, 0, 0), std=(1, 1, 1))


def picture(seed: int = 0, frames: int = 2) -> Tensor:
    """Smooth random frames uint8 (1, T, SIDE, SIDE, 3)."""
    noise = torch.rand(frames, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(noise, size=(SIDE, SIDE), mode="bicubic").clamp(0.1, 0.9)
    return (large * 255).round().byte().permute(0, 2, 3, 1)[None]


def as_images(frames: Tensor) -> Tensor:
    return frames[0].permute(0, 3, 1, 2).float() / 255  # (T, 3, H, W)


def augmented(frames: Tensor, chosen: Draw, size: int) -> Tensor:
    return apply(frames, [chosen], size, PLAIN)[0].transpose(0, 1)  # (T, 3, size, size)


def test_without_changes_only_the_normalisation_remains() -> None:
    got = apply(picture(), [Draw()], SIDE, Normalisation())[0].transpose(0, 1)
    expected = tv.normalize(as_images(picture()), Normalisation().mean, Normalisation().std)
    assert torch.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("size", [20, 32, 48])
def test_cropping_and_resizing_is_torchvisions(size: int) -> None:
    chosen = Draw(left=8 / SIDE, top=4 / SIDE, width=32 / SIDE, height=48 / SIDE)
    cut = as_images(picture())[:, :, 4:52, 8:40]
    expected = tv.resize(cut, [size, size], antialias=True)
    # At the crop's border torchvision sees the cut picture alone, here the pixels beyond it are there.
    inner = slice(2, -2)
    got = augmented(picture(), chosen, size)
    assert torch.allclose(got[:, :, inner, inner], expected[:, :, inner, inner], atol=0.02)


def test_flipping_is_torchvisions() -> None:
    got = augmented(picture(), Draw(is_flipped=True), SIDE)
    assert torch.allclose(got, tv.horizontal_flip(as_images(picture())), atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.0])
def test_blur_is_torchvisions(sigma: float) -> None:
    got = augmented(picture(), Draw(blur_sigma=sigma * 224 / SIDE), SIDE)
    expected = tv.gaussian_blur(as_images(picture()), kernel_size=[7, 7], sigma=[sigma, sigma])
    assert torch.allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("factor", [0.6, 0.9, 1.3])
def test_colours_are_torchvisions(factor: float) -> None:
    images = as_images(picture(frames=1))
    for chosen, expected in (
        (Draw(brightness=factor), tv.adjust_brightness(images, factor)),
        (Draw(contrast=factor), tv.adjust_contrast(images, factor)),
        (Draw(saturation=factor), tv.adjust_saturation(images, factor)),
        (Draw(saturation=0), tv.rgb_to_grayscale(images, num_output_channels=3)),
    ):
        assert torch.allclose(augmented(picture(frames=1), chosen, SIDE), expected, atol=2e-3)


@given(turn=st.floats(-0.5, 0.5))
def test_a_turn_of_the_hue_keeps_greys_and_their_brightness(turn: float) -> None:
    matrix = colour_matrices(Draws.of([Draw(hue_turns=turn)]))[0].numpy().astype(float)
    assert np.allclose(matrix @ np.ones(3), 1, atol=1e-5)
    assert np.allclose(np.array([0.299, 0.587, 0.114]) @ matrix, [0.299, 0.587, 0.114], atol=1e-3)


def test_all_frames_of_a_clip_are_changed_alike() -> None:
    still = picture(frames=1).expand(1, 5, SIDE, SIDE, 3)
    rng = np.random.default_rng(0)
    for _ in range(5):
        got = augmented(still, draw(rng, Augmentation(), 1.5), 40)
        assert torch.allclose(got, got[:1].expand_as(got), atol=1e-6)


def axis_by_hand(chosen: Draw, start: float, extent: float, source: int, size: int) -> np.ndarray:
    """One clip's matrix, pixel by pixel in float64."""
    scale = extent * source / size
    matrix = np.zeros((size, source))
    for new in range(size):
        centre = min(max(start * source + (new + 0.5) * scale, 0.5), source - 0.5)
        for old in range(source):
            matrix[new, old] = max(0.0, 1 - abs(old + 0.5 - centre) / max(scale, 1))
        matrix[new] /= matrix[new].sum()
    if chosen.blur_sigma == 0:
        return matrix
    reach = max(int(0.1 * size) // 2, 1)
    blurred = np.zeros_like(matrix)
    sigma = chosen.blur_sigma * size / 224
    weights = {step: np.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)}
    for new in range(size):
        for step, weight in weights.items():
            place = abs(new + step)
            blurred[new] += weight / sum(weights.values()) * matrix[size - 1 - abs(size - 1 - place)]
    return blurred


@given(seed=st.integers(0, 10**6), source=st.integers(8, 40), size=st.integers(8, 40))
def test_the_matrices_of_many_clips_are_those_made_pixel_by_pixel(seed: int, source: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = [draw(rng, Augmentation(), 1.4) for _ in range(3)]
    rows, columns = (
        axis_matrices(Draws.of(chosen), "y", source, size),
        axis_matrices(Draws.of(chosen), "x", source, size),
    )
    for one, row, column in zip(chosen, rows, columns, strict=True):
        by_hand = axis_by_hand(one, one.left, one.width, source, size)
        assert np.allclose(row, axis_by_hand(one, one.top, one.height, source, size), atol=1e-4)
        assert np.allclose(column.flip(0) if one.is_flipped else column, by_hand, atol=1e-4)


@given(aspect=st.floats(0.2, 5), seed=st.integers(0, 10**6))
def test_many_draws_at_once_are_inside_as_single_ones_are(aspect: float, seed: int) -> None:
    many = draw_many(np.random.default_rng(seed), Augmentation(), np.full(20, aspect))
    assert min(many.left.min(), many.top.min()) >= 0
    assert max((many.left + many.width).max(), (many.top + many.height).max()) <= 1 + 1e-6
    shapes = many.width * aspect / many.height
    assert 3 / 4 - 1e-4 <= shapes.min() <= shapes.max() <= 4 / 3 + 1e-4


def test_many_draws_at_once_are_distributed_as_single_ones() -> None:
    settings, aspects = Augmentation(min_crop_area=0.3), np.full(4000, 1.4)
    rng = np.random.default_rng(0)
    single = Draws.of([draw(rng, settings, 1.4) for _ in aspects])
    many = draw_many(np.random.default_rng(1), settings, aspects)
    for name, one, other in zip(Draws._fields, single, many, strict=True):
        spread = max(float(one.std()), 1e-3)
        assert abs(float(one.mean() - other.mean())) < 0.1 * spread, name
        assert abs(float(one.std() - other.std())) < 0.1 * spread, name


@given(aspect=st.floats(0.2, 5), seed=st.integers(0, 10**6))
def test_crops_lie_inside_and_keep_their_shape(aspect: float, seed: int) -> None:
    chosen = draw(np.random.default_rng(seed), Augmentation(min_crop_area=0.2), aspect)
    assert 0 <= chosen.left <= chosen.left + chosen.width <= 1 + 1e-9
    assert 0 <= chosen.top <= chosen.top + chosen.height <= 1 + 1e-9
    assert 3 / 4 - 1e-6 <= chosen.width * aspect / chosen.height <= 4 / 3 + 1e-6


def test_the_same_generator_draws_the_same_and_flips_can_be_left_out() -> None:
    first, second = (draw(np.random.default_rng((1, 2)), Augmentation(), 1.3) for _ in range(2))
    assert first == second
    rng = np.random.default_rng(0)
    assert not any(draw(rng, Augmentation(flip=False), 1.3).is_flipped for _ in range(50))


def test_what_is_no_batch_of_frames_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="N draws"):
        apply(picture(), [Draw(), Draw()], 32, PLAIN)
    with pytest.raises(InvalidSetting, match="uint8"):
        apply(picture().float(), [Draw()], 32, PLAIN)
