from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.ingest import encoder as encoder_module
from indexer.ingest.encoder import ClipEncoder, choose_device
from rspnet_core.errors import DeviceUnavailable
from rspnet_core.weights.checkpoint import load_checkpoint
from rspnet_core.weights.tensors import tensors_sha256
from tests.conftest import SMALL_CLIPS


@pytest.fixture
def make(small_weights: Path):
    model, spec = load_checkpoint(small_weights)

    def build(device: str = "cpu", **changes: object) -> ClipEncoder:
        pooling, frames = changes.pop("pooling", "max-mean"), changes.pop("frames", "original")
        geometry = spec.geometry.model_copy(update=changes)
        changed = spec.model_copy(update={"geometry": geometry})
        return ClipEncoder(model, changed, pooling=pooling, device=torch.device(device), frames=frames)

    return build


def videos(count: int) -> list[np.ndarray]:
    shape = (SMALL_CLIPS.num_clips, SMALL_CLIPS.frames_per_clip, SMALL_CLIPS.size, SMALL_CLIPS.size, 3)
    return [np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8) for seed in range(count)]


def test_vectors_are_those_of_the_model_on_normalised_clips(
    make, small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "choose_precision", lambda device: torch.float32)
    (video,) = videos(1)
    (got,) = make().encode([video])
    assert got.probabilities is None
    model, spec = load_checkpoint(small_weights)
    pixels = (video / 255.0 - spec.normalisation.mean) / spec.normalisation.std
    clips = torch.from_numpy(pixels).permute(0, 4, 1, 2, 3).float()
    with torch.no_grad():
        out = model(clips)
    pooled = out.features.amax(dim=(3, 4)).mean(dim=2)
    expected = torch.cat([pooled / pooled.norm(dim=1, keepdim=True), out.motion, out.appearance], dim=1)
    np.testing.assert_allclose(got.vectors, expected.numpy(), atol=1e-5)


def test_videos_of_one_pass_get_the_vectors_of_passes_of_their_own(make) -> None:
    encoder, pair = make(), videos(2)
    for together, alone in zip(encoder.encode(pair), [encoder.encode([video])[0] for video in pair], strict=True):
        cosine = (together.vectors * alone.vectors).sum(axis=1) / 3  # three parts of unit length
        np.testing.assert_allclose(cosine, 1, atol=1e-3)


def test_the_model_given_is_left_as_it_was(small_weights: Path) -> None:
    model, spec = load_checkpoint(small_weights)
    ClipEncoder(model, spec, device=torch.device("cpu")).encode(videos(1))
    assert tensors_sha256(model.state_dict()) == spec.sha256


def test_the_fingerprint_changes_with_all_that_changes_vectors(make, monkeypatch: pytest.MonkeyPatch) -> None:
    prints = [
        make().fingerprint,
        make(pooling="mean").fingerprint,
        make(fps=25.0).fingerprint,
        make(size=48).fingerprint,
        make(frames="reduced").fingerprint,
    ]
    monkeypatch.setitem(encoder_module.DECODERS, "original", "another way of reading")
    prints.append(make().fingerprint)
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize("name", ["cuda:63", "tpu", "mps", "", "cpu:x"])
def test_an_absent_device_is_named(name: str) -> None:
    with pytest.raises(DeviceUnavailable, match=r"device"):
        choose_device(name)


@pytest.mark.gpu
def test_a_gpu_gives_the_vectors_of_the_cpu(make) -> None:
    on_cpu, on_gpu = (make(device).encode(videos(2)) for device in ("cpu", "cuda"))
    for a, b in zip(on_cpu, on_gpu, strict=True):
        np.testing.assert_allclose((a.vectors * b.vectors).sum(axis=1) / 3, 1, atol=2e-3)
