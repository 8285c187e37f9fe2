"""The losses against slow loops written from the equations."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from rspnet_core.errors import InvalidSetting
from rspnet_core.pretext.losses import avid_info_nce_loss, rsp_triplet_loss


def unit(count: int, seed: int) -> Tensor:
    return normalize(torch.randn(count, 128, generator=torch.Generator().manual_seed(seed)).double(), dim=1).float()


def triplet_by_the_paper(anchor: Tensor, same: Tensor, other: Tensor, margin: float) -> float:
    total = 0.0
    for m_i, m_j, m_k in zip(anchor.tolist(), same.tolist(), other.tolist(), strict=True):
        p_plus = sum(a * b for a, b in zip(m_i, m_j, strict=True))
        p_minus = sum(a * b for a, b in zip(m_i, m_k, strict=True))
        total += max(0.0, margin - (p_plus - p_minus))
    return total / len(anchor)


def info_nce_by_the_paper(anchor: Tensor, positive: Tensor, negatives: Tensor, tau: float, own: Tensor) -> float:
    total = 0.0
    for row, (a_i, a_j) in enumerate(zip(anchor.numpy(), positive.numpy(), strict=True)):
        q_plus = math.exp(float(np.dot(a_i, a_j)) / tau)
        q_minus = [
            math.exp(float(np.dot(a_i, a_n)) / tau) for n, a_n in enumerate(negatives.numpy()) if not own[row, n]
        ]
        total += -math.log(q_plus / (q_plus + sum(q_minus)))
    return total / len(anchor)


@pytest.mark.parametrize("margin", [0.15, 0.01, 1.5])
def test_the_triplet_loss_is_equation_2(margin: float) -> None:
    anchor, same, other = unit(7, 0), normalize(unit(7, 0) + 0.3 * unit(7, 1), dim=1), unit(7, 2)
    expected = triplet_by_the_paper(anchor, same, other, margin)
    assert rsp_triplet_loss(anchor, same, other, margin).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_info_nce_is_equation_3_over_the_videos_without_the_anchors(count: int) -> None:
    anchor, positive, negatives = unit(5, 0), normalize(unit(5, 0) + unit(5, 1), dim=1), unit(count, 2)
    own = torch.rand(5, count, generator=torch.Generator().manual_seed(3)) < 0.3
    for mask in (own, torch.zeros_like(own)):
        expected = info_nce_by_the_paper(anchor, positive, negatives, 0.07, mask)
        got = avid_info_nce_loss(anchor, positive, negatives, 0.07, is_own_video=mask).item()
        assert got == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_a_masked_negative_changes_neither_the_loss_nor_its_gradient() -> None:
    positive, negatives = unit(3, 1), unit(6, 2)
    own = torch.zeros(3, 6, dtype=torch.bool)
    own[:, 4:] = True
    gradients = []
    for pool, mask in ((negatives, own), (negatives[:4], None)):
        anchor = unit(3, 0).requires_grad_()
        loss = avid_info_nce_loss(anchor, positive, pool, is_own_video=mask)
        gradients.append((loss.item(), *torch.autograd.grad(loss, anchor)))
    assert gradients[0][0] == pytest.approx(gradients[1][0], rel=1e-6)
    assert torch.allclose(gradients[0][1], gradients[1][1], atol=1e-6)


def test_gradients_agree_with_finite_differences() -> None:
    anchor, same, other = unit(2, 0), unit(2, 1), unit(2, 2)
    for loss in (
        lambda x: rsp_triplet_loss(x, same, other, 1.0),
        lambda x: avid_info_nce_loss(x, same, unit(4, 5), 0.5),
    ):
        x = anchor.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x), x)
        step = torch.zeros_like(anchor)
        step[1, 3] = 1e-2
        numeric = (loss(anchor + step) - loss(anchor - step)) / 2e-2
        assert gradient[1, 3].item() == pytest.approx(numeric.item(), abs=2e-4)


def test_lower_precision_is_raised_before_differences_are_taken() -> None:
    parts = [unit(4, seed).bfloat16() for seed in range(3)]
    assert rsp_triplet_loss(*parts).dtype == torch.float32
    assert rsp_triplet_loss(*parts).item() == rsp_triplet_loss(*(part.float() for part in parts)).item()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rsp_triplet_loss(unit(2, 0), unit(3, 0), unit(2, 0)), "equal shapes"),
        (lambda: rsp_triplet_loss(unit(0, 0), unit(0, 0), unit(0, 0)), "batch at least 1"),
        (lambda: rsp_triplet_loss(unit(2, 0), unit(2, 0), unit(2, 0), 0), "margin: got 0"),
        (lambda: avid_info_nce_loss(unit(2, 0), unit(2, 0), unit(4, 0)[:, :9]), r"needed are \(K, 128\)"),
        (lambda: avid_info_nce_loss(unit(2, 0), unit(2, 0), unit(4, 0), -1), "temperature: got -1"),
        (
            lambda: avid_info_nce_loss(unit(2, 0), unit(2, 0), unit(4, 0), is_own_video=torch.zeros(4, 2).bool()),
            r"is_own_video \(4, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(call: object, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        call()  # type: ignore[operator]
