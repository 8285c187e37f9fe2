import importlib.util

import numpy as np
import pytest

from app.session import projection
from app.session.projection import project
from rspnet_core.errors import InvalidSetting

needs_umap = pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="umap-learn is not installed")


def clusters(count: int = 60, dims: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of unit vectors, and which group each belongs to."""
    rng = np.random.default_rng(0)
    groups = np.arange(count) % 3
    vectors = np.eye(3, dims)[groups] + 0.05 * rng.normal(size=(count, dims))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), groups


def separation(points: np.ndarray, groups: np.ndarray) -> float:
    """Smallest distance between the groups' centres, over the largest distance of a point to its own centre."""
    centres = np.stack([points[groups == group].mean(axis=0) for group in range(3)])
    between = min(np.linalg.norm(centres[a] - centres[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    return float(between / np.linalg.norm(points - centres[groups], axis=1).max())


def test_pca_agrees_with_a_singular_value_decomposition() -> None:
    vectors, _ = clusters()
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * values[:2]
    found = project(vectors)
    for axis in range(2):
        assert abs(np.corrcoef(found.points[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1, abs=1e-5)
    assert found.explained == pytest.approx(tuple(values[:2] ** 2 / (values**2).sum()), abs=1e-5)


def test_pca_keeps_groups_apart_and_fits_the_square() -> None:
    vectors, groups = clusters()
    points = project(vectors).points
    assert separation(points, groups) > 3
    assert np.abs(points).max() == pytest.approx(1)


def test_the_same_vectors_give_the_same_picture() -> None:
    vectors, _ = clusters()
    np.testing.assert_array_equal(project(vectors).points, project(vectors.copy()).points)


@pytest.mark.parametrize("shape", [(0, 8), (1, 8), (2, 8), (5, 1), (4, 2)])
def test_tiny_libraries_have_a_picture(shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    found = project(vectors)
    assert found.points.shape == (shape[0], 2)
    assert np.isfinite(found.points).all()


def test_equal_videos_share_a_place() -> None:
    points = project(np.ones((7, 4), np.float32)).points
    assert np.isfinite(points).all()
    assert np.ptp(points) == 0


def test_umap_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "umap_is_installed", lambda: False)
    with pytest.raises(InvalidSetting, match="install it"):
        project(np.eye(6, dtype=np.float32), "umap")


@needs_umap
@pytest.mark.slow
def test_umap_keeps_groups_apart_and_is_repeatable() -> None:
    vectors, groups = clusters()
    first = project(vectors, "umap")
    assert first.explained is None
    assert separation(first.points, groups) > 1
    np.testing.assert_array_equal(first.points, project(vectors, "umap").points)
