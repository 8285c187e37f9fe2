"""Oriented motion energy: slow loops beside each formula, and what its parts tell apart on real files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rspnet_core.config import ClipGeometry
from rspnet_core.encoder import Encoder
from rspnet_core.errors import InvalidSetting, UnknownBackbone, WeightsError
from rspnet_core.explain.faithfulness import faithfulness
from rspnet_core.explain.similarity_maps import explained_by, explaining_head, pair_maps, projections
from rspnet_core.models import BackboneModel, create_model
from rspnet_core.models.energy import MOTION_SIZE, Energy
from rspnet_core.models.energy_maps import colour_shares, edge_energy, oriented_energy
from rspnet_core.models.features import clip_features
from rspnet_core.recognition.finetune import build_classifier
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.weights.checkpoint import load_checkpoint, save_checkpoint
from rspnet_core.weights.sources import load_encoder

NUMBERS = slice(0, 1136), slice(1136, 1776), slice(1776, 2272)
GEOMETRY = ClipGeometry(num_clips=3, frames_per_clip=16, size=80)
MODEL, SPEC = load_encoder(None, "energy")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def differences(picture: np.ndarray, y: int, x: int) -> tuple[float, float]:
    """Central differences to the right and downwards, the border continued."""
    height, width = picture.shape
    right = (picture[y, min(x + 1, width - 1)] - picture[y, max(x - 1, 0)]) / 2
    down = (picture[min(y + 1, height - 1), x] - picture[max(y - 1, 0), x]) / 2
    return float(right), float(down)


def energy_by_loops(grey: np.ndarray) -> np.ndarray:
    """(T, H, W) -> (8, T - 1, H, W), a place at a time, by angles."""
    times, height, width = grey.shape
    energy = np.zeros((8, times - 1, height, width))
    for t, y, x in np.ndindex(times - 1, height, width):
        change = float(grey[t + 1, y, x] - grey[t, y, x])
        right, down = differences((grey[t] + grey[t + 1]) / 2, y, x)
        slope = np.hypot(right, down)
        if slope == 0:
            continue
        angle = np.arctan2(-change * down, -change * right)
        for k in range(8):
            near = max(np.cos(angle - k * np.pi / 4), 0) ** 4 / 1.5
            energy[k, t, y, x] = abs(change) * near * slope**2 / (slope**2 + 0.005**2)
    return energy


def test_energy_equals_slow_loops() -> None:
    grey = noise(4, 6, 7)
    fast = oriented_energy(torch.from_numpy(grey)[None])[0]
    np.testing.assert_allclose(fast, energy_by_loops(grey), atol=1e-5)


def test_the_directions_share_out_the_whole_difference_where_there_is_texture() -> None:
    grey = torch.from_numpy(noise(1, 5, 20, 20))
    whole = (grey[:, 1:] - grey[:, :-1]).abs()
    assert float((oriented_energy(grey).sum(dim=1) - whole).abs().mean()) < 0.01 * float(whole.mean())


def test_edges_equal_slow_loops() -> None:
    picture = noise(6, 7)
    expected = np.zeros((4, 6, 7))
    for y, x in np.ndindex(6, 7):
        right, down = differences(picture, y, x)
        for k in range(4):
            near = np.cos(np.arctan2(down, right) - k * np.pi / 4) ** 4 / 1.5
            expected[k, y, x] = np.hypot(right, down) * near
    np.testing.assert_allclose(edge_energy(torch.from_numpy(picture)[None, None])[0, :, 0], expected, atol=1e-5)


def test_colours_are_interpolated_between_27_points() -> None:
    pixel = np.array([0.1, 0.75, 0.5], dtype=np.float32)
    expected = np.zeros((3, 3, 3))
    for place in np.ndindex(3, 3, 3):
        expected[place] = np.prod(
            [max(1 - 2 * abs(value - level / 2), 0) for value, level in zip(pixel, place, strict=True)]
        )
    shares = colour_shares(torch.from_numpy(pixel).view(1, 3, 1, 1, 1)).flatten()
    np.testing.assert_allclose(shares, expected.ravel(), atol=1e-6)
    assert float(shares.sum()) == pytest.approx(1)


def cells_by_loops(maps: np.ndarray, top: float, bottom: float, left: float, right: float, cells: int) -> np.ndarray:
    """(C, H, W) -> (C, cells, cells): each place goes to the cells that it overlaps, by the part that does."""
    found = np.zeros((len(maps), cells, cells))
    for i, j, y, x in np.ndindex(cells, cells, *maps.shape[1:]):
        high, wide = (bottom - top) / cells, (right - left) / cells
        rows = min(top + high * (i + 1), y + 1) - max(top + high * i, y)
        columns = min(left + wide * (j + 1), x + 1) - max(left + wide * j, x)
        if rows > 0 and columns > 0:
            found[:, i, j] += maps[:, y, x] * rows * columns
    return found


def resized_by_pooling(maps: torch.Tensor, side: int) -> torch.Tensor:
    """(B, C, T, H, W) -> (B, C, T, side, side): halves while they are large enough, then means of areas."""
    while min(maps.shape[3:]) >= 2 * side and maps.shape[3] % 2 == maps.shape[4] % 2 == 0:
        maps = F.avg_pool3d(maps, (1, 2, 2))
    return F.adaptive_avg_pool3d(maps, (maps.shape[2], side, side))


@pytest.mark.parametrize(("num_frames", "height", "width"), [(16, 96, 96), (16, 80, 80), (5, 112, 90), (3, 38, 30)])
def test_motion_maps_are_means_over_areas_and_times(num_frames: int, height: int, width: int) -> None:
    clips = torch.from_numpy(noise(2, 3, num_frames, height, width))
    small = resized_by_pooling(clips, min(40, height, width))
    energy = oriented_energy(0.299 * small[:, 0] + 0.587 * small[:, 1] + 0.114 * small[:, 2])
    times = F.adaptive_avg_pool3d(energy, (min(5, num_frames - 1), *energy.shape[3:]))
    expected = resized_by_pooling(times, 20)
    torch.testing.assert_close(Energy()(clips)[:, :8], expected, rtol=1e-4, atol=1e-6)


def motion_by_loops(clips: np.ndarray) -> np.ndarray:
    """Motion maps (N, 8, T, H, W) of a video's clips -> the video's motion part, as the module's head says it."""
    whole, aligned = [], []
    for clip in clips.mean(axis=2):
        size = clip.shape[-1]
        whole.append(cells_by_loops(clip, 0, size, 0, size, 4))
        energy, places = clip.sum(axis=0) / clip.sum(), np.arange(size) + 0.5
        y, x = (energy.sum(axis=1) * places).sum(), (energy.sum(axis=0) * places).sum()
        spread = ((energy.sum(axis=1) * (places - y) ** 2).sum() + (energy.sum(axis=0) * (places - x) ** 2).sum()) / 2
        reach = max(2 * np.sqrt(spread), size / 8)
        aligned.append(cells_by_loops(clip, y - reach, y + reach, x - reach, x + reach, 8))
    blocks = [np.sqrt(np.mean(block, axis=0).ravel() + 1e-7) for block in (whole, aligned)]
    return np.concatenate([np.sqrt(share) * b / np.linalg.norm(b) for share, b in zip((0.1, 0.9), blocks, strict=True)])


def test_motion_is_the_mean_over_clips_then_the_square_root_then_unit_length() -> None:
    maps = noise(3, 39, 2, 20, 20)
    maps[:, :, :, :12] *= 0.05  # an uneven place and spread
    vectors = MODEL.vectors(torch.from_numpy(maps), "mean")
    np.testing.assert_allclose(vectors.video[NUMBERS[1]], motion_by_loops(maps[:, :8].astype(float)), atol=2e-4)
    np.testing.assert_allclose(vectors.clips[1, NUMBERS[1]], motion_by_loops(maps[1:2, :8].astype(float)), atol=2e-4)


def test_the_motion_alone_is_that_of_the_whole_encoder() -> None:
    clips = np.random.default_rng(0).integers(0, 256, (3, 16, 80, 80, 3), dtype=np.uint8)
    whole = MODEL.vectors(clip_features(MODEL, clips, SPEC.normalisation), "mean").video[NUMBERS[1]]
    alone = Energy().motion_vector(torch.from_numpy(clips))
    np.testing.assert_allclose(alone, whole, atol=1e-4)
    with pytest.raises(InvalidSetting, match="at least 2 frames"):
        Energy().motion_vector(torch.from_numpy(clips[:, :1]))


def test_the_backbone_is_both_parts_side_by_side_motion_counting_seven_tenths() -> None:
    video = MODEL.vectors(torch.from_numpy(noise(2, 39, 5, 20, 20)), "mean").video.numpy()
    backbone, motion, appearance = (video[part] for part in NUMBERS)
    np.testing.assert_allclose(backbone, [*(0.7**0.5 * motion), *(0.3**0.5 * appearance)], atol=1e-6)
    assert [np.linalg.norm(part) for part in (backbone, motion, appearance)] == pytest.approx([1, 1, 1])


# On files


def film(path: Path, *, step: int, look: int = 0, gain: float = 1.0, offset: float = 0.0) -> Path:
    """A textured square that moves ``step`` pixels a frame over a plain background; 32 frames."""
    square = np.kron(noise(10, 10, 3, seed=look), np.ones((4, 4, 1), np.float32))
    frames = np.full((32, 96, 128, 3), 0.4, np.float32)
    for number, frame in enumerate(frames):
        left = 44 + step * (number - 16)
        frame[28:68, left : left + 40] = square
    pixels = np.clip((frames * gain + offset) * 255, 0, 255).astype(np.uint8)
    write_video(path, list(pixels), fps=25)
    return path


def parts_of(path: Path) -> tuple[np.ndarray, ...]:
    clips = read_clips(path, GEOMETRY).frames
    video = MODEL.vectors(clip_features(MODEL, clips, SPEC.normalisation), "mean").video.numpy()
    return tuple(video[part] for part in NUMBERS)


def test_left_and_right_differ_in_motion_and_hardly_in_appearance(tmp_path: Path) -> None:
    _, left, look_left = parts_of(film(tmp_path / "left.mp4", step=-2))
    _, right, look_right = parts_of(film(tmp_path / "right.mp4", step=2))
    _, other, look_other = parts_of(film(tmp_path / "other.mp4", step=2, look=1))
    assert right @ other > right @ left + 0.2
    assert look_left @ look_right > look_right @ look_other


def test_brightness_and_contrast_leave_motion_nearly_as_it_was(tmp_path: Path) -> None:
    _, plain, _ = parts_of(film(tmp_path / "plain.mp4", step=2))
    _, darker, _ = parts_of(film(tmp_path / "darker.mp4", step=2, gain=0.7, offset=0.1))
    assert plain @ darker > 0.99


def test_a_still_video_gets_finite_vectors_of_unit_length(tmp_path: Path) -> None:
    for part in parts_of(film(tmp_path / "still.mp4", step=0)):
        assert np.isfinite(part).all() and np.linalg.norm(part) == pytest.approx(1, abs=1e-4)
    write_video(tmp_path / "one.mp4", [np.full((64, 64, 3), 90, np.uint8)], fps=25)
    assert all(np.isfinite(part).all() for part in parts_of(tmp_path / "one.mp4"))


@pytest.mark.parametrize("size", [(4, 3, 2, 16, 16), (1, 3, 8, 112, 112), (2, 3, 16, 41, 67)])
def test_clips_of_other_sizes_give_vectors_of_the_same_length(size: tuple[int, ...]) -> None:
    vectors = MODEL.vectors(MODEL.features(torch.from_numpy(noise(*size))), "max-mean")
    assert vectors.clips.shape == (size[0], 2272) and bool(vectors.video.isfinite().all())


# Maps


@pytest.mark.parametrize("head", ["motion", "appearance"])
def test_the_mean_of_a_map_is_the_cosine(head: str) -> None:
    first, second = torch.from_numpy(noise(2, 39, 5, 20, 20)).pow(6)
    explained = explaining_head(MODEL, head)
    maps = pair_maps(first, second, explained)
    units = projections(torch.stack([first, second]), explained)
    assert maps.cosine == pytest.approx(float(units[0] @ units[1]), abs=1e-6)
    for values in (maps.first, maps.second):
        assert values.shape == (5, 20, 20) and float(values.mean()) == pytest.approx(maps.cosine, abs=1e-5)


def test_the_motion_map_lies_where_things_move_and_hiding_that_counts(tmp_path: Path) -> None:
    clips = [read_clips(film(tmp_path / f"{look}.mp4", step=2, look=look), GEOMETRY).frames[1] for look in (0, 1)]
    first, second = (clip_features(MODEL, clip[None], SPEC.normalisation)[0] for clip in clips)
    cells = pair_maps(first, second, explaining_head(MODEL, "motion")).first.mean(dim=0)
    moving = first[:8].sum(dim=(0, 1)) > 1e-3
    assert float(cells[moving].sum() / cells.sum()) > 0.95 and float(moving.float().mean()) < 0.5
    assert faithfulness(MODEL, SPEC.normalisation, *clips, "motion").beaten_share >= 0.9


def test_both_parts_explain_it_though_it_has_no_heads() -> None:
    assert explained_by(MODEL) == ("motion", "appearance")


# In the registry


def test_it_is_neither_trained_nor_untrained_and_its_copy_is_the_same(tmp_path: Path) -> None:
    assert (SPEC.trained, SPEC.head, SPEC.source) == (None, "none", "no weights")
    assert list(MODEL.part_sizes.items()) == [("backbone", 1136), ("motion", MOTION_SIZE), ("appearance", 496)]
    save_checkpoint(MODEL, SPEC, tmp_path / "copy.safetensors")
    copy, spec = load_checkpoint(tmp_path / "copy.safetensors")
    assert isinstance(copy, BackboneModel) and isinstance(copy.backbone, Energy) and spec == SPEC


def test_nothing_of_it_can_be_trained_or_given_away(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackbone, match=r"'energy', which takes no heads; have .*resnet18.*choose one"):
        create_model("energy")
    with pytest.raises(InvalidSetting, match=r"energy, which has no weights: only networks are fine-tuned.*probe"):
        build_classifier(FinetuneRecipe(backbone="energy"), 3, 10)
    with pytest.raises(InvalidSetting, match=r"energy, which has no weights to save.*--backbone energy"):
        Encoder(MODEL, SPEC).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="no weights file"):
        load_encoder(str(tmp_path / "none"), "energy")
