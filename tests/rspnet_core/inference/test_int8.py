from importlib.util import find_spec

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference.int8 import Ranges, observed_ranges
from rspnet_core.inference.openvino_backend import OpenVinoBackend
from rspnet_core.inference.torch_backend import folded
from rspnet_core.models import create_backbone_model
from rspnet_core.models.backbone import Backbone
from tests import tiny
from tests.rspnet_core.inference.test_folded import NAMES, NORMALISATION, by_hand, pixels, with_trained_statistics

pytestmark = pytest.mark.skipif(
    not find_spec("openvino") or not torch.cpu._is_vnni_supported(), reason="OpenVINO or a CPU with INT8 is not here"
)
SIZE = 48


def clips_of(geometry: ClipGeometry, num_clips: int = 3) -> Tensor:
    return pixels(num_clips, geometry.frames_per_clip, geometry.size)


def convolutions_of(network: nn.Module) -> dict[str, nn.Module]:
    """By their names in OpenVINO's network."""
    return {
        f"__module.{name}/aten::_convolution/Convolution": module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Conv3d)
    }


def looked_at(network: nn.Module, clips: Tensor) -> Ranges:
    """The ranges by PyTorch: of each clip the least and the largest input of each convolution, then their means."""
    seen: dict[str, list[tuple[float, float]]] = {}
    for name, module in convolutions_of(network).items():
        look = lambda _, given, name=name: seen.setdefault(name, []).append(  # noqa: E731
            (float(given[0].min()), float(given[0].max()))
        )
        module.register_forward_pre_hook(look)
    for clip in clips:
        network(clip[None])
    return {name: tuple(torch.tensor(ends).mean(dim=0).tolist()) for name, ends in seen.items()}


def in_steps(network: nn.Module, ranges: Ranges) -> nn.Module:
    """The network in float32 with inputs and weights of its convolutions rounded as INT8 rounds them."""
    for name, module in convolutions_of(network).items():
        low, high = ranges[name]
        scale = high / 255 if low >= 0 else max(high, -low) / 127
        least = 0 if low >= 0 else -128
        rounded = lambda _, given, scale=scale, least=least: (  # noqa: E731
            torch.clamp(torch.round(given[0] / scale), least, least + 255) * scale
        )
        module.register_forward_pre_hook(rounded)
        of_channel = module.weight.data.abs().amax(dim=tuple(range(1, module.weight.ndim)), keepdim=True) / 127
        module.weight.data = torch.round(module.weight.data / of_channel) * of_channel
    return network


@torch.inference_mode()
@pytest.mark.parametrize("num_frames", [8, 16, 17])  # OpenVINO takes 16 frames of 16 channels for them, and refuses 17
@pytest.mark.parametrize("is_trained", [True, False])
def test_int8_computes_what_rounding_to_256_steps_does(num_frames: int, is_trained: bool) -> None:
    backbone = create_backbone_model(tiny.NAME, seed=0).eval().backbone
    backbone = with_trained_statistics(backbone) if is_trained else backbone
    geometry = ClipGeometry(frames_per_clip=num_frames, size=SIZE)
    clips = clips_of(geometry)
    ranges = observed_ranges(backbone, geometry, NORMALISATION, clips.split(1))
    expected = looked_at(folded(backbone), by_hand(clips))
    assert ranges.keys() == expected.keys()
    for name, ends in ranges.items():
        assert ends == pytest.approx(expected[name], rel=1e-4)
    got = OpenVinoBackend(backbone, geometry, NORMALISATION, precision=torch.float32, ranges=ranges)(clips)
    rounded = in_steps(folded(backbone), ranges)(by_hand(clips))
    assert (got - rounded).abs().max() <= 0.01 * rounded.abs().max()  # where float32 rounds to the step beside
    assert cosine_similarity(got.flatten(), rounded.flatten(), dim=0) >= 0.99999
    assert not torch.allclose(got, backbone(by_hand(clips)), rtol=1e-3)


@torch.inference_mode()
def test_a_convolution_that_saw_nothing_but_zeros_gives_finite_features() -> None:
    backbone = create_backbone_model(tiny.NAME, seed=0).eval().backbone
    geometry = ClipGeometry(frames_per_clip=4, size=SIZE)
    black, nothing_taken_off = torch.zeros_like(clips_of(geometry, 1)), Normalisation(mean=(0, 0, 0))
    ranges = observed_ranges(backbone, geometry, nothing_taken_off, [black])
    assert set(ranges.values()) == {(0.0, 0.0)}
    features = OpenVinoBackend(backbone, geometry, NORMALISATION, precision=torch.float32, ranges=ranges)(
        clips_of(geometry)
    )
    assert features.isfinite().all()


def test_ranges_of_another_network_are_refused() -> None:
    backbone = create_backbone_model(tiny.NAME, seed=0).eval().backbone
    geometry = ClipGeometry(frames_per_clip=4, size=SIZE)
    ranges = dict(observed_ranges(backbone, geometry, NORMALISATION, clips_of(geometry, 1).split(1)))
    ranges.pop(next(iter(ranges)))
    with pytest.raises(InvalidSetting, match=r"of other convolutions than this network has \(3, not 4\): delete"):
        OpenVinoBackend(backbone, geometry, NORMALISATION, precision=torch.float32, ranges=ranges)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_int8_is_near_float_for_every_backbone(name: str) -> None:
    backbone: Backbone = with_trained_statistics(create_backbone_model(name, seed=0).backbone)
    geometry = ClipGeometry(frames_per_clip=16, size=SIZE)
    clips = clips_of(geometry)
    ranges = observed_ranges(backbone, geometry, NORMALISATION, clips.split(1))
    for num_clips in (1, 3):
        got = OpenVinoBackend(backbone, geometry, NORMALISATION, precision=torch.float32, ranges=ranges)(
            clips[:num_clips]
        )
        assert cosine_similarity(got.flatten(), backbone(by_hand(clips[:num_clips])).flatten(), dim=0) >= 0.99
