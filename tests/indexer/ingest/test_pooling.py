import numpy as np
import pytest
import torch
from torch import nn

from indexer.ingest.pooling import Layout, clip_vectors, video_vector


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def slow_backbone(features: np.ndarray) -> np.ndarray:
    """Section 4.3, a loop at a time: the maximum over space at each time, then the mean over time."""
    clips, channels, times, _, _ = features.shape
    pooled = np.zeros((clips, channels))
    for clip in range(clips):
        for channel in range(channels):
            pooled[clip, channel] = sum(features[clip, channel, t].max() for t in range(times)) / times
    return np.stack([unit(row) for row in pooled])


@pytest.fixture
def features() -> torch.Tensor:
    return torch.rand(3, 6, 2, 4, 5, generator=torch.Generator().manual_seed(3))


def test_backbone_part_is_the_spatial_maximum_averaged_over_time(features: torch.Tensor) -> None:
    vectors = clip_vectors(features, {}, "max-mean").numpy()
    np.testing.assert_allclose(vectors, slow_backbone(features.numpy()), rtol=1e-5)


def test_mean_pooling_is_the_releases(features: torch.Tensor) -> None:
    expected = np.stack([unit(clip.mean(axis=(1, 2, 3))) for clip in features.numpy()])
    np.testing.assert_allclose(clip_vectors(features, {}, "mean").numpy(), expected, rtol=1e-5)


def test_heads_follow_in_fixed_order_and_see_the_mean_whatever_the_pooling(features: torch.Tensor) -> None:
    heads = {"appearance": nn.Linear(6, 4), "motion": nn.Linear(6, 3)}
    for pooling in ("max-mean", "mean"):
        vectors = clip_vectors(features, heads, pooling).detach().numpy()
        mean = features.mean(dim=(2, 3, 4))
        motion, appearance = (heads[name](mean).detach().numpy() for name in ("motion", "appearance"))
        np.testing.assert_allclose(vectors[:, 6:9], np.stack([unit(row) for row in motion]), rtol=1e-5)
        np.testing.assert_allclose(vectors[:, 9:], np.stack([unit(row) for row in appearance]), rtol=1e-5)


def test_video_vector_is_the_mean_of_its_clips_with_parts_of_unit_length() -> None:
    layout = Layout({"backbone": 4, "motion": 3})
    clips = layout.unit(np.random.default_rng(0).normal(size=(10, 7)).astype(np.float32))
    vector = video_vector(clips, layout)
    np.testing.assert_allclose(vector[:4], unit(clips[:, :4].mean(axis=0)), rtol=1e-5)
    np.testing.assert_allclose(vector[4:], unit(clips[:, 4:].mean(axis=0)), rtol=1e-5)


def test_layout_of_an_encoder_without_heads_is_the_backbone_alone() -> None:
    layout = Layout({"backbone": 4})
    assert (layout.size, layout.slices()) == (4, {"backbone": slice(0, 4)})
