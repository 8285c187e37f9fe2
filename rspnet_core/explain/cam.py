"""Similarity activation maps: where in a clip the similarity to another clip comes from (paper, Eq. 4)."""

import torch
from torch import Tensor

from rspnet_core.errors import InvalidSetting


def similarity_activation_map(features_i: Tensor, features_j: Tensor, head_weight: Tensor) -> Tensor:
    """M_s = ((W x_j)^T W) F_i for each pair of clips: the share of every cell of F_i in the similarity.

    The mean of the map over time and space is (W x_j) . (W x_i), the inner product of both projections before
    bias and normalisation (x is the mean of F). Swap the features for the map of clip j.

    Args:
        features_i: (B, C, T, H, W), feature maps of the clips to explain.
        features_j: (B, C, T', H', W'), feature maps of the clips they are compared with.
        head_weight: (128, C), weight of the projection head, as in ``model.heads["motion"].weight``.

    Returns:
        float32 (B, T, H, W), of any sign and scale.

    Raises:
        InvalidSetting: the shapes do not fit each other.
    """
    _check_shapes(features_i, features_j, head_weight)
    weight = head_weight.float()
    x_j = features_j.mean(dim=(2, 3, 4), dtype=torch.float32)  # (B, C)
    query = x_j @ weight.T @ weight  # (B, C)
    return torch.einsum("bc,bcthw->bthw", query, features_i.float())


def _check_shapes(features_i: Tensor, features_j: Tensor, head_weight: Tensor) -> None:
    for name, features in (("features_i", features_i), ("features_j", features_j)):
        if features.ndim != 5:
            raise InvalidSetting(
                f"got {name} of shape {tuple(features.shape)}, a feature map is (batch, channels, time, height, "
                "width): pass model.features(clips)"
            )
    if features_i.shape[:2] != features_j.shape[:2]:
        raise InvalidSetting(
            f"got {tuple(features_i.shape[:2])} and {tuple(features_j.shape[:2])} as batch and channels of the two "
            "feature maps, they must be equal: pass pairs of clips from one encoder"
        )
    if head_weight.ndim != 2 or head_weight.shape[1] != features_i.shape[1]:
        raise InvalidSetting(
            f"got head_weight of shape {tuple(head_weight.shape)}, allowed is (any, {features_i.shape[1]}): "
            'pass the weight of a head of the same model, such as model.heads["motion"].weight'
        )
