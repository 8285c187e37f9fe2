"""Devices, precision and processes, by Lightning Fabric: one command for a CPU, a GPU, many GPUs and many nodes."""

import os
from dataclasses import dataclass
from typing import Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn

from rspnet_core.cores import usable_cores
from rspnet_core.errors import DeviceUnavailable, InvalidSetting
from rspnet_core.heap import keep_freed_memory
from rspnet_core.training.sync_batch_norm import synchronise_batch_norms

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run computes, and how exactly."""

    fabric: Fabric
    precision: Literal["32-true", "bf16-mixed"]
    """That of modules which the fabric wraps, in Lightning's words."""

    @property
    def lowered_to(self) -> torch.dtype | None:
        """What such modules compute in where that is less than float32, else None."""
        return torch.bfloat16 if self.precision == "bf16-mixed" else None


def choose_machine(device: str, precision: Precision) -> Machine:
    """Fabric and precision for this process, whether started alone or by torchrun.

    Args:
        device: ``auto`` (GPUs if there are any), ``cpu`` or ``cuda``.
        precision: see ``PretrainRecipe.precision``.

    Raises:
        DeviceUnavailable: no CUDA device, or fewer than processes.
        InvalidSetting: another name.
    """
    if device not in {"auto", "cpu", "cuda"}:
        raise InvalidSetting(f"device: got {device!r}; allowed are auto, cpu and cuda")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(os.environ.get("WORLD_SIZE", "1")) // processes
    available = torch.cuda.device_count()
    if device == "cuda" and available < processes:
        raise DeviceUnavailable(f"{processes} processes on this machine need as many CUDA devices, it has {available}")
    on_gpu = device == "cuda" or (device == "auto" and available >= processes)
    chosen = precision
    if precision == "auto":
        chosen = "bf16" if on_gpu and torch.cuda.is_bf16_supported() else "fp32"
    computes_in: Literal["32-true", "bf16-mixed"] = "bf16-mixed" if chosen == "bf16" else "32-true"
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=processes,
        num_nodes=nodes,
        strategy="ddp" if processes * nodes > 1 else "auto",
        precision=computes_in,
    )
    return Machine(fabric, computes_in)


def prepare(fabric: Fabric, model: nn.Module) -> None:
    """Move a model to the device, in the layout that trains fast there; its batch norms span all processes."""
    if fabric.world_size > 1:
        synchronise_batch_norms(model, fabric.device)
    model.to(fabric.device)
    if fabric.device.type == "cpu":
        keep_freed_memory()  # and contiguous: channels-last makes the last stage's weight gradients 3 times as slow
        return
    torch.backends.cudnn.benchmark = True  # clips of a run have one size
    if any(parameter.ndim == 5 for parameter in model.parameters()):
        model.to(memory_format=torch.channels_last_3d)


def reduced(fabric: Fabric, values: Tensor, operation: Literal["mean", "sum"]) -> Tensor:
    """The mean or sum of ``values`` over all processes."""
    result = fabric.all_reduce(values.to(fabric.device), reduce_op=operation)
    assert isinstance(result, Tensor)
    return result


def default_workers(fabric: Fabric) -> int:
    """Decoding processes of one training process: beside a GPU all cores but its own, on a CPU a few share them."""
    cores = usable_cores()
    own = max(cores // fabric.world_size, 1)
    return max(own - 1, 1) if fabric.device.type == "cuda" else max(own // 4, 1)


def gather_in_order(values: Tensor) -> Tensor:
    """(n, ...) of this process -> those of all processes, in the order of ranks; n may differ."""
    world_size = distributed.get_world_size()
    lengths = [torch.zeros(1, dtype=torch.long, device=values.device) for _ in range(world_size)]
    distributed.all_gather(lengths, torch.tensor([len(values)], device=values.device))
    longest = max(int(length) for length in lengths)
    padded = values.new_zeros((longest, *values.shape[1:]))
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in lengths]
    distributed.all_gather(parts, padded)
    return torch.cat([part[: int(length)] for part, length in zip(parts, lengths, strict=True)])
