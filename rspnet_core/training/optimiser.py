"""The optimisers of training by name; weights without a gradient are left as they are, weight decay included."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

OptimiserName = Literal["sgd", "adamw"]


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """sgd (the paper's) or adamw (Loshchilov and Hutter, ICLR 2019)."""

    name: OptimiserName
    rate: float
    momentum: float
    """Of sgd; adamw has its own averages (0.9, 0.999)."""
    weight_decay: float

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of these parameters."""
        if self.name == "adamw":
            return torch.optim.AdamW(parameters, lr=self.rate, weight_decay=self.weight_decay)
        return torch.optim.SGD(parameters, lr=self.rate, momentum=self.momentum, weight_decay=self.weight_decay)
