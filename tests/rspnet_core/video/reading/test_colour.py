import numpy as np

from rspnet_core.video.reading.colour import colour_histogram


def test_histogram_agrees_with_numpys_and_sums_to_one():
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 20, 3), dtype=np.uint8)
    expected, _ = np.histogramdd(frames.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)
    histogram = colour_histogram(frames)
    assert histogram.shape == (512,) and histogram.dtype == np.float32
    np.testing.assert_allclose(histogram, expected.ravel() / expected.sum(), rtol=1e-6)


def test_pure_red_fills_one_bin():
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert colour_histogram(red).nonzero()[0].tolist() == [7 * 64]
