"""Vectors less what a gallery has in common: a choice, as it helps some encoders and not others."""

from collections.abc import Iterable

import numpy as np

from indexer.benchmark.keyed_rows import KeyedRows
from indexer.ingest.pooling import Layout


def centred(rows: KeyedRows, gallery: Iterable[int], layout: Layout) -> KeyedRows:
    """All vectors less the mean of the gallery's, each part of unit length again.

    Args:
        rows: of layout.size numbers.
        gallery: keys of the gallery; not empty. A query that is left out of its own gallery counts in this mean.
        layout: the parts. One that is the mean itself becomes zero, and is then like nothing.
    """
    mean = rows.at(gallery).mean(axis=0, dtype=np.float64).astype(np.float32)
    return KeyedRows(rows.keys, layout.unit(rows.vectors - mean))
