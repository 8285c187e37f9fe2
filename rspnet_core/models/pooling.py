"""A feature map to one vector a clip (section 4.3 of the paper)."""

from torch import Tensor

from rspnet_core.config import Pooling


def pool_features(features: Tensor, pooling: Pooling) -> Tensor:
    """Feature maps (N, C, T', H', W') -> float32 (N, C), not scaled.

    ``max-mean``, the paper's: maximum over space, mean over time. ``mean``, the authors' release's: mean over both.
    """
    features = features.float()
    return features.amax(dim=(3, 4)).mean(dim=2) if pooling == "max-mean" else features.mean(dim=(2, 3, 4))
