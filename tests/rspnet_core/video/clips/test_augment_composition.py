"""Augmentations at borders and one after another, against torchvision; what a draw depends on."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from rspnet_core.config import Augmentation, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.video.clips.augment import apply
from rspnet_core.video.clips.draws import Draw, draw

PLAIN = Normalisation(mean=(0, 0, 0), std=(1, 1, 1))
HARD = Augmentation(jitter_probability=1, blur_probability=1)


def noise(clips: int = 1, frames: int = 3, height: int = 48, width: int = 64, seed: int = 0) -> Tensor:
    """uint8 (N, T, H, W, 3) in which every pixel is another, in the middle of the range."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(60, 190, (clips, frames, height, width, 3), dtype=torch.uint8, generator=generator)


def as_images(frames: Tensor) -> Tensor:
    return frames[0].permute(0, 3, 1, 2).float() / 255  # (T, 3, H, W)


def augmented(frames: Tensor, chosen: Draw, size: int) -> Tensor:
    return apply(frames, [chosen], size, PLAIN)[0].transpose(0, 1)  # (T, 3, size, size)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (64, 48), (33, 57), (16, 16)])
@pytest.mark.parametrize("size", [16, 31, 48, 100])
def test_whole_frames_are_resized_as_torchvision_does_up_to_the_border(height: int, width: int, size: int) -> None:
    frames = noise(height=height, width=width)
    expected = tv.resize(as_images(frames), [size, size], antialias=True)
    assert torch.allclose(augmented(frames, Draw(), size), expected, atol=1e-5)


@pytest.mark.parametrize(("top", "left", "height", "width"), [(4, 8, 32, 40), (0, 0, 24, 32), (24, 16, 24, 48)])
@pytest.mark.parametrize("size", [16, 24, 40, 80])
def test_crops_are_resized_as_torchvision_does_inside(top: int, left: int, height: int, width: int, size: int) -> None:
    box = Draw(left=left / 64, top=top / 48, width=width / 64, height=height / 48)
    expected = tv.resized_crop(as_images(noise()), top, left, height, width, [size, size], antialias=True)
    rim = int(np.ceil(max(1, size / min(height, width))))  # there the pixels beyond the box are seen, and rightly
    inner = slice(rim, -rim)
    got = augmented(noise(), box, size)
    assert torch.allclose(got[..., inner, inner], expected[..., inner, inner], atol=1e-5)


def test_a_crop_of_the_clips_size_on_pixel_borders_is_the_pixels_themselves() -> None:
    box = Draw(left=8 / 64, top=4 / 48, width=32 / 64, height=32 / 48)
    assert torch.allclose(augmented(noise(), box, 32), as_images(noise())[..., 4:36, 8:40], atol=1e-6)


def test_a_flipped_crop_is_the_flip_of_the_crop() -> None:
    box = Draw(left=0.1, top=0.3, width=0.5, height=0.6, blur_sigma=6.0)
    straight = augmented(noise(), box, 40)
    assert torch.allclose(
        augmented(noise(), replace(box, is_flipped=True), 40), tv.horizontal_flip(straight), atol=1e-6
    )


@pytest.mark.parametrize(("size", "kernel"), [(112, 11), (64, 7), (40, 5), (16, 3)])
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
def test_blur_follows_resizing_with_a_kernel_of_a_tenth_of_the_clip(size: int, kernel: int, sigma: float) -> None:
    sharp = augmented(noise(), Draw(), size)
    expected = tv.gaussian_blur(sharp, kernel_size=[kernel, kernel], sigma=[sigma, sigma])
    assert torch.allclose(augmented(noise(), Draw(blur_sigma=sigma * 224 / size), size), expected, atol=1e-4)


def test_colours_change_in_the_order_brightness_contrast_saturation_by_the_mean_grey_of_the_whole_clip() -> None:
    frames = torch.cat([noise(frames=1) // 2, noise(frames=1)], dim=1)  # a dark and a bright frame
    bright = tv.adjust_brightness(as_images(frames), 1.1)
    mean = tv.rgb_to_grayscale(bright).mean()  # torchvision takes that of each frame
    contrasted = 0.8 * bright + 0.2 * mean
    expected = tv.adjust_saturation(contrasted, 0.6)
    got = apply(frames, [Draw(brightness=1.1, contrast=0.8, saturation=0.6)], 64, PLAIN)[0].transpose(0, 1)
    assert torch.allclose(got, tv.resize(expected, [64, 64], antialias=True), atol=2e-3)


def test_contrast_of_a_clip_keeps_its_mean_and_its_frames_order_of_brightness() -> None:
    frames = torch.cat([noise(frames=1) // 2, noise(frames=1)], dim=1)
    before, after = augmented(frames, Draw(), 48), augmented(frames, Draw(contrast=0.5), 48)
    greys = [tv.rgb_to_grayscale(images).mean(dim=(1, 2, 3)) for images in (before, after)]
    assert greys[1].mean().item() == pytest.approx(greys[0].mean().item(), abs=1e-4)
    assert (greys[1][1] - greys[1][0]).item() == pytest.approx(0.5 * (greys[0][1] - greys[0][0]).item(), abs=1e-4)


def test_colours_out_of_range_are_cut_off() -> None:
    got = apply(noise(), [Draw(brightness=3, saturation=3)], 32, PLAIN)
    assert got.min() >= 0
    assert got.max() == 1


@settings(deadline=None, max_examples=25)
@given(turn=st.floats(-0.5, 0.5), level=st.integers(0, 255))
def test_hue_leaves_grey_clips_as_they_are(turn: float, level: int) -> None:
    grey = torch.full((1, 2, 16, 16, 3), level, dtype=torch.uint8)
    assert torch.allclose(augmented(grey, Draw(hue_turns=turn), 16), as_images(grey), atol=1e-5)


def test_grey_clips_have_three_equal_channels_whatever_their_hue() -> None:
    got = augmented(noise(), Draw(saturation=0, hue_turns=0.2, contrast=0.8), 48)
    assert torch.allclose(got, got[:, :1].expand_as(got), atol=1e-5)


def test_normalisation_comes_last() -> None:
    chosen = Draw(brightness=1.2, is_flipped=True)
    plain = augmented(noise(), chosen, 32)
    expected = tv.normalize(plain, Normalisation().mean, Normalisation().std)
    assert torch.allclose(apply(noise(), [chosen], 32, Normalisation())[0].transpose(0, 1), expected, atol=1e-5)


def test_a_clip_does_not_depend_on_the_clips_beside_it() -> None:
    frames, rng = noise(clips=4), np.random.default_rng(0)
    draws = [draw(rng, HARD, 1.3) for _ in range(4)]
    together = apply(frames, draws, 32, Normalisation())
    for place, chosen in enumerate(draws):
        alone = apply(frames[place : place + 1], [chosen], 32, Normalisation())
        assert torch.allclose(together[place], alone[0], atol=1e-5)


def test_frames_keep_their_order_and_the_input_stays_as_it_is() -> None:
    frames = torch.cat([torch.full((1, 1, 20, 20, 3), level, dtype=torch.uint8) for level in (10, 200, 90)], dim=1)
    before = frames.clone()
    got = apply(frames, [Draw(left=0.1, width=0.7)], 16, PLAIN)
    assert torch.allclose(got.mean(dim=(0, 1, 3, 4)) * 255, torch.tensor([10.0, 200.0, 90.0]), atol=1e-3)
    assert frames.equal(before)


@pytest.mark.parametrize("seed", range(6))
def test_still_clips_stay_still(seed: int) -> None:
    still = noise(frames=1).expand(1, 6, 48, 64, 3)
    got = augmented(still, draw(np.random.default_rng(seed), HARD, 1.8), 40)
    assert torch.allclose(got, got[:1].expand_as(got), atol=1e-6)


def test_draws_depend_on_their_generator_and_no_global_one() -> None:
    drawn = []
    for seed in (0, 1):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        drawn.append([draw(np.random.default_rng((3, n)), HARD, 1.5) for n in range(5)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 5


def test_leaving_flips_out_changes_nothing_else_of_a_draw() -> None:
    with_flips, without = (
        [draw(np.random.default_rng(n), Augmentation(flip=flip), 1.5) for n in range(40)] for flip in (True, False)
    )
    assert 8 < sum(chosen.is_flipped for chosen in with_flips) < 32
    assert [replace(chosen, is_flipped=False) for chosen in with_flips] == without


def test_draws_stay_within_the_settings() -> None:
    chosen = Augmentation(jitter=0.3, jitter_hue=0.05, blur_sigma=(0.5, 1.5))
    drawn = [draw(np.random.default_rng(n), chosen, 4 / 3) for n in range(300)]
    jittered = [one for one in drawn if one.brightness != 1]
    assert len(jittered) / 300 == pytest.approx(0.8, abs=0.1)
    assert all(0.7 <= value <= 1.3 for one in jittered for value in (one.brightness, one.contrast))
    assert all(one.saturation == 0 or 0.7 <= one.saturation <= 1.3 for one in jittered)
    assert all(-0.05 <= one.hue_turns <= 0.05 for one in jittered)
    assert sum(one.saturation == 0 for one in drawn) / 300 == pytest.approx(0.2, abs=0.08)
    blurred = [one.blur_sigma for one in drawn if one.blur_sigma]
    assert len(blurred) / 300 == pytest.approx(0.5, abs=0.1)
    assert 0.5 <= min(blurred) <= max(blurred) <= 1.5


def test_probabilities_of_0_leave_colours_and_sharpness_alone() -> None:
    off = Augmentation(flip=False, jitter_probability=0, grey_probability=0, blur_probability=0, min_crop_area=1)
    assert draw(np.random.default_rng(0), off, 1.0) == Draw()


@settings(deadline=None)
@given(aspect=st.floats(0.2, 5), min_area=st.floats(0.01, 1), seed=st.integers(0, 10**6))
def test_crops_lie_inside_keep_the_pixel_aspect_and_cover_enough(aspect: float, min_area: float, seed: int) -> None:
    box = draw(np.random.default_rng(seed), Augmentation(min_crop_area=min_area), aspect)
    assert 0 <= box.left <= box.left + box.width <= 1 + 1e-9
    assert 0 <= box.top <= box.top + box.height <= 1 + 1e-9
    assert 3 / 4 - 1e-6 <= box.width * aspect / box.height <= 4 / 3 + 1e-6
    ratio = min(max(aspect, 3 / 4), 4 / 3)
    largest = min(1, ratio / aspect) * min(1, aspect / ratio)  # of any box of an allowed shape
    assert box.width * box.height >= min(min_area, largest) - 1e-9


@pytest.mark.parametrize(
    "frames",
    [noise()[0], noise()[..., :2], noise().permute(0, 4, 1, 2, 3), noise().float(), noise().short(), noise(clips=2)],
    ids=["4 axes", "2 channels", "channels first", "floats", "int16", "two clips"],
)
def test_what_is_no_batch_of_one_clip_is_refused(frames: Tensor) -> None:
    with pytest.raises(InvalidSetting, match="needed is uint8"):
        apply(frames, [Draw()], 16, PLAIN)
