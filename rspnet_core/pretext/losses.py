"""The two losses of the paper as pure functions (section 3.2), means over a batch, computed in float32."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.errors import InvalidSetting


def rsp_triplet_loss(anchor: Tensor, same_speed: Tensor, other_speed: Tensor, margin: float = 0.15) -> Tensor:
    """Relative speed perception, Eq. 2: the mean of max(0, margin - (p+ - p-)).

    Args:
        anchor: unit vectors (B, 128) of the clips c_i.
        same_speed: of the clips c_j, which play as fast; p+ = anchor . same_speed.
        other_speed: of the clips c_k, which play at another speed; p- = anchor . other_speed.
        margin: gamma, above 0.

    Returns:
        A float32 scalar from 0 to 2 + margin.

    Raises:
        InvalidSetting: shapes differ, the batch is empty or the margin is not above 0.
    """
    _check_pairs(anchor, same_speed, other_speed)
    if not margin > 0:
        raise InvalidSetting(f"margin: got {margin:g}, it must be above 0 (the paper's is 0.15)")
    return F.relu(margin - speed_gaps(anchor, same_speed, other_speed)).mean()


def speed_gaps(anchor: Tensor, same_speed: Tensor, other_speed: Tensor) -> Tensor:
    """p+ - p- of Eq. 2, float32 (B,): above 0 where the clip of the same speed is the more alike."""
    anchor, same_speed, other_speed = anchor.float(), same_speed.float(), other_speed.float()
    return (anchor * (same_speed - other_speed)).sum(dim=1)


def avid_info_nce_loss(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    temperature: float = 0.07,
    *,
    is_own_video: Tensor | None = None,
) -> Tensor:
    """Appearance-focused video instance discrimination, Eq. 3: the mean of -log(q+ / (q+ + sum of q-)).

    Args:
        anchor: unit vectors (B, 128) of the clips c_i.
        positive: unit vectors (B, 128) of another clip of the same video.
        negatives: unit vectors (K, 128) of clips of other videos; K may be 0.
        temperature: tau, above 0.
        is_own_video: bool (B, K), True where a negative is a clip of the anchor's own video: Algorithm 1 draws
            negatives from the videos without v+, so these are left out. None leaves none out.

    Returns:
        A float32 scalar, at least 0.

    Raises:
        InvalidSetting: shapes do not fit, the batch is empty or the temperature is not above 0.
    """
    logits = avid_logits(anchor, positive, negatives, temperature, is_own_video=is_own_video)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def avid_logits(
    anchor: Tensor,
    positive: Tensor,
    negatives: Tensor,
    temperature: float = 0.07,
    *,
    is_own_video: Tensor | None = None,
) -> Tensor:
    """Logarithms of q+ (column 0) and q- (the rest) of Eq. 3, float32 (B, 1 + K); -inf where left out."""
    _check_pairs(anchor, positive)
    if negatives.ndim != 2 or negatives.shape[1] != anchor.shape[1]:
        raise InvalidSetting(f"got negatives {tuple(negatives.shape)}, needed are (K, {anchor.shape[1]})")
    if not temperature > 0:
        raise InvalidSetting(f"temperature: got {temperature:g}, it must be above 0 (the paper's is 0.07)")
    anchor, positive, negatives = anchor.float(), positive.float(), negatives.float()
    against = anchor @ negatives.T  # (B, K)
    if is_own_video is not None:
        if is_own_video.shape != against.shape:
            raise InvalidSetting(f"got is_own_video {tuple(is_own_video.shape)}, needed is {tuple(against.shape)}")
        against = against.masked_fill(is_own_video, -torch.inf)
    return torch.cat([(anchor * positive).sum(dim=1, keepdim=True), against], dim=1) / temperature


def _check_pairs(anchor: Tensor, *others: Tensor) -> None:
    if anchor.ndim != 2 or len(anchor) == 0 or any(other.shape != anchor.shape for other in others):
        shapes = ", ".join(str(tuple(part.shape)) for part in (anchor, *others))
        raise InvalidSetting(f"got vectors {shapes}; needed are equal shapes (batch, dimensions), batch at least 1")
