import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from rspnet_core.config import Normalisation
from rspnet_core.errors import InvalidSetting, MissingHead
from rspnet_core.explain.similarity_maps import linear_head, pair_maps, upsampled
from rspnet_core.models import create_model, create_torchvision_model
from rspnet_core.models.features import clip_features
from tests.rspnet_core.hand_set_encoder import hand_set_encoder

CHANNELS = 6


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_clips(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture
def head() -> nn.Linear:
    layer = nn.Linear(CHANNELS, 128)
    with torch.no_grad():
        layer.weight.copy_(noise(128, CHANNELS, seed=2))
        layer.bias.copy_(noise(128, seed=3))
    return layer


def test_mean_of_a_map_is_the_cosine_less_the_part_of_the_bias(head: nn.Linear) -> None:
    features_i, features_j = noise(CHANNELS, 2, 3, 4, seed=0), noise(CHANNELS, 1, 2, 2, seed=1)
    maps = pair_maps(features_i, features_j, head)
    weight, bias = head.weight.detach().double().numpy(), head.bias.detach().double().numpy()
    x_i, x_j = (features.double().numpy().mean(axis=(1, 2, 3)) for features in (features_i, features_j))
    p_i, p_j = weight @ x_i + bias, weight @ x_j + bias
    norms = np.linalg.norm(p_i) * np.linalg.norm(p_j)
    assert maps.cosine == pytest.approx(p_i @ p_j / norms, abs=1e-5)
    assert maps.first.shape == (2, 3, 4)
    assert maps.second.shape == (1, 2, 2)
    expected = (weight @ x_i) @ (weight @ x_j) / norms
    assert [maps.first.mean().item(), maps.second.mean().item()] == pytest.approx([expected, expected], abs=1e-4)


@torch.inference_mode()
def test_cosine_is_that_of_the_models_own_output() -> None:
    model = create_model("tsm18", seed=0).eval()
    clips = random_clips(2, 2, 48, 48, 3)
    settings = Normalisation()
    features = clip_features(model, clips, settings)
    mean, std = torch.tensor(settings.mean), torch.tensor(settings.std)
    pixels = (torch.from_numpy(clips).float() / 255 - mean) / std
    out = model(pixels.permute(0, 4, 1, 2, 3))
    for name, vectors in (("motion", out.motion), ("appearance", out.appearance)):
        cosine = pair_maps(features[0], features[1], linear_head(model, name)).cosine
        assert cosine == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)


def test_many_clips_go_through_in_batches_with_the_same_result() -> None:
    model, clips = hand_set_encoder(), random_clips(9, 3, 16, 16, 3)
    together = clip_features(model, clips, Normalisation())
    alone = torch.cat([clip_features(model, clip[None], Normalisation()) for clip in clips])
    torch.testing.assert_close(together, alone)


def test_a_clip_without_any_feature_gives_a_map_of_zeros() -> None:
    maps = pair_maps(torch.zeros(4, 1, 2, 2), torch.ones(4, 1, 2, 2), hand_set_encoder().motion_head)
    assert maps.cosine == 0
    assert not maps.first.any()


def trilinear(cells: NDArray, shape: tuple[int, ...]) -> NDArray:
    """The definition, one axis after the other: centres of pixels, values beyond the outermost cells held."""
    for axis, size in enumerate(shape):
        centres = (np.arange(size) + 0.5) * cells.shape[axis] / size - 0.5
        cells = np.apply_along_axis(lambda line, at=centres: np.interp(at, np.arange(len(line)), line), axis, cells)
    return cells


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 7, 7), (3, 2, 5)])
def test_maps_are_enlarged_trilinearly_over_time_and_space(shape: tuple[int, int, int]) -> None:
    cells = noise(*shape, seed=0)
    maps = upsampled(cells, 8, 21, 33)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, trilinear(cells.double().numpy(), (8, 21, 33)), atol=1e-5)


def test_an_encoder_without_heads_is_refused() -> None:
    with pytest.raises(MissingHead, match="no motion head"):
        linear_head(create_torchvision_model("r3d_18"), "motion")


@pytest.mark.parametrize("other", [nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 128)), nn.Conv1d(4, 128, 1)])
def test_a_head_that_is_not_one_linear_layer_is_refused(other: nn.Module) -> None:
    model = hand_set_encoder()
    model.motion_head = other
    with pytest.raises(InvalidSetting, match=f"motion head is {type(other).__name__}, heat maps exist for one linear"):
        linear_head(model, "motion")
    assert linear_head(model, "appearance") is model.appearance_head


def test_a_subclass_of_a_linear_layer_is_refused_because_it_may_compute_something_else() -> None:
    class Squared(nn.Linear):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return super().forward(features) ** 2

    model = hand_set_encoder()
    model.appearance_head = Squared(4, 128)
    with pytest.raises(InvalidSetting, match="appearance head is Squared"):
        linear_head(model, "appearance")


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="got head 'fc1', allowed are motion and appearance"):
        linear_head(hand_set_encoder(), "fc1")


def test_a_model_in_training_mode_is_refused() -> None:
    with pytest.raises(InvalidSetting, match=r"call model.eval\(\)"):
        clip_features(hand_set_encoder().train(), random_clips(1, 3, 16, 16, 3), Normalisation())
