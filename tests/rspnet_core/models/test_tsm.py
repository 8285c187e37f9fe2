import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.models import resnet18

from rspnet_core.models import create_model
from rspnet_core.models.tsm import temporal_shift


def shift_by_loops(maps: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Channel by channel and frame by frame: what ``temporal_shift`` has to give."""
    shifted = torch.zeros_like(maps)
    part = maps.shape[1] // 8
    for row in range(maps.shape[0]):
        frame = row % num_frames
        for channel in range(maps.shape[1]):
            source = frame + (1 if channel < part else -1 if channel < 2 * part else 0)
            if 0 <= source < num_frames:
                shifted[row, channel] = maps[row - frame + source, channel]
    return shifted


@settings(max_examples=25, deadline=None)
@given(clips=st.integers(1, 3), num_frames=st.integers(1, 6), channels=st.sampled_from([8, 16, 20]))
def test_shift_equals_slow_loops(clips: int, num_frames: int, channels: int) -> None:
    maps = torch.arange(1.0, 1 + clips * num_frames * channels * 6).reshape(clips * num_frames, channels, 2, 3)
    assert torch.equal(temporal_shift(maps, num_frames), shift_by_loops(maps, num_frames))


def test_shift_leaves_its_input_and_memory_format_as_they_are() -> None:
    maps = torch.randn(8, 16, 5, 5).contiguous(memory_format=torch.channels_last)
    before = maps.clone()
    shifted = temporal_shift(maps, 4)
    assert torch.equal(maps, before)
    assert shifted.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(shifted, shift_by_loops(maps, 4))


@torch.inference_mode()
def test_frames_are_seen_by_torchvisions_resnet_where_nothing_is_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = create_model("tsm18", seed=0).eval()
    net = resnet18(weights=None).eval()
    missing, unexpected = net.load_state_dict(model.backbone.state_dict(), strict=False)
    assert (set(missing), unexpected) == ({"fc.weight", "fc.bias"}, [])
    clips = torch.randn(2, 3, 3, 64, 64)
    monkeypatch.setattr("rspnet_core.models.tsm.temporal_shift", lambda maps, num_frames: maps)
    features = model.features(clips)
    layers = torch.nn.Sequential(*list(net.children())[:-2])
    for frame in range(3):
        assert torch.allclose(features[:, :, frame], layers(clips[:, :, frame]), atol=1e-4)


@torch.inference_mode()
def test_order_of_frames_changes_the_features() -> None:
    model = create_model("tsm18", seed=0).eval()
    clips = torch.randn(1, 3, 8, 64, 64)
    forward, backward = model.features(clips), model.features(clips.flip(2)).flip(2)
    assert not torch.allclose(forward, backward, atol=1e-2)
