"""Vectors whose directions count alike: a choice, as it helps where people and places repeat and hurts elsewhere."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from indexer.benchmark.keyed_rows import KeyedRows
from indexer.ingest.pooling import Layout
from rspnet_core.errors import InvalidSetting

_LEAST_SPREAD = 1e-5
"""Of the widest direction's; what spreads less is rounding."""


def whitened(rows: KeyedRows, gallery: Iterable[int], layout: Layout, dims: int) -> tuple[KeyedRows, Layout]:
    """Each part on the ``dims`` directions in which the gallery spreads most, each scaled to the same spread.

    Args:
        rows: of layout.size numbers.
        gallery: keys of the gallery, from which the directions are learnt; labels are not used. A query that is left
            out of its own gallery counts here.
        layout: the parts; one that has fewer directions keeps those.
        dims: from 1 to the gallery's videos less one.

    Returns:
        Vectors whose parts have unit length, and where these lie now.

    Raises:
        InvalidSetting: more dimensions than a gallery of this size can tell.
    """
    stacked = rows.at(gallery).astype(np.float64)
    if not 1 <= dims < len(stacked):
        raise InvalidSetting(
            f"whitening to {dims} dimensions: a gallery of {len(stacked)} videos tells 1 to {len(stacked) - 1} apart"
        )
    parts = {
        name: (rows.vectors[:, place].astype(np.float64) - stacked[:, place].mean(0)) @ _axes(stacked[:, place], dims)
        for name, place in layout.slices().items()
    }
    found = Layout({name: part.shape[1] for name, part in parts.items()})
    unit = found.unit(np.concatenate(list(parts.values()), axis=1).astype(np.float32))
    return KeyedRows(rows.keys, unit), found


def _axes(vectors: NDArray[np.float64], dims: int) -> NDArray[np.float64]:
    """(D, at most dims): principal directions of vectors (n, D), each divided by its spread."""
    _, spreads, directions = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    kept = int((spreads[:dims] > _LEAST_SPREAD * max(float(spreads[0]), 1e-12)).sum())
    axes: NDArray[np.float64] = (directions[:kept] / spreads[:kept, None]).T
    return axes
