"""A network whose convolutions compute in INT8, quantised after training: nothing is learnt, ranges are looked at.

    what comes in -> 256 steps between the ends of its range --+
    weights -> int8, one scale an output channel --------------+-> convolution in integers

The ends are the least and the largest value that reach the convolution, as the mean over a few real clips (per tensor;
a range of positive values is unsigned, any other symmetric). On rspnet:small ten neighbours are kept a little better
than by NNCF's default, at the same speed (docs/results.md), and NNCF would ask for older NumPy and sends telemetry.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference.openvino_network import compiled, converted
from rspnet_core.inference.torch_backend import folded
from rspnet_core.models.backbone import Backbone

Ranges = Mapping[str, tuple[float, float]]
"""Convolution, by its name in the network -> least and largest value of what comes in."""

_STEPS = 256
_LARGEST = 127


def observed_ranges(
    backbone: Backbone, geometry: ClipGeometry, normalisation: Normalisation, clips: Iterable[Tensor]
) -> Ranges:
    """The ranges of a traceable backbone on clips, each uint8 (1, T, size, size, 3), RGB; one or more."""
    from openvino import opset13 as ops

    network = converted(folded(backbone), geometry, normalisation)
    names = [convolution.get_friendly_name() for convolution in _convolutions(network)]
    ends = []
    for convolution in _convolutions(network):
        incoming = convolution.input_value(0)
        axes = np.arange(incoming.get_partial_shape().rank.get_length())
        ends += [ops.reduce_min(incoming, axes).output(0), ops.reduce_max(incoming, axes).output(0)]
    first = len(network.outputs)
    network.add_outputs(ends)
    look = compiled(network, torch.float32)
    seen = [list(look(clip.numpy()).values())[first:] for clip in clips]
    means = np.array(seen, np.float64).reshape(len(seen), len(names), 2).mean(axis=0)
    return {name: (float(low), float(high)) for name, (low, high) in zip(names, means, strict=True)}


def quantise(network: Any, ranges: Ranges) -> None:
    """Let the convolutions of a converted network compute in INT8. Raises InvalidSetting for another's ranges."""
    from openvino import opset13 as ops

    convolutions = list(_convolutions(network))
    if {convolution.get_friendly_name() for convolution in convolutions} != ranges.keys():
        raise InvalidSetting(
            f"the ranges for INT8 are of other convolutions than this network has ({len(ranges)}, not "
            f"{len(convolutions)}): delete the library's encoder/*.int8.json and build with --backend openvino-int8"
        )
    _part_from_reshapes(network)
    in_steps: dict[tuple[str, int], Any] = {}  # what several convolutions take in is put in steps once
    for convolution in convolutions:
        incoming = convolution.input_value(0)
        source = incoming.get_node().get_friendly_name(), incoming.get_index()
        if source not in in_steps:
            low, high = map(np.float32, _ends(*ranges[convolution.get_friendly_name()]))
            in_steps[source] = ops.fake_quantize(incoming, low, high, low, high, _STEPS)
        convolution.input(0).replace_source_output(in_steps[source].output(0))
        whole, scale = _whole(convolution.input_value(1).get_node().data)
        weights = ops.multiply(ops.convert(ops.constant(whole), np.float32), ops.constant(scale))
        convolution.input(1).replace_source_output(weights.output(0))
    network.validate_nodes_and_infer_types()


def _convolutions(network: Any) -> Iterator[Any]:
    return (node for node in network.get_ordered_ops() if node.get_type_name() == "Convolution")


def _part_from_reshapes(network: Any) -> None:
    """Keep OpenVINO from moving the scales of channels behind a reshape, as TSM has where it tells frames apart.

    It (2026.4) then takes frames for channels: with as many of both it computes something else, with more frames it
    raises. A maximum, which it moves nothing past, with the least number there is changes no value.
    """
    from openvino import opset13 as ops

    for node in network.get_ordered_ops():
        if node.get_type_name() == "Reshape" and node.get_input_element_type(0).get_type_name() == "f32":
            incoming = node.input_value(0)
            node.input(0).replace_source_output(ops.maximum(incoming, np.finfo(np.float32).min).output(0))


def _ends(low: float, high: float) -> tuple[float, float]:
    """The first and the last of the steps: 0 to 255 scales where nothing is negative, else -128 to 127."""
    if low >= 0:
        return 0.0, high
    scale = max(high, -low) / _LARGEST
    return -(_LARGEST + 1) * scale, _LARGEST * scale


def _whole(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights (out, in, ...) as whole numbers up to 127 and a scale (out, 1, ...) that gives them back."""
    scale = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True) / np.float32(_LARGEST)
    scale[scale == 0] = 1
    return np.rint(weights / scale).astype(np.int8), scale
