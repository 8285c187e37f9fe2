"""The start-up check of lower precisions."""

import pytest
import torch
from torch import Tensor, nn

from rspnet_core.errors import PrecisionUnsafe
from rspnet_core.training.fabric import choose_machine
from rspnet_core.training.precision import check_gradients


class WrongBackward(torch.autograd.Function):
    """The identity, whose gradient is wrong in bfloat16, as that of 3D convolutions on CPUs is."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        return x

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        return gradient * (torch.rand_like(gradient) if gradient.dtype == torch.bfloat16 else 1)


class Network(nn.Module):
    def __init__(self, *, broken: bool) -> None:
        super().__init__()
        self.first, self.second, self.broken = nn.Linear(48, 32), nn.Linear(32, 8), broken

    def forward(self, clips: Tensor) -> Tensor:
        x = self.first(clips.flatten(1))
        x = torch.relu(WrongBackward.apply(x) if self.broken else x)
        return self.second(x)


def test_right_gradients_pass_and_leave_no_trace() -> None:
    network = Network(broken=False)
    check_gradients(network, torch.randn(16, 3, 1, 4, 4), torch.bfloat16)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_wrong_gradients_are_refused_by_name() -> None:
    torch.manual_seed(0)
    with pytest.raises(PrecisionUnsafe, match=r"first\.weight is off by .* precision=fp32"):
        check_gradients(Network(broken=True), torch.randn(16, 3, 1, 4, 4), torch.bfloat16)


def test_dropout_is_no_wrong_gradient_and_leaves_the_runs_random_state() -> None:
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(48, 64), nn.Dropout(0.5), nn.Linear(64, 8))
    before = torch.get_rng_state()
    check_gradients(module, torch.randn(16, 48, generator=torch.Generator().manual_seed(1)), torch.bfloat16)
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(
    ("precision", "words", "lowered_to", "computed_in"),
    [("auto", "32-true", None, torch.float32), ("bf16", "bf16-mixed", torch.bfloat16, torch.bfloat16)],
)
def test_a_machine_says_what_modules_on_it_compute_in(
    precision: str, words: str, lowered_to: torch.dtype | None, computed_in: torch.dtype
) -> None:
    machine = choose_machine("cpu", precision)
    assert (machine.precision, machine.lowered_to) == (words, lowered_to)
    with machine.fabric.autocast():
        assert (torch.randn(2, 2) @ torch.randn(2, 2)).dtype == computed_in
