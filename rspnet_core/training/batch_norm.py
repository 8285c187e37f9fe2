"""How long batch norms remember."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def shorten_statistics(model: nn.Module, num_steps: int) -> None:
    """Make running statistics span at most a hundredth of the run.

    S3D-G's batch norms average over a thousand steps (momentum 0.001): after a short run they would still describe
    the untrained network.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.momentum is not None:
            module.momentum = max(module.momentum, min(0.1, 100 / max(num_steps, 1)))
