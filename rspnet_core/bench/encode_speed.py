"""What ten clips of noise cost each form of a network, in turns, so that a busy machine slows all alike::

    python -m rspnet_core.bench.encode_speed 5 112 resnet18 s3dg  # rounds, pixels, backbones
    python -m rspnet_core.bench.encode_speed 20 112 resnet18 s3dg --device cuda

``eager`` is the network as it is trained, in eval mode with channels-last memory, in float32. On a GPU, ``torch`` and
``torch bf16`` are the form that encodes in float32 and in the precision that a GPU encodes in.
"""

import argparse
import copy
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from statistics import median

import torch
from torch import Tensor

from rspnet_core.bench.clock import seconds_of
from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.inference.openvino_backend import OpenVinoBackend
from rspnet_core.inference.pixels import normalised
from rspnet_core.inference.torch_backend import TorchBackend
from rspnet_core.models import Backbone, create_backbone_model, default_geometry

_NUM_CLIPS = 10
_CPU = torch.device("cpu")
Run = Callable[[Tensor], Tensor]


def forms_of(backbone: Backbone, geometry: ClipGeometry, device: torch.device = _CPU) -> dict[str, Run]:
    """Every form of a backbone on a device, by its name; clips are uint8, on that device."""
    normalisation = Normalisation()
    eager = copy.deepcopy(backbone).to(device)
    if backbone.is_volumetric:
        eager.to(memory_format=torch.channels_last_3d)
    forms: dict[str, Run] = {
        "eager": lambda clips: eager(normalised(clips, normalisation)),
        "torch": TorchBackend(copy.deepcopy(backbone), normalisation, device=device, precision=torch.float32),
    }
    if device.type == "cuda":
        lowered = TorchBackend(backbone, normalisation, device=device, precision=torch.bfloat16)
        forms["torch bf16"] = lambda clips: lowered(clips).float()
    elif find_spec("openvino"):
        forms["openvino"] = OpenVinoBackend(backbone, geometry, normalisation, precision=torch.float32)
    return forms


@torch.inference_mode()
def encode_seconds(forms: Mapping[str, Run], clips: Tensor, rounds: int) -> tuple[dict[str, float], float]:
    """Median seconds of each form, and the largest difference of features, relative to the largest of the first's.

    Args:
        forms: by name; the first is the yardstick.
        clips: uint8 (B, T, H, W, 3), on the forms' device.
        rounds: runs of each form, after one that is not counted.
    """
    features = [run(clips) for run in forms.values()]
    difference = max(float((other - features[0]).abs().max()) for other in features) / float(features[0].abs().max())
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, run in forms.items():
            seconds[name].append(seconds_of(partial(run, clips), clips.device))
    return {name: median(values) for name, values in seconds.items()}, difference


def main(arguments: list[str]) -> None:
    """Print one line a backbone."""
    parser = argparse.ArgumentParser(prog="python -m rspnet_core.bench.encode_speed")
    parser.add_argument("rounds", type=int, help="of each form")
    parser.add_argument("size", type=int, help="height and width of a frame in pixels")
    parser.add_argument("backbones", nargs="+")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    asked = parser.parse_args(arguments)
    device = torch.device(asked.device)
    for backbone in asked.backbones:
        network = create_backbone_model(backbone, seed=0).eval().backbone
        geometry = ClipGeometry(frames_per_clip=default_geometry(backbone).frames_per_clip, size=asked.size)
        shape = _NUM_CLIPS, geometry.frames_per_clip, asked.size, asked.size, 3
        clips = torch.randint(256, shape, dtype=torch.uint8, device=device)
        seconds, difference = encode_seconds(forms_of(network, geometry, device), clips, asked.rounds)
        columns = ", ".join(f"{name} {value:.4g} s" for name, value in seconds.items())
        print(f"{backbone}: {columns}; features differ by {difference:.1e}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
