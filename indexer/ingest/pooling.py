"""Feature maps to vectors: one a clip, one a video (section 4.3 of the paper).

    feature map (N, C, T', H', W') --max over H', W'; mean over T'--> (N, C)     backbone
                                   --mean over T', H', W'--linear--> (N, 128)    motion, appearance
    each unit length --mean over the N clips, unit length--> one vector a video

Pooling ``max-mean`` is the paper's; ``mean`` is what the authors' release does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from rspnet_core.config import Pooling
from rspnet_core.models.pooling import pool_features
from rspnet_core.models.two_head import project

PARTS = ("backbone", "motion", "appearance")
"""Order of the parts inside a stored vector."""


@dataclass(frozen=True)
class Layout:
    """Where each part lies in a stored vector [backbone | motion | appearance]."""

    dims: Mapping[str, int]
    """Part's name to its length, in the order of :data:`PARTS`; a missing head is absent."""

    @property
    def size(self) -> int:
        """Length of the stored vector."""
        return sum(self.dims.values())

    def slices(self) -> dict[str, slice]:
        """Part's name to its place in the stored vector."""
        places, start = {}, 0
        for name, length in self.dims.items():
            places[name] = slice(start, start + length)
            start += length
        return places

    def unit(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale every part of ``vectors`` float32 (..., size) to unit length; a zero part stays zero."""
        scaled = vectors.copy()
        for place in self.slices().values():
            norm = np.linalg.norm(scaled[..., place], axis=-1, keepdims=True)
            scaled[..., place] /= np.maximum(norm, 1e-12)
        return scaled


def clip_vectors(features: Tensor, heads: Mapping[str, nn.Module], pooling: Pooling) -> Tensor:
    """Pool feature maps and apply the heads.

    Args:
        features: float (N, C, T', H', W'), the last convolutional stage.
        heads: ``motion`` and ``appearance`` projection heads, or empty.
        pooling: how the backbone's part is pooled; the heads always see the mean, as in training.

    Returns:
        float32 (N, C + 128 per head), each part of unit length, parts in the order of :data:`PARTS`.
    """
    features = features.float()
    pooled = pool_features(features, pooling)
    projected = [project(features, heads[name]) for name in PARTS[1:] if name in heads]
    return torch.cat([normalize(pooled, dim=1), *projected], dim=1)


def video_vector(clips: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    """Average clip vectors float32 (N, D) into one video vector float32 (D,), each part of unit length."""
    return layout.unit(clips.mean(axis=0, dtype=np.float64).astype(np.float32))
