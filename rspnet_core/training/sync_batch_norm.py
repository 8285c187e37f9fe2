"""Batch norm over the batches of all processes, so that several train as one does.

PyTorch's own works on GPUs alone; on a CPU the same sums go through the differentiable all-reduce.
"""

import torch
import torch.distributed.nn.functional as distributed
from torch import Tensor, nn


def synchronise_batch_norms(model: nn.Module, device: torch.device) -> None:
    """Replace the batch norms inside a model, in place; parameters, buffers and their names stay."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return
    for module in model.modules():
        if type(module) in _SYNCHRONISED:
            module.__class__ = _SYNCHRONISED[type(module)]


class _Synchronised(nn.modules.batchnorm._BatchNorm):
    """What both classes below add to PyTorch's: statistics by all-reduce."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, ...) over B and all that follows C, of all processes."""
        if not self.training:
            evaluated: Tensor = super().forward(x)
            return evaluated
        axes = [0, *range(2, x.ndim)]
        shape = (1, -1, *(1 for _ in axes[1:]))
        count = torch.full((1,), x.numel() / x.shape[1], dtype=torch.float32)
        # Batches may differ in size, so that sums are shared rather than means. Squares are taken off the mean, as
        # a difference of large sums would lose what is small.
        total = _sum_over_processes(torch.cat([x.sum(dim=axes), count]))
        mean, number = total[:-1] / total[-1].detach(), total[-1].detach()
        centred = x - mean.view(shape)
        variance = _sum_over_processes((centred * centred).sum(dim=axes)) / number
        self._remember(mean.detach(), variance.detach(), number)
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        return normal * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, number: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * number / (number - 1), self.momentum)


def _sum_over_processes(values: Tensor) -> Tensor:
    total: Tensor = distributed.all_reduce(values)  # type: ignore[no-untyped-call]
    return total


class _Synchronised2d(_Synchronised, nn.BatchNorm2d):
    """Over (B, C, H, W)."""


class _Synchronised3d(_Synchronised, nn.BatchNorm3d):
    """Over (B, C, T, H, W)."""


_SYNCHRONISED: dict[type, type] = {nn.BatchNorm2d: _Synchronised2d, nn.BatchNorm3d: _Synchronised3d}
