"""Where the time of an encoder goes: its layers, by kind and size, the slowest first::

    python -m rspnet_core.bench.layer_speed 5 112 r2plus1d              # rounds, pixels, backbone
    python -m rspnet_core.bench.layer_speed 5 112 r2plus1d --bfloat16

``flops a byte`` counts each number that a layer reads or writes once: below what the machine's cores do in the time in
which memory brings a byte, a layer waits for memory.
"""

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from math import prod
from statistics import median

import torch
from torch import Tensor, nn

from rspnet_core.inference.torch_backend import folded
from rspnet_core.models import Backbone, create_backbone_model, default_geometry

_NUM_CLIPS = 10


@dataclass(frozen=True)
class Layer:
    """All layers of one kind and size."""

    name: str
    count: int
    seconds: float
    """Of all of them, the median over rounds."""
    flops: float
    """Of all of them: two a multiplication; 0 of what is no convolution."""
    bytes_moved: float
    """Input, weights and output, each number once."""


@torch.inference_mode()
def layer_seconds(backbone: Backbone, clips: Tensor, rounds: int) -> list[Layer]:
    """The layers of the form that encodes, slowest first.

    Args:
        backbone: in eval mode, float32, on the CPU; not changed.
        clips: (B, 3, T, H, W), in the precision to measure in.
        rounds: passes that are timed, after one that is not.
    """
    network = folded(backbone).to(dtype=clips.dtype)
    if backbone.is_volumetric:
        network.to(memory_format=torch.channels_last_3d)
    passes: list[dict[str, list[tuple[float, float, float]]]] = []
    started = [0.0]

    def before(*_: object) -> None:
        started[0] = time.perf_counter()

    def after(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        taken = time.perf_counter() - started[0]
        passes[-1][_name(module, inputs[0])].append((taken, _flops(module, output), _moved(module, inputs, output)))

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_pre_hook(before)
            module.register_forward_hook(after)
    for _ in range(rounds + 1):
        passes.append(defaultdict(list))
        network(clips)
    timed = passes[1:]
    layers = [
        Layer(
            name,
            len(found),
            median(sum(taken for taken, *_ in each[name]) for each in timed),
            sum(flops for _, flops, _ in found),
            sum(moved for *_, moved in found),
        )
        for name, found in timed[0].items()
    ]
    return sorted(layers, key=lambda layer: -layer.seconds)


def _name(module: nn.Module, entering: Tensor) -> str:
    if not isinstance(module, nn.Conv2d | nn.Conv3d):
        return type(module).__name__
    kernel = "x".join(map(str, module.kernel_size))
    size = "x".join(map(str, entering.shape[2:]))
    return f"{kernel}, {module.in_channels} to {module.out_channels} channels, of {size}"


def _flops(module: nn.Module, output: Tensor) -> float:
    if not isinstance(module, nn.Conv2d | nn.Conv3d):
        return 0.0
    return 2.0 * output.numel() * module.in_channels // module.groups * prod(module.kernel_size)


def _moved(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> float:
    tensors = [each for each in inputs if isinstance(each, Tensor)] + [output, *module.parameters()]
    return float(sum(each.numel() * each.element_size() for each in tensors))


def main(arguments: list[str]) -> None:
    """Print one line a kind of layer."""
    parser = argparse.ArgumentParser(prog="python -m rspnet_core.bench.layer_speed")
    parser.add_argument("rounds", type=int)
    parser.add_argument("size", type=int, help="height and width of a frame in pixels")
    parser.add_argument("backbone")
    parser.add_argument("--bfloat16", action="store_true", help="in place of float32")
    asked = parser.parse_args(arguments)
    network = create_backbone_model(asked.backbone, seed=0).eval().backbone
    frames = default_geometry(asked.backbone).frames_per_clip
    pixels = torch.randn(_NUM_CLIPS, frames, asked.size, asked.size, 3)
    clips = pixels.to(torch.bfloat16 if asked.bfloat16 else torch.float32).permute(0, 4, 1, 2, 3)
    layers = layer_seconds(network, clips, asked.rounds)
    total = sum(layer.seconds for layer in layers)
    print(f"{asked.backbone}, {total:.3g} s, {sum(layer.flops for layer in layers) / total / 1e9:.0f} GFLOP/s")
    for layer in layers:
        rate = f"{layer.flops / layer.seconds / 1e9:5.0f} GFLOP/s" if layer.flops else " " * 13
        print(
            f"{layer.seconds / total:4.0%} {layer.seconds:.4f} s {rate} {layer.flops / layer.bytes_moved:5.0f} flops a "
            f"byte  {layer.count} x {layer.name}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
