"""Both losses and their gradients on random batches, against numpy in float64."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from rspnet_core.errors import InvalidSetting
from rspnet_core.pretext.losses import avid_info_nce_loss, avid_logits, rsp_triplet_loss, speed_gaps

Floats = NDArray[np.float64]


def vectors(count: int, seed: int, dimensions: int = 128) -> Tensor:
    """Unit vectors; those of neighbouring seeds share a part, so that cosines are not all near 0."""
    shared = torch.randn(dimensions, generator=torch.Generator().manual_seed(99))
    own = torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))
    return normalize(own + 0.7 * shared, dim=1)


def doubles(*parts: Tensor) -> list[Floats]:
    return [part.detach().double().numpy() for part in parts]


def triplet_and_gradients(anchor: Floats, same: Floats, other: Floats, margin: float) -> tuple[float, list[Floats]]:
    total, gradients = 0.0, [np.zeros_like(anchor) for _ in range(3)]
    for row, (m_i, m_j, m_k) in enumerate(zip(anchor, same, other, strict=True)):
        hinge = margin - (m_i @ m_j - m_i @ m_k)
        if hinge > 0:
            total += hinge / len(anchor)
            for gradient, part in zip(gradients, (m_k - m_j, -m_i, m_i), strict=True):
                gradient[row] = part / len(anchor)
    return total, gradients


def info_nce_and_gradients(
    anchor: Floats, positive: Floats, negatives: Floats, temperature: float, own: NDArray[np.bool_]
) -> tuple[float, list[Floats]]:
    total, gradients = 0.0, [np.zeros_like(part) for part in (anchor, positive, negatives)]
    for row, (a_i, a_j) in enumerate(zip(anchor, positive, strict=True)):
        others = [n for n in range(len(negatives)) if not own[row, n]]
        scores = [a_i @ a_j / temperature] + [a_i @ negatives[n] / temperature for n in others]
        largest = max(scores)
        log_sum = largest + math.log(sum(math.exp(score - largest) for score in scores))
        total += (log_sum - scores[0]) / len(anchor)
        weights = [math.exp(score - log_sum) / temperature / len(anchor) for score in scores]
        weights[0] -= 1 / temperature / len(anchor)
        gradients[0][row] += weights[0] * a_j
        gradients[1][row] += weights[0] * a_i
        for weight, n in zip(weights[1:], others, strict=True):
            gradients[0][row] += weight * negatives[n]
            gradients[2][n] += weight * a_i
    return total, gradients


@settings(deadline=None, max_examples=60)
@given(batch=st.integers(1, 7), dimensions=st.integers(2, 128), margin=st.floats(0.01, 2.5), seed=st.integers(0, 10**6))
def test_the_triplet_loss_and_its_gradients_are_those_of_equation_2(
    batch: int, dimensions: int, margin: float, seed: int
) -> None:
    parts = [vectors(batch, seed + k, dimensions).requires_grad_() for k in range(3)]
    expected, gradients = triplet_and_gradients(*doubles(*parts), margin)
    loss = rsp_triplet_loss(*parts, margin)
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    gaps = speed_gaps(*parts)
    if float((margin - gaps.detach()).abs().min()) > 1e-4:  # at the hinge itself rounding decides
        for got, wanted in zip(torch.autograd.grad(loss, parts), gradients, strict=True):
            np.testing.assert_allclose(got.numpy(), wanted, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(
    batch=st.integers(1, 6),
    count=st.integers(0, 12),
    temperature=st.floats(0.05, 2),
    left_out=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 10**6),
)
def test_info_nce_and_its_gradients_are_those_of_equation_3(
    batch: int, count: int, temperature: float, left_out: float, seed: int
) -> None:
    parts = [vectors(size, seed + k).requires_grad_() for k, size in enumerate((batch, batch, count))]
    own = torch.rand(batch, count, generator=torch.Generator().manual_seed(seed)) < left_out
    expected, gradients = info_nce_and_gradients(*doubles(*parts), temperature, own.numpy())
    loss = avid_info_nce_loss(*parts, temperature, is_own_video=own)
    assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    for got, wanted in zip(torch.autograd.grad(loss, parts), gradients, strict=True):
        np.testing.assert_allclose(got.numpy(), wanted, atol=1e-4)


def test_a_triplet_that_is_far_enough_apart_costs_nothing_and_moves_nothing() -> None:
    anchor = torch.eye(3, 128).requires_grad_()
    loss = rsp_triplet_loss(anchor, anchor.detach(), torch.eye(128)[5:8])
    loss.backward()
    assert loss.item() == 0
    assert anchor.grad is not None
    assert not anchor.grad.any()


def test_vectors_that_are_all_alike_cost_the_margin_and_the_logarithm_of_the_choices() -> None:
    alike = vectors(1, 0).expand(4, -1)
    assert rsp_triplet_loss(alike, alike, alike, 0.3).item() == pytest.approx(0.3)
    assert avid_info_nce_loss(alike, alike, alike[:1].expand(9, -1)).item() == pytest.approx(math.log(10), rel=1e-5)


def test_nothing_but_the_positive_to_choose_costs_nothing() -> None:
    anchor, positive, negatives = vectors(3, 0).requires_grad_(), vectors(3, 1), vectors(5, 2)
    for pool, mask in ((negatives[:0], None), (negatives, torch.ones(3, 5, dtype=torch.bool))):
        loss = avid_info_nce_loss(anchor, positive, pool, is_own_video=mask)
        (gradient,) = torch.autograd.grad(loss, anchor)
        assert loss.item() == 0
        assert not gradient.any()


def test_what_a_masked_negative_holds_is_never_seen() -> None:
    anchor, positive = vectors(3, 0), vectors(3, 1)
    own = torch.zeros(3, 6, dtype=torch.bool)
    own[:, 1] = own[:, 4] = True
    seen = []
    for held in (vectors(3, 5)[0], anchor[0], -anchor[0], torch.zeros(128)):
        negatives = vectors(6, 2)
        negatives[[1, 4]] = held
        parts = [part.clone().requires_grad_() for part in (anchor, positive, negatives)]
        loss = avid_info_nce_loss(*parts, is_own_video=own)
        gradients = torch.autograd.grad(loss, parts)
        assert not gradients[2][[1, 4]].any()
        seen.append([loss, *gradients])
    for others in seen[1:]:
        assert all(one.equal(other) for one, other in zip(seen[0], others, strict=True))


def test_a_negative_is_masked_for_its_own_video_and_no_other() -> None:
    negatives, own = vectors(4, 2), torch.eye(2, 4, dtype=torch.bool)
    logits = avid_logits(vectors(2, 0), vectors(2, 1), negatives, is_own_video=own)
    assert torch.isneginf(logits).equal(
        torch.tensor([[False, True, False, False, False], [False, False, True] + 2 * [False]])
    )
    assert logits[:, 1:][~own].equal(avid_logits(vectors(2, 0), vectors(2, 1), negatives)[:, 1:][~own])


def test_the_order_of_videos_and_negatives_does_not_matter() -> None:
    anchor, positive, negatives = vectors(5, 0), vectors(5, 1), vectors(7, 2)
    own = torch.rand(5, 7, generator=torch.Generator().manual_seed(0)) < 0.3
    rows, columns = torch.tensor([3, 0, 4, 1, 2]), torch.tensor([6, 2, 0, 5, 1, 3, 4])
    loss = avid_info_nce_loss(anchor, positive, negatives, is_own_video=own)
    moved = avid_info_nce_loss(anchor[rows], positive[rows], negatives[columns], is_own_video=own[rows][:, columns])
    assert moved.item() == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("margin", [0.0, -0.15])
def test_a_margin_not_above_0_is_refused(margin: float) -> None:
    with pytest.raises(InvalidSetting, match="margin"):
        rsp_triplet_loss(vectors(2, 0), vectors(2, 1), vectors(2, 2), margin)


@pytest.mark.parametrize("temperature", [0.0, -0.07])
def test_a_temperature_not_above_0_is_refused(temperature: float) -> None:
    with pytest.raises(InvalidSetting, match="temperature"):
        avid_info_nce_loss(vectors(2, 0), vectors(2, 1), vectors(2, 2), temperature)


def test_a_margin_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="margin"):
        rsp_triplet_loss(vectors(2, 0), vectors(2, 1), vectors(2, 2), math.nan)


def test_a_temperature_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="temperature"):
        avid_info_nce_loss(vectors(2, 0), vectors(2, 1), vectors(2, 2), math.nan)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rsp_triplet_loss(vectors(2, 0), vectors(2, 0), vectors(1, 0)),  # would broadcast
        lambda: rsp_triplet_loss(vectors(2, 0), vectors(2, 0), vectors(2, 0, 64)),
        lambda: rsp_triplet_loss(*[vectors(1, 0)[0]] * 3),
        lambda: rsp_triplet_loss(*[vectors(2, 0)[None]] * 3),
        lambda: avid_info_nce_loss(vectors(0, 0), vectors(0, 0), vectors(4, 0)),
        lambda: avid_info_nce_loss(vectors(2, 0), vectors(1, 0), vectors(4, 0)),
        lambda: avid_info_nce_loss(vectors(1, 0)[0], vectors(1, 0)[0], vectors(4, 0)),
        lambda: avid_info_nce_loss(vectors(2, 0), vectors(2, 0), vectors(2, 0)[:, None]),
        lambda: avid_info_nce_loss(vectors(2, 0), vectors(2, 0), vectors(1, 0)[0]),
        lambda: avid_info_nce_loss(
            vectors(2, 0), vectors(2, 0), vectors(4, 0), is_own_video=torch.zeros(1, 4, dtype=torch.bool)
        ),
        lambda: avid_info_nce_loss(
            vectors(2, 0), vectors(2, 0), vectors(4, 0), is_own_video=torch.zeros(2, 5, dtype=torch.bool)
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call: Callable[[], Tensor]) -> None:
    with pytest.raises(InvalidSetting, match="got"):
        call()
