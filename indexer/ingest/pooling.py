"""Where each part lies in a stored vector [backbone | motion | appearance]."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
