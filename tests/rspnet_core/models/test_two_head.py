import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.errors import InvalidSetting
from rspnet_core.models import TwoHeadModel, TwoHeadOutput, create_model


@torch.inference_mode()
def test_small_clips_give_finite_features_and_unit_vectors(model: TwoHeadModel, out: TwoHeadOutput) -> None:
    assert out.features.shape[:2] == (2, model.channels)
    for vectors in (out.motion, out.appearance):
        assert vectors.shape == (2, 128)
        assert torch.allclose(vectors.norm(dim=1), torch.ones(2))
    assert out.features.isfinite().all()
    assert out.features.std() > 1e-3  # the signal of an untrained network neither dies nor explodes
    assert out.features.std() < 1e3
    assert not torch.allclose(out.motion[0], out.motion[1], atol=1e-4)


@torch.inference_mode()
def test_heads_act_on_the_mean_of_the_feature_map(model: TwoHeadModel, out: TwoHeadOutput) -> None:
    for name, vectors in (("motion", out.motion), ("appearance", out.appearance)):
        head = model.heads[name]
        cells = out.features.flatten(2)
        for clip in range(2):
            mean = sum(cells[clip, :, cell] for cell in range(cells.shape[2])) / cells.shape[2]
            projected = head.weight @ mean + head.bias
            assert torch.allclose(vectors[clip], projected / projected.square().sum().sqrt(), atol=1e-5)


@torch.inference_mode()
def test_a_clip_does_not_depend_on_its_batch(model: TwoHeadModel, clips: Tensor, out: TwoHeadOutput) -> None:
    together, alone = out.features, model.features(clips[1:])
    assert torch.allclose(together[1:], alone, rtol=1e-4, atol=1e-4 * alone.abs().max().item())


@pytest.mark.slow
@torch.inference_mode()
def test_channels_last_bf16_keeps_the_features_and_computes_heads_in_float32(
    model: TwoHeadModel, clips: Tensor
) -> None:
    clip = clips[:1, :, :, :48, :48]  # one and small: CPUs without bfloat16 take seconds for each
    expected = model(clip)
    fast = copy.deepcopy(model).bfloat16()
    for parameter in fast.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last_3d)
    out = fast(clip.bfloat16().contiguous(memory_format=torch.channels_last_3d))
    assert out.features.dtype == torch.bfloat16
    assert F.cosine_similarity(out.features.float().flatten(1), expected.features.flatten(1)).min() > 0.98
    assert out.motion.dtype == out.appearance.dtype == torch.float32
    assert torch.allclose(out.motion.norm(dim=1), torch.ones(1), atol=1e-6)


@pytest.mark.slow
@torch.inference_mode()
def test_autocast_leaves_the_heads_in_float32(clips: Tensor) -> None:
    model = create_model("tsm18", seed=0).eval()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(clips)
    assert out.features.dtype == torch.bfloat16
    assert out.motion.dtype == torch.float32


def test_every_parameter_receives_a_gradient(model: TwoHeadModel, clips: Tensor) -> None:
    trained = copy.deepcopy(model)
    out = trained(clips[:1])
    (out.motion[:, 0] + out.appearance[:, 0]).sum().backward()
    assert [name for name, parameter in trained.named_parameters() if parameter.grad is None] == []


@torch.inference_mode()
def test_smallest_clip_works_and_a_smaller_one_is_refused(model: TwoHeadModel) -> None:
    frames, size = model.backbone.min_frames, model.backbone.min_size
    features = model.features(torch.zeros(1, 3, frames, size, size))
    assert features.numel() > 0
    for too_small in (
        torch.zeros(1, 3, frames - 1, size, size),
        torch.zeros(1, 3, frames, size - 1, size),
        torch.zeros(1, 3, frames, size, size - 1),
    ):
        with pytest.raises(InvalidSetting, match=f"needs at least {frames} frames of {size}x{size} pixels"):
            model.features(too_small)


@pytest.mark.parametrize(
    "wrong",
    [
        torch.zeros(3, 16, 112, 112),
        torch.zeros(1, 16, 3, 112, 112),
        torch.zeros(1, 1, 16, 112, 112),
        torch.zeros(1, 3, 16, 112, 112, dtype=torch.uint8),
    ],
    ids=["no batch", "frames before channels", "grey", "integers"],
)
def test_what_is_no_batch_of_clips_is_refused(wrong: Tensor) -> None:
    model = create_model("tsm18", seed=0)
    with pytest.raises(InvalidSetting, match=r"a batch of clips is float \(batch, 3, frames, height, width\)"):
        model(wrong)


@torch.inference_mode()
def test_output_prints_its_shapes(clips: Tensor) -> None:
    out = create_model("tsm18", seed=0).eval()(clips)
    assert repr(out) == "TwoHeadOutput(features=(2, 512, 8, 3, 3), motion=(2, 128), appearance=(2, 128))"
