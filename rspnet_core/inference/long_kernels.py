"""Convolutions over seven moments, with ten multiplications for four outputs in place of 28 (Toom-Cook).

As long numbers are multiplied: both factors, as polynomials, are evaluated at some points, the values are multiplied,
and the product is interpolated. Here one factor is the kernel along time, the other the frames, and a value is a whole
kernel or frame of the other dimensions::

    ten frames --mixed--> ten mixtures --each by a kernel of one moment--> ten maps --interpolated--> four moments

This is the form for filters (Winograd, Arithmetic Complexity of Computations, 1980; for networks: Lavin and Gray, CVPR
2016, https://arxiv.org/abs/1509.09308). Points come in pairs of both signs, whose sum and difference need the even and
the odd powers alone: half of the sums.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv3d, pad

Matrix = Sequence[Sequence[Fraction]]
Numbers = TypeVar("Numbers", Fraction, Tensor)
"""What is filtered: fractions, or all numbers at one moment."""

_TAPS = 7
"""Kernels of three moments gain nothing: their maps are large beside them, and to mix those takes what is gained."""
_POINTS = tuple(map(Fraction, ("1", "2", "1/2", "3/2")))
"""Of either sign, beside 0 and infinity. Small, of few digits: rounding then costs about 1e-5 of the largest output."""


@dataclass(frozen=True)
class Filter:
    """``interpolation @ paired((evaluation @ kernel) * paired(mixing @ frames))``: several moments at once, exactly.

    Rows of ``mixing`` and ``evaluation``, and columns of ``interpolation``, are of 0, of each point and its negative
    (of their even and odd powers, where ``paired`` stands between), and of infinity.
    """

    mixing: Matrix
    """Of frames: (values, values); there are as many values as outputs + taps - 1."""
    evaluation: Matrix
    """Of the kernel: (values, taps)."""
    interpolation: Matrix
    """Of the products: (outputs, values)."""


def filter_at(points: Sequence[Fraction], taps: int) -> Filter:
    """The filter of ``2 * len(points) + 3 - taps`` outputs, one or more; the points are positive and differ."""
    values = 2 * len(points) + 2
    every, whole = _with_squares(points)  # mixtures become as large as frames are, kernels take the size over
    mixing = [_row(values, every)]
    evaluation = [_row(taps, [whole / prod(-(point**2) for point in points)])]
    for point in points:
        different = [other for other in points if other != point]
        others, size = _with_squares(different)
        mixing += [_row(values, others, first=2), _row(values, [point * value for value in others], first=1)]
        share = size / (2 * point**2 * prod(point**2 - other**2 for other in different))
        evaluation += [[share * value**tap for tap in range(taps)] for value in (point, -point)]
    mixing.append(_row(values, every, first=1))
    evaluation.append(_row(taps, [whole], first=taps - 1))
    outputs = values + 1 - taps
    interpolation = []
    for output in range(outputs):
        row = [Fraction(output == 0), *[Fraction(0)] * (values - 2), Fraction(output == outputs - 1)]
        row[1 + output % 2 : -1 : 2] = [point**output for point in points]
        interpolation.append(row)
    return Filter(mixing, evaluation, interpolation)


def _with_squares(points: Sequence[Fraction]) -> tuple[list[Fraction], Fraction]:
    """Coefficients of the product of (x**2 - point**2), that of x**0 first, divided by the largest; the largest."""
    coefficients, none = [Fraction(1)], Fraction(0)
    for point in points:
        lower, higher = [*coefficients, none, none], [none, none, *coefficients]
        coefficients = [high - point**2 * low for low, high in zip(lower, higher, strict=True)]
    largest = max(abs(value) for value in coefficients)
    return [value / largest for value in coefficients], largest


def _row(length: int, numbers: Sequence[Fraction], first: int = 0) -> list[Fraction]:
    """The numbers from ``first`` on, and zeros."""
    row = [Fraction(0)] * length
    row[first : first + len(numbers)] = numbers
    return row


def paired(values: Sequence[Numbers]) -> list[Numbers]:
    """The first, the sum and the difference of each two that follow, and the last."""
    result: list[Numbers] = [values[0]]
    for one, other in zip(values[1:-1:2], values[2:-1:2], strict=True):
        result.extend((one + other, one - other))
    result.append(values[-1])
    return result


class LongKernel(nn.Module):
    """What a 3D convolution over seven moments computes, to about 1e-5 of its largest output.

    Float (B, C, T, H, W) -> (B, O, T', H', W'), as the convolution gives.
    """

    def __init__(self, convolution: nn.Conv3d) -> None:
        """``convolution`` is one that ``is_long`` says yes of; it is not changed."""
        super().__init__()
        self._filter = filter_at(_POINTS, _TAPS)
        self._padding = cast("tuple[int, int, int]", convolution.padding)
        self._stride = convolution.stride
        evaluation = torch.tensor([list(map(float, row)) for row in self._filter.evaluation], dtype=torch.float64)
        kernels = torch.einsum("vt,oithw->voihw", evaluation, convolution.weight.detach().double())
        self.kernels = nn.Parameter(kernels.unsqueeze(3).to(convolution.weight.dtype), requires_grad=False)
        self.bias = None if convolution.bias is None else nn.Parameter(convolution.bias.detach(), requires_grad=False)

    @staticmethod
    def is_long(convolution: nn.Conv3d) -> bool:
        """Whether it is one that this computes with fewer multiplications."""
        return (
            convolution.kernel_size[0] == _TAPS
            and prod(convolution.kernel_size[1:]) > 1
            and not isinstance(convolution.padding, str)
            and (convolution.stride[0], convolution.groups, convolution.padding_mode) == (1, 1, "zeros")
            and set(convolution.dilation) == {1}
        )

    def forward(self, frames: Tensor) -> Tensor:
        """As the class says."""
        at_once = len(self._filter.interpolation)
        in_time, *in_space = self._padding
        length = frames.shape[2] + 2 * in_time - _TAPS + 1
        rounds = -(-length // at_once)
        frames = pad(frames, (0, 0, 0, 0, in_time, in_time + rounds * at_once - length))
        last = (rounds - 1) * at_once + 1
        shifted = [frames[:, :, first : first + last : at_once] for first in range(len(self.kernels))]
        mixtures = paired([_mixed(row, shifted) for row in self._filter.mixing])
        # The value at 1 is what every output takes once as it is.
        biases = [self.bias if at == 1 + _POINTS.index(Fraction(1)) else None for at in range(len(mixtures))]
        maps = [
            conv3d(mixture, kernel, bias, self._stride, (0, *in_space))
            for mixture, kernel, bias in zip(mixtures, self.kernels, biases, strict=True)
        ]
        halves = paired(maps)
        moments = [_mixed(row, halves) for row in self._filter.interpolation]
        # One by one: a stack would have six dimensions, for which runtimes leave the layout of convolutions.
        in_order = [moment[:, :, at : at + 1] for at in range(rounds) for moment in moments]
        return torch.cat(in_order[:length], dim=2)


def _mixed(row: Sequence[Fraction], tensors: Sequence[Tensor]) -> Tensor:
    """The sum of the tensors, each times its number."""
    terms = [
        tensor if share == 1 else tensor * float(share) for share, tensor in zip(row, tensors, strict=True) if share
    ]
    return sum(terms[1:], start=terms[0])


def with_long_kernels(network: nn.Module) -> nn.Module:
    """One that computes its convolutions over seven moments so; it shares all other weights with ``network``."""
    network = deepcopy(network, {id(weights): weights for weights in network.parameters()})
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv3d) and LongKernel.is_long(module):
            network.set_submodule(name, LongKernel(module))
    return network
