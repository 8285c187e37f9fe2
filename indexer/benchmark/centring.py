"""Vectors less what a gallery has in common: a choice, as it helps some encoders and not others."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from indexer.ingest.pooling import Layout

KeyedRows = Mapping[int, NDArray[np.float32]]
"""A video's key to its vector."""


def centred(rows: KeyedRows, gallery: Iterable[int], layout: Layout) -> KeyedRows:
    """All vectors less the mean of the gallery's, each part of unit length again.

    Args:
        rows: float32 (layout.size,) by key.
        gallery: keys of the gallery; not empty. A query that is left out of its own gallery counts in this mean.
        layout: the parts. One that is the mean itself becomes zero, and is then like nothing.
    """
    mean = np.mean([rows[key] for key in gallery], axis=0, dtype=np.float64).astype(np.float32)
    return {key: layout.unit(row - mean) for key, row in rows.items()}
