"""A library on a plane: vectors to two coordinates, by PCA at once or by UMAP where it is installed."""

import threading
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rspnet_core.errors import InvalidSetting

Method = Literal["pca", "umap"]

_FEWEST_FOR_UMAP = 5  # it looks for neighbours; below that there are hardly any
_NEIGHBOURS = 15
_ONE_AT_A_TIME = threading.Lock()  # numba ends the process when two threads use its plain thread pool


@dataclass(frozen=True, eq=False)
class Projection:
    """Where each video lies on the plane."""

    method: Method
    points: NDArray[np.float32]
    """float32 (N, 2): centred, the farther coordinate at 1 or -1, both axes to the same scale."""
    explained: tuple[float, float] | None = None
    """Share (0 to 1) of the variance along each axis; None for UMAP, whose axes mean nothing."""


def umap_is_installed() -> bool:
    """Whether the package ``umap-learn`` is there; it is not imported for that, which takes seconds."""
    return find_spec("umap") is not None


def project(vectors: NDArray[np.float32], method: Method = "pca") -> Projection:
    """Vectors float32 (N, D), N and D any numbers, to the plane.

    The same vectors give the same picture. PCA of 10,000 x 512 takes about a second on two cores, UMAP one or
    two minutes.

    Raises:
        InvalidSetting: UMAP was asked for and is not installed.
    """
    plane, explained = _principal_axes(vectors)
    if method == "pca":
        return Projection("pca", _scaled(plane), explained)
    if not umap_is_installed():
        raise InvalidSetting("UMAP needs the package umap-learn; install it (`pip install umap-learn`) or use PCA")
    if len(vectors) < _FEWEST_FOR_UMAP:
        return Projection("umap", _scaled(plane))
    return Projection("umap", _scaled(_umap(vectors, start=_scaled(plane))))


def _principal_axes(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Coordinates float64 (N, 2) along the two directions of largest variance, and its shares."""
    if not vectors.size:
        return np.zeros((len(vectors), 2)), (0.0, 0.0)
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    variances, axes = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    variances = variances[::-1].clip(0)  # they came in ascending order
    axes = axes[:, ::-1][:, :2]
    # An axis may point either way: its largest component is made positive, so that the picture is always the same.
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(axes.shape[1])])
    plane = np.zeros((len(vectors), 2))
    plane[:, : axes.shape[1]] = centred @ axes
    shares = variances[:2] / max(float(variances.sum()), 1e-12)
    first, second = (*shares.tolist(), 0.0)[:2]
    return plane, (first, second)


def _umap(vectors: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.float64]:
    """UMAP by cosine, begun at the PCA picture: repeatable, and independent of a spectral solver that can fail."""
    with _ONE_AT_A_TIME:
        umap = import_module("umap")  # not at the top: it takes seconds, numba compiles
        neighbours = min(_NEIGHBOURS, len(vectors) - 1)
        reducer = umap.UMAP(n_neighbors=neighbours, metric="cosine", init=10 * start, random_state=0, n_jobs=1)
        return np.asarray(reducer.fit_transform(vectors), dtype=np.float64)


def _scaled(plane: NDArray[np.float64]) -> NDArray[np.float32]:
    """The points moved and scaled into the square from -1 to 1, keeping their proportions."""
    if not len(plane):
        return plane.astype(np.float32)
    low, high = plane.min(axis=0), plane.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    return np.asarray((plane - (low + high) / 2) / half, dtype=np.float32)
