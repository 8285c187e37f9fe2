"""The optimisers of training by name; weights without a gradient are left as they are, weight decay included."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from rspnet_core.training.recipe import TrainRecipe


def optimiser_of(
    recipe: TrainRecipe, parameters: Iterable[nn.Parameter] | list[dict[str, Any]]
) -> torch.optim.Optimizer:
    """Sgd (the paper's) or adamw (Loshchilov and Hutter, ICLR 2019) of parameters or groups of them.

    A group's ``rate_factor`` multiplies the schedule's rate.
    """
    rate, decay = recipe.peak_rate, recipe.weight_decay
    listed: list[Any] = list(parameters)
    fused = _is_on_gpu(listed)  # one kernel instead of some for each layer
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(listed, lr=rate, weight_decay=decay, fused=fused)
    return torch.optim.SGD(listed, lr=rate, momentum=recipe.sgd_momentum, weight_decay=decay, fused=fused)


def _is_on_gpu(parameters: list[Any]) -> bool:
    flat = [each for entry in parameters for each in (entry["params"] if isinstance(entry, dict) else [entry])]
    return bool(flat) and all(each.is_cuda for each in flat)
