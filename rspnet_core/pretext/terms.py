"""The terms of Eq. 1: what each objective says of a batch, from the vectors that the encoders gave.

A term knows nothing of encoders, queues or other terms. To add one: write the function here, and call it in
``RSPNetObjective.loss`` where its vectors are at hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.pretext.losses import avid_logits, rsp_triplet_loss, speed_gaps


@dataclass(frozen=True, slots=True)
class Term:
    """One objective's share of the loss."""

    loss: Tensor
    """Float32 scalar."""
    figures: dict[str, Tensor]
    """Scalars: its accuracy, as the authors' release counts it, and what tells of a collapse."""


def speed_ranking(
    m_i: Tensor, m_j: Tensor, m_k: Tensor, anchor_is_fast: Tensor, *, margin: float, temperature: float
) -> Term:
    """``rsp``: Eq. 2 of unit motion vectors, each (B, 128), their cosines divided by ``temperature``."""
    loss = rsp_triplet_loss(m_i / temperature, m_j, m_k, margin)
    is_right = speed_gaps(m_i, m_j, m_k) > 0
    return Term(loss, ranking_accuracies(is_right, anchor_is_fast) | {"motion_std": _spread(m_i)})


def ranking_accuracies(is_right: Tensor, anchor_is_fast: Tensor, counts: Tensor | None = None) -> dict[str, Tensor]:
    """Which part of the triplets is ranked rightly, and which of those with a slow and with a fast anchor.

    Told apart, as clips that tell a video's pictures and not its speed do well on the one kind and badly on the other.
    A kind of which a batch has no triplet has the accuracy of all.

    Args:
        is_right: bool (B,).
        anchor_is_fast: bool (B,).
        counts: bool (B,), triplets to count; None counts all.
    """
    counts = torch.ones_like(is_right) if counts is None else counts
    right, total = is_right.float(), _part(is_right.float(), counts, is_right.new_zeros((), dtype=torch.float32))
    kinds = {"rsp_slow_accuracy": counts & ~anchor_is_fast, "rsp_fast_accuracy": counts & anchor_is_fast}
    return {"rsp_accuracy": total} | {name: _part(right, kind, total) for name, kind in kinds.items()}


def _part(right: Tensor, counts: Tensor, otherwise: Tensor) -> Tensor:
    return torch.where(counts.any(), (right * counts).sum() / counts.sum().clamp(min=1), otherwise)


def speed_prediction(logits: Tensor, speeds: Tensor) -> Term:
    """``sp``: cross-entropy of logits (B, num_speeds) against the places int64 (B,) of the speeds."""
    accuracy = (logits.argmax(dim=1) == speeds).float().mean()
    return Term(F.cross_entropy(logits, speeds), {"sp_accuracy": accuracy})


def instance_discrimination(
    appearance: Tensor,
    positives: tuple[Tensor, ...],
    negatives: Tensor,
    *,
    temperature: float,
    is_own_video: Tensor,
) -> Term:
    """``avid`` or ``vid``: the sum of Eq. 3 over the positives.

    Args:
        appearance: unit vectors (B, 128) of the clips c_i.
        positives: of other clips of the same videos, each (B, 128); accuracy is that of the last one.
        negatives: unit vectors (K, 128); K may be 0.
        temperature: tau.
        is_own_video: bool (B, K), which negatives are of the anchor's own video and are left out.
    """
    logits = [
        avid_logits(appearance, positive, negatives, temperature, is_own_video=is_own_video) for positive in positives
    ]
    target = torch.zeros(len(appearance), dtype=torch.long, device=appearance.device)
    loss = torch.stack([F.cross_entropy(each, target) for each in logits]).sum()
    above = (logits[-1][:, 1:] >= logits[-1][:, :1]).sum(dim=1)  # a tie is a miss: a collapse scores 0
    figures = {f"avid_top{k}": (above < k).float().mean() for k in (1, 5)}
    figures["appearance_std"] = _spread(appearance)
    if len(negatives):
        figures["queue_similarity"] = (appearance @ negatives.mean(dim=0)).mean()
    return Term(loss, figures)


def weighted_sum(terms: Mapping[str, Term], weights: Mapping[str, float | Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 1: the loss, and all terms' figures with each one's loss (``rsp_loss``), detached."""
    figures: dict[str, Tensor] = {}
    for term in terms.values():
        figures |= term.figures
    figures |= {f"{name}_loss": term.loss for name, term in terms.items()}
    total = torch.stack([weights[name] * term.loss for name, term in terms.items()]).sum()
    return total, {name: figure.detach() for name, figure in figures.items()}


def _spread(vectors: Tensor) -> Tensor:
    """Standard deviation over a batch of unit vectors: 1 where they are even on the sphere, 0 where they are equal."""
    spread: Tensor = vectors.std(dim=0).mean() * vectors.shape[1] ** 0.5
    return spread
