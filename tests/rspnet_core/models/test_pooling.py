"""Feature maps to vectors of clips and of the video."""

import numpy as np
import pytest
import torch

from rspnet_core.models import Backbone, BackboneModel, TwoHeadModel


class SixChannels(Backbone):
    channels = 6


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
    vectors = BackboneModel(SixChannels()).vectors(features, "max-mean")
    np.testing.assert_allclose(vectors.clips, slow_backbone(features.numpy()), rtol=1e-5)


def test_mean_pooling_is_the_releases(features: torch.Tensor) -> None:
    expected = np.stack([unit(clip.mean(axis=(1, 2, 3))) for clip in features.numpy()])
    np.testing.assert_allclose(BackboneModel(SixChannels()).vectors(features, "mean").clips, expected, rtol=1e-5)


def test_heads_follow_in_fixed_order_and_see_the_mean_whatever_the_pooling(features: torch.Tensor) -> None:
    model = TwoHeadModel(SixChannels())
    assert list(model.part_sizes.items()) == [("backbone", 6), ("motion", 128), ("appearance", 128)]
    for pooling in ("max-mean", "mean"):
        vectors = model.vectors(features, pooling).clips.detach().numpy()
        mean = features.mean(dim=(2, 3, 4))
        motion, appearance = (model.heads[name](mean).detach().numpy() for name in ("motion", "appearance"))
        np.testing.assert_allclose(vectors[:, 6:134], np.stack([unit(row) for row in motion]), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(vectors[:, 134:], np.stack([unit(row) for row in appearance]), rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_the_video_is_the_mean_of_its_clips_with_parts_of_unit_length(features: torch.Tensor) -> None:
    vectors = TwoHeadModel(SixChannels()).vectors(features, "max-mean")
    clips, video = vectors.clips.numpy(), vectors.video.numpy()
    for part in (slice(0, 6), slice(6, 134), slice(134, 262)):
        np.testing.assert_allclose(video[part], unit(clips[:, part].mean(axis=0)), rtol=1e-4, atol=1e-6)
