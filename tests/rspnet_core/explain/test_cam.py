import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rspnet_core.errors import InvalidSetting
from rspnet_core.explain.cam import similarity_activation_map
from rspnet_core.models import create_model

CHANNELS = 12


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def map_by_loops(features_i: NDArray, features_j: NDArray, weight: NDArray) -> NDArray:
    """Eq. 4 of the paper for one pair, read from right to left: every cell f of F_i gets (W x_j) . (W f)."""
    channels, time, height, width = features_i.shape
    x_j = np.zeros(channels)
    for channel in range(channels):
        x_j[channel] = features_j[channel].sum() / features_j[channel].size
    result = np.zeros((time, height, width))
    for t, y, x in np.ndindex(time, height, width):
        for row in weight:
            result[t, y, x] += np.dot(row, x_j) * np.dot(row, features_i[:, t, y, x])
    return result


def test_map_equals_slow_loops_where_the_two_clips_differ_in_length_and_size() -> None:
    features_i, features_j = noise(2, CHANNELS, 2, 3, 4, seed=0), noise(2, CHANNELS, 1, 2, 2, seed=1)
    weight = noise(128, CHANNELS, seed=2)
    for first, second in ((features_i, features_j), (features_j, features_i)):  # both directions of a pair
        maps = similarity_activation_map(first, second, weight)
        assert maps.shape == (2, *first.shape[2:])
        for pair in range(2):
            expected = map_by_loops(
                first[pair].double().numpy(), second[pair].double().numpy(), weight.double().numpy()
            )
            np.testing.assert_allclose(maps[pair].numpy(), expected, rtol=1e-4, atol=1e-3)


def test_mean_of_the_map_is_the_inner_product_of_the_projections() -> None:
    features_i, features_j = noise(3, CHANNELS, 2, 3, 3, seed=0), noise(3, CHANNELS, 2, 3, 3, seed=1)
    weight = noise(128, CHANNELS, seed=2)
    there, back = (
        similarity_activation_map(*pair, weight) for pair in ((features_i, features_j), (features_j, features_i))
    )
    projected_i, projected_j = (features.mean(dim=(2, 3, 4)) @ weight.T for features in (features_i, features_j))
    torch.testing.assert_close(there.mean(dim=(1, 2, 3)), (projected_i * projected_j).sum(dim=1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(there.mean(dim=(1, 2, 3)), back.mean(dim=(1, 2, 3)), rtol=1e-4, atol=1e-4)


def test_map_is_brightest_where_both_clips_show_the_same() -> None:
    features_i, features_j = torch.zeros(1, CHANNELS, 1, 4, 4), torch.zeros(1, CHANNELS, 1, 4, 4)
    features_i[0, 0, 0, 1, 2] = features_j[0, 0, 0, 3, 3] = 1  # the same channel at two places
    features_i[0, 1, 0, 0, 0] = 1  # something that clip j does not show
    maps = similarity_activation_map(features_i, features_j, torch.eye(128, CHANNELS))
    assert maps.flatten().nonzero().tolist() == [[1 * 4 + 2]]


def test_half_precision_features_give_a_float32_map() -> None:
    features, weight = noise(1, CHANNELS, 2, 3, 3, seed=0), noise(128, CHANNELS, seed=2)
    maps = similarity_activation_map(features.bfloat16(), features.bfloat16(), weight.bfloat16())
    assert maps.dtype == torch.float32
    exact = similarity_activation_map(features, features, weight)
    assert (maps - exact).abs().max() < 0.02 * exact.abs().max()


@torch.inference_mode()
def test_both_heads_of_a_model_explain_a_pair_of_clips() -> None:
    model = create_model("tsm18", seed=0).eval()
    features = model.features(noise(2, 3, 8, 64, 64, seed=0))
    maps = {
        name: similarity_activation_map(features[:1], features[1:], head.weight) for name, head in model.heads.items()
    }
    assert maps["motion"].shape == maps["appearance"].shape == (1, 8, 2, 2)
    assert not torch.allclose(maps["motion"], maps["appearance"])


@pytest.mark.parametrize(
    ("shape_i", "shape_j", "weight_shape", "message"),
    [
        ((1, 8, 2, 3, 3), (1, 8, 2, 3, 3), (128,), r"head_weight of shape \(128,\), allowed is \(any, 8\)"),
        ((1, 8, 2, 3, 3), (1, 8, 2, 3, 3), (128, 9), r"head_weight of shape \(128, 9\), allowed is \(any, 8\)"),
        ((1, 8, 2, 3, 3), (1, 7, 2, 3, 3), (128, 8), r"\(1, 8\) and \(1, 7\) as batch and channels"),
        ((2, 8, 2, 3, 3), (1, 8, 2, 3, 3), (128, 8), r"\(2, 8\) and \(1, 8\) as batch and channels"),
        ((8, 2, 3, 3), (1, 8, 2, 3, 3), (128, 8), r"features_i of shape \(8, 2, 3, 3\)"),
        ((1, 8, 2, 3, 3), (1, 8), (128, 8), r"features_j of shape \(1, 8\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shape_i, shape_j, weight_shape, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        similarity_activation_map(torch.zeros(shape_i), torch.zeros(shape_j), torch.zeros(weight_shape))
