"""A backbone as a network of OpenVINO: converted, and compiled for a CPU; needs ``rspnet[openvino]``."""

import sys
import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.inference.pixels import scales

_PRECISIONS = {torch.float32: "f32", torch.bfloat16: "bf16"}


def converted(form: nn.Module, geometry: ClipGeometry, normalisation: Normalisation) -> Any:
    """A traceable backbone's ``folded`` form, in float32, for any number of clips of one geometry; it is not changed.

    What comes in are pixels: uint8 (B, T, size, size, 3), RGB.
    """
    openvino()
    shape = (3, geometry.frames_per_clip, geometry.size, geometry.size)
    network = _of_pytorch(form, torch.zeros(1, *shape))
    network.reshape([-1, *shape])
    _take_pixels(network, normalisation)
    return network


def compiled(network: Any, precision: torch.dtype, streams: int = 1) -> Any:
    """What runs the network on this CPU: a function of an array of what comes in to its results.

    With more ``streams`` its requests run side by side, that many at once, each by as many threads as PyTorch has in
    the thread that compiles.
    """
    # Without the precision a CPU with bfloat16 would use it whatever was asked for.
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
        "INFERENCE_NUM_THREADS": streams * torch.get_num_threads(),
    }
    return _core().compile_model(network, "CPU", hints)


@cache
def _core() -> Any:
    """OpenVINO's core, one a process, never dropped.

    On CPUs with AMX a core gives the thread that first uses it a stack for signals, and unmaps it when it is dropped:
    where another thread does that, or another core was made in between, the next Ctrl-C is written where nothing or
    something else lies.
    """
    return openvino().Core()


def _take_pixels(network: Any, normalisation: Normalisation) -> None:
    """Let what comes in be pixels: OpenVINO normalises them while it writes what its first convolution reads."""
    from openvino import opset13 as ops

    (planes,) = network.get_parameters()
    batch, channels, times, height, width = planes.get_partial_shape()
    pixels = ops.parameter([batch, times, height, width, channels], np.uint8)
    mean, std = (values.view(1, 3, 1, 1, 1).numpy() for values in scales(normalisation))
    centred = ops.subtract(ops.transpose(ops.convert(pixels, np.float32), [0, 4, 1, 2, 3]), mean)
    for taker in planes.output(0).get_target_inputs():
        taker.replace_source_output(ops.divide(centred, std).output(0))
    network.add_parameters([pixels])
    network.remove_parameter(planes)
    network.validate_nodes_and_infer_types()


def openvino() -> Any:
    """The package, without the client id that it writes and the events that it sends when it is first imported."""
    is_absent = "openvino_telemetry" not in sys.modules
    if is_absent:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # to be found missing: a stub takes its place
    try:
        import openvino
    finally:
        if is_absent:
            del sys.modules["openvino_telemetry"]
    return openvino


def _of_pytorch(network: nn.Module, example: Tensor) -> Any:
    """The network as OpenVINO's.

    By its front end: ``openvino.convert_model`` does the same, but tells its makers over the net that it was called.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a trace is deprecated; what replaces it does not convert for the shift of TSM
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        decoder = TorchScriptPythonDecoder(
            traced, shared_memory=False
        )  # a name of its own: it has to live until all is converted
        front_end = FrontEndManager().load_by_framework("pytorch")
        return front_end.convert(front_end.load(decoder))
