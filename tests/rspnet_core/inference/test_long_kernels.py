from collections.abc import Sequence
from fractions import Fraction
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rspnet_core.config import ClipGeometry
from rspnet_core.inference.long_kernels import LongKernel, filter_at, paired, with_long_kernels
from rspnet_core.inference.torch_backend import folded
from rspnet_core.models import create_backbone_model
from tests.rspnet_core.inference.test_folded import NORMALISATION, assert_same, noise, pixels, with_trained_statistics

NUMBERS = st.fractions(-3, 3, max_denominator=4)
POSITIVE = st.fractions(Fraction(1, 4), 3, max_denominator=4)


def times(matrix: Sequence[Sequence[Fraction]], vector: Sequence[Fraction]) -> list[Fraction]:
    return [sum((a * b for a, b in zip(row, vector, strict=True)), Fraction(0)) for row in matrix]


@given(st.data())
def test_a_filter_is_exactly_the_sum_over_the_kernel_at_each_moment(data: st.DataObject) -> None:
    points = data.draw(st.lists(POSITIVE, min_size=1, max_size=4, unique=True))
    frames = data.draw(st.lists(NUMBERS, min_size=2 * len(points) + 2, max_size=2 * len(points) + 2))
    kernel = data.draw(st.lists(NUMBERS, min_size=1, max_size=len(frames)))
    by = filter_at(points, len(kernel))
    mixtures = paired(times(by.mixing, frames))
    products = [value * mixture for value, mixture in zip(times(by.evaluation, kernel), mixtures, strict=True)]
    expected = [
        sum((weight * frame for weight, frame in zip(kernel, frames[first:], strict=False)), Fraction(0))
        for first in range(len(frames) - len(kernel) + 1)
    ]
    assert times(by.interpolation, paired(products)) == expected


@torch.inference_mode()
@given(
    frames=st.integers(7, 20),
    padding=st.integers(0, 4),
    stride=st.sampled_from([(1, 1, 1), (1, 2, 2), (1, 1, 3)]),
    space=st.sampled_from([(7, 7), (1, 3), (2, 1)]),
    bias=st.booleans(),
)
def test_a_long_kernel_computes_the_convolution(
    frames: int, padding: int, stride: tuple[int, int, int], space: tuple[int, int], bias: bool
) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv3d(3, 5, (7, *space), stride, (padding, 1, 2), bias=bias)
    clips = noise(2, 3, frames, 11, 9)
    expected = convolution.double()(clips.double()).float()
    got = LongKernel(convolution.float())(clips)
    assert got.shape == expected.shape
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv3d(3, 4, (3, 7, 7)),
        nn.Conv3d(3, 4, (7, 1, 1)),
        nn.Conv3d(3, 4, 7, stride=2),
        nn.Conv3d(4, 4, 7, groups=2),
        nn.Conv3d(3, 4, 7, dilation=2),
        nn.Conv3d(3, 4, 7, padding=3, padding_mode="circular"),
    ],
    ids=str,
)
def test_other_convolutions_stay_as_they_are(convolution: nn.Conv3d) -> None:
    (kept,) = with_long_kernels(nn.Sequential(convolution))
    assert type(kept) is nn.Conv3d


@torch.inference_mode()
@pytest.mark.parametrize("name", ["resnet18", "small18"])
def test_a_networks_features_stay_the_same_and_the_network_too(name: str) -> None:
    form = folded(with_trained_statistics(create_backbone_model(name, seed=0).backbone))
    changed = with_long_kernels(form)
    assert isinstance(form.conv1, nn.Conv3d)
    assert isinstance(changed.conv1, LongKernel)
    own = set(changed.parameters()) - set(form.parameters())
    assert own == set(changed.conv1.parameters())
    clips = noise(2, 3, 16, 64, 64)
    assert_same(changed(clips), form(clips))


@pytest.mark.parametrize(
    ("precision", "in_int8", "changes"),
    [(torch.float32, False, True), (torch.bfloat16, False, False), (torch.float32, True, False)],
)
def test_openvino_computes_so_in_float32_alone(
    precision: torch.dtype, in_int8: bool, changes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    from rspnet_core.inference import openvino_backend
    from rspnet_core.inference.int8 import observed_ranges

    kernels: list[int] = []

    def looked_at(network: Any, *_: object) -> None:
        convolutions = (node for node in network.get_ordered_ops() if node.get_type_name() == "Convolution")
        kernels.extend(convolution.get_input_shape(1)[2] for convolution in convolutions)

    network = with_trained_statistics(create_backbone_model("small18", seed=0).backbone)
    geometry = ClipGeometry(frames_per_clip=16, size=32)
    ranges = observed_ranges(network, geometry, NORMALISATION, [pixels(1, 16, 32)]) if in_int8 else None
    monkeypatch.setattr(openvino_backend, "compiled", looked_at)
    openvino_backend.OpenVinoBackend(network, geometry, NORMALISATION, precision=precision, ranges=ranges)
    shortcuts = 3
    assert (kernels.count(7), kernels.count(1)) == ((0, shortcuts + 10) if changes else (1, shortcuts))
