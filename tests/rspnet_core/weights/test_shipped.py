"""The weights that come with the package."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from rspnet_core.errors import WeightsError
from rspnet_core.models.features import clip_features
from rspnet_core.weights import shipped
from rspnet_core.weights.checkpoint import load_checkpoint, save_checkpoint
from rspnet_core.weights.shipped import DEFAULT, load_shipped
from rspnet_core.weights.sources import load_encoder


def test_without_any_name_the_shipped_encoder_is_taken() -> None:
    model, spec = load_encoder(None, None)
    assert spec == load_shipped(DEFAULT)[1]
    assert (spec.backbone, spec.trained, set(model.heads)) == ("small18", True, {"motion", "appearance"})
    assert "rspnet:small" in spec.source


@pytest.mark.parametrize(("weights", "backbone", "expected"), [("none", None, "resnet18"), (None, "tsm18", "tsm18")])
def test_an_untrained_encoder_is_there_by_name(weights: str | None, backbone: str | None, expected: str) -> None:
    _, spec = load_encoder(weights, backbone)
    assert (spec.backbone, spec.trained) == (expected, False)


def test_another_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(WeightsError, match="have rspnet:small"):
        load_encoder("rspnet:large", None)
    with pytest.raises(WeightsError, match="have rspnet:small"):
        load_encoder("rspnet:../small", None)
    with pytest.raises(WeightsError, match="not resnet18"):
        load_encoder("rspnet:small", "resnet18")


def test_the_file_is_small_and_half_precise_and_its_card_tells_what_it_is() -> None:
    folder = shipped.FOLDER
    file = folder / "small.safetensors"
    assert file.stat().st_size < 30e6
    with safe_open(file, framework="pt") as tensors:
        assert tensors.get_tensor("backbone.conv1.weight").dtype == torch.float16
    card = (folder / "CARD.md").read_text()
    assert load_shipped(DEFAULT)[1].sha256 in card
    for word in ("UCF101", "licence", "motion-gpu", "Limits"):
        assert word in card


def test_half_precise_weights_give_the_vectors_of_the_full_ones(tmp_path) -> None:  # type: ignore[no-untyped-def]
    model, spec = load_encoder("none", "tsm18")
    save_checkpoint(model, spec, tmp_path / "full.safetensors")
    save_checkpoint(model.half(), spec, tmp_path / "half.safetensors")
    clips = np.random.default_rng(0).integers(0, 255, (2, 8, 48, 48, 3), dtype=np.uint8)
    full, half = (
        clip_features(load_checkpoint(tmp_path / f"{name}.safetensors")[0], clips, spec.normalisation)
        for name in ("full", "half")
    )
    assert half.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(full.flatten(1), half.flatten(1)).min() > 0.9999


def test_a_half_precise_file_is_the_encoder_that_its_full_copy_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """A library keeps a copy: its next build must find the encoder that the first one had."""
    model, spec = load_encoder(None, None)
    save_checkpoint(model, spec, tmp_path / "copy.safetensors")
    assert load_checkpoint(tmp_path / "copy.safetensors")[1].sha256 == spec.sha256


def test_it_tells_a_motion_from_another_whatever_moves() -> None:
    """A disc that swings against one that jumps, in two colours each: the motion head goes by the motion."""
    model, spec = load_encoder(None, None)
    places = {
        "swing": [(24 + int(14 * np.sin(n * 0.8)), 24) for n in range(16)],
        "jump": [(24, 24 + int(14 * np.sin(n * 0.8))) for n in range(16)],
    }
    y, x = np.mgrid[0:48, 0:48]

    def clip(motion: str, colour: tuple[int, int, int], ground: int) -> np.ndarray:
        frames = np.full((16, 48, 48, 3), ground, np.uint8)
        for frame, (left, top) in zip(frames, places[motion], strict=True):
            frame[np.hypot(x - left, y - top) < 8] = colour
        return frames.repeat(2, axis=1).repeat(2, axis=2)

    looks = ((220, 60, 40), 90), ((40, 200, 90), 180)
    clips = np.stack([clip(motion, *look) for motion in places for look in looks])
    with torch.inference_mode():
        pixels = torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float() / 255
        mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in spec.normalisation.model_dump().values())
        motion = model((pixels - mean) / std).motion
    similar = motion @ motion.T
    assert min(similar[0, 1], similar[2, 3]) > max(similar[0, 2], similar[1, 3])
