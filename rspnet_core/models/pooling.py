"""Feature maps to vectors (section 4.3 of the paper); what every backbone does that does not pool by itself.

    feature map (N, C, T', H', W') --max over H', W'; mean over T'--> (N, C)     backbone
                                   --mean over T', H', W'--linear--> (N, 128)    motion, appearance
    each unit length --mean over the N clips, unit length--> one vector a video

Pooling ``max-mean`` is the paper's; ``mean`` is what the authors' release does.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import normalize

from rspnet_core.config import Pooling


def pool_features(features: Tensor, pooling: Pooling) -> Tensor:
    """Feature maps (N, C, T', H', W') -> float32 (N, C), not scaled.

    ``max-mean``, the paper's: maximum over space, mean over time. ``mean``, the authors' release's: mean over both.
    """
    features = features.float()
    return features.amax(dim=(3, 4)).mean(dim=2) if pooling == "max-mean" else features.mean(dim=(2, 3, 4))


def joined(parts: Mapping[str, Tensor]) -> Tensor:
    """Parts float (..., length) -> one vector, float32 (..., sum of lengths): each of unit length, in their order."""
    return torch.cat([normalize(part, dim=-1).float() for part in parts.values()], dim=-1)
