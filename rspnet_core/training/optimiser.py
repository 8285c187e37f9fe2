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
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=rate, momentum=recipe.sgd_momentum, weight_decay=decay)
