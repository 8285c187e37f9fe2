"""Whether a lower precision may be trusted with gradients: one backward pass in it, beside one in float32.

torch 2.15 on CPUs computes wrong weight gradients of 3D convolutions in bfloat16 (75 to 97 % relative error in the
second stage of the 3D ResNet-18, sometimes infinite), while its forward pass is right. No loss shows that; this does.
"""

import copy

import torch
from torch import Tensor, nn

from rspnet_core.errors import PrecisionUnsafe

MAX_RELATIVE_ERROR = 0.4
"""Rounding alone gives a few percent, and more in layers whose gradient is nearly zero."""


def check_gradients(module: nn.Module, clips: Tensor, precision: torch.dtype) -> None:
    """Compare the gradients of each weight matrix under autocast to ``precision`` with those in float32.

    Args:
        module: float32; it is copied, so that nothing of it changes. Its output is a tensor or a tuple of tensors.
        clips: a batch for it.
        precision: ``torch.bfloat16`` or ``torch.float16``.

    Raises:
        PrecisionUnsafe: a gradient is off by more than ``MAX_RELATIVE_ERROR`` of its norm, or not finite.
    """
    exact = _gradients(module, clips, torch.float32)
    lower = _gradients(module, clips, precision)
    largest = max(float(gradient.norm()) for gradient in exact.values())
    for name, gradient in exact.items():
        if float(gradient.norm()) < 1e-4 * largest:  # all of it is rounding
            continue
        error = float((lower[name] - gradient).norm() / gradient.norm())
        if not error <= MAX_RELATIVE_ERROR:
            kind = str(precision).removeprefix("torch.")
            raise PrecisionUnsafe(
                f"gradients in {kind} are wrong on {clips.device.type}: {name} is off by {error:.0%} of its norm "
                f"({MAX_RELATIVE_ERROR:.0%} allowed); train with --set precision=fp32"
            )


def _gradients(module: nn.Module, clips: Tensor, precision: torch.dtype) -> dict[str, Tensor]:
    module = copy.deepcopy(module)
    with (
        torch.random.fork_rng(),
        torch.autocast(clips.device.type, precision, enabled=precision != torch.float32),
    ):
        torch.manual_seed(0)  # the same dropout each time, and none of the run's own
        outputs = module(clips)
    tensors = [outputs] if isinstance(outputs, Tensor) else [output for output in outputs if output is not None]
    generator = torch.Generator().manual_seed(0)
    total = sum(
        (output.float() * torch.randn(output.shape, generator=generator).to(output.device)).sum() for output in tensors
    )
    assert isinstance(total, Tensor)
    torch.autograd.backward(total)
    return {
        name: parameter.grad.float()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.ndim > 1
    }
