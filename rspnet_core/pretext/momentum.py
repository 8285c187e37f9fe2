"""The momentum encoder that makes the keys (He et al., MoCo, CVPR 2020), with averaged batch norms.

A key must not depend on which videos share its batch: with a queue, positives come from the current batch and
negatives from others, and the statistics of a batch would tell them apart, so that the task could be solved without
looking at the videos. MoCo shuffles keys over GPUs against that, which does nothing on one device. Here the key
encoder's batch norms use running statistics, averaged as its weights are (Cai et al., EMAN, CVPR 2021,
https://arxiv.org/abs/2101.08482): keys are then a function of the clip alone, the same on one process and on many.
"""

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Model = TypeVar("Model", bound=nn.Module)


def momentum_copy(model: Model) -> Model:
    """A copy of ``model`` in eval mode that takes no gradients."""
    return copy.deepcopy(model).eval().requires_grad_(False)


@torch.no_grad()
def follow(keys: nn.Module, queries: nn.Module, momentum: float) -> None:
    """Move parameters and running statistics of ``keys`` towards those of ``queries``: k = m k + (1 - m) q."""
    ours, theirs = _averaged(keys), _averaged(queries)
    torch._foreach_lerp_(ours, theirs, 1 - momentum)


def _averaged(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]


@torch.no_grad()
def measure_statistics(model: nn.Module, batch: Tensor) -> None:
    """Set the running statistics of all batch norms to those of one batch, as a new network has none."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    kept = [norm.momentum for norm in norms]
    was_training = model.training
    try:
        for norm in norms:
            norm.momentum = 1.0
        model.train()(batch)
    finally:
        for norm, momentum in zip(norms, kept, strict=True):
            norm.momentum = momentum
        model.train(was_training)
