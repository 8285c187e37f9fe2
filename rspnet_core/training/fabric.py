"""Devices, precision and processes, by Lightning Fabric: one command for a CPU, a GPU, many GPUs and many nodes."""

import os
from typing import Literal

import torch
from lightning_fabric import Fabric
from torch import nn

from rspnet_core.errors import DeviceUnavailable, InvalidSetting
from rspnet_core.training.sync_batch_norm import synchronise_batch_norms

Precision = Literal["auto", "fp32", "bf16"]


def make_fabric(device: str, precision: Precision) -> Fabric:
    """Fabric for this process, whether started alone or by torchrun.

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
    return Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=processes,
        num_nodes=nodes,
        strategy="ddp" if processes * nodes > 1 else "auto",
        precision="bf16-mixed" if chosen == "bf16" else "32-true",
    )


def prepare(fabric: Fabric, model: nn.Module) -> nn.Module:
    """Channels-last weights on the device, and batch norms that span all processes."""
    if fabric.world_size > 1:
        model = synchronise_batch_norms(model, fabric.device)
    model = model.to(fabric.device)
    return model.to(memory_format=torch.channels_last_3d) if any(p.ndim == 5 for p in model.parameters()) else model
