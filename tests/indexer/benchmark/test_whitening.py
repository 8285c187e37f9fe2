"""Whitening: against the definition, and on what it is for."""

import numpy as np
import pytest

from indexer.benchmark.keyed_rows import KeyedRows
from indexer.benchmark.whitening import whitened
from indexer.ingest.pooling import Layout
from rspnet_core.errors import InvalidSetting

LAYOUT = Layout({"backbone": 6, "motion": 4})


def rows_of(vectors: np.ndarray) -> KeyedRows:
    return KeyedRows(np.arange(len(vectors)), LAYOUT.unit(vectors.astype(np.float32)))


def test_cosines_are_those_of_the_inverse_covariance() -> None:
    # With all directions kept, the whitened cosine is Mahalanobis' inner product of the part less the gallery's mean.
    rows = rows_of(np.random.default_rng(0).normal(size=(30, 10)) * np.arange(1, 11))
    gallery = range(2, 30)
    found, layout = whitened(rows, gallery, LAYOUT, 20)
    assert dict(layout.dims) == {"backbone": 6, "motion": 4}
    for name, place in LAYOUT.slices().items():
        part = rows.vectors[:, place].astype(np.float64)
        less = part - part[2:].mean(0)
        inverse = np.linalg.inv(np.cov(part[2:].T))
        expected = less[0] @ inverse @ less[1] / np.sqrt((less[0] @ inverse @ less[0]) * (less[1] @ inverse @ less[1]))
        own = layout.slices()[name]
        assert found.vectors[0, own] @ found.vectors[1, own] == pytest.approx(expected, abs=1e-4)


def test_wide_directions_that_tell_nothing_hide_the_others_no_more() -> None:
    rng = np.random.default_rng(1)
    classes = np.arange(200) % 2
    vectors = rng.normal(size=(200, 10)) * 0.001
    vectors[:, :2] += 0.5 * rng.normal(size=(200, 2))  # the place
    vectors[:, 2] += 0.05 * (classes - 0.5)  # the action
    vectors[:, 3] += 2
    rows = rows_of(vectors)

    def right(found: KeyedRows, layout: Layout) -> float:
        backbone = found.vectors[:, : layout.dims["backbone"]]
        likeness = backbone @ backbone.T - 9 * np.eye(200)
        return float((classes[likeness.argmax(1)] == classes).mean())

    assert right(rows, LAYOUT) < 0.65
    assert right(*whitened(rows, range(200), LAYOUT, 4)) > 0.95


def test_a_part_keeps_no_more_directions_than_it_has() -> None:
    vectors = np.random.default_rng(2).normal(size=(12, 10))
    vectors[:, 6:] = vectors[:, 6:7]  # one number, four times: after unit length the same for all
    found, layout = whitened(rows_of(np.abs(vectors)), range(12), LAYOUT, 3)
    assert layout.dims["backbone"] == 3 and layout.dims["motion"] == 0
    assert np.isfinite(found.vectors).all() and found.vectors.shape == (12, 3)


@pytest.mark.parametrize("dims", [0, -1, 12, 500])
def test_more_directions_than_the_gallery_tells_are_refused(dims: int) -> None:
    rows = rows_of(np.random.default_rng(3).normal(size=(12, 10)))
    with pytest.raises(InvalidSetting, match="gallery of 12 videos tells 1 to 11 apart"):
        whitened(rows, range(12), LAYOUT, dims)
