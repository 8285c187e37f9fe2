import pytest
import torch
from torchvision.models import get_model

from rspnet_core.errors import UnknownBackbone
from rspnet_core.models import (
    TORCHVISION_ENCODERS,
    create_torchvision_model,
    torchvision_settings,
    torchvision_weights,
)

CLASSIFIERS = ("fc.", "classifier.")
FEATURES_OF_DEFAULT_CLIP = {
    "r3d_18": (512, 2, 7, 7),
    "mc3_18": (512, 16, 7, 7),
    "r2plus1d_18": (512, 2, 7, 7),
    "s3d": (1024, 2, 7, 7),
}


def test_the_four_networks_are_offered() -> None:
    assert set(TORCHVISION_ENCODERS) == set(FEATURES_OF_DEFAULT_CLIP)


@pytest.mark.parametrize("name", TORCHVISION_ENCODERS)
def test_default_clips_give_the_documented_feature_map(name: str) -> None:
    geometry, _ = torchvision_settings(name)
    with torch.device("meta"):  # shapes alone, nothing is computed
        model = create_torchvision_model(name)
        features = model(torch.empty(2, 3, geometry.frames_per_clip, geometry.size, geometry.size))
    assert features.shape == (2, *FEATURES_OF_DEFAULT_CLIP[name])
    assert model.channels == features.shape[1]
    assert model.heads == {}


@pytest.mark.parametrize("name", TORCHVISION_ENCODERS)
def test_parameters_are_torchvisions_less_the_classifier(name: str) -> None:
    with torch.device("meta"):
        ours = create_torchvision_model(name).backbone.state_dict()
        theirs = get_model(name, weights=None).state_dict()
    assert list(ours) == [key for key in theirs if not key.startswith(CLASSIFIERS)]


@torch.inference_mode()
@pytest.mark.parametrize("name", TORCHVISION_ENCODERS)
def test_torchvisions_own_pooling_and_classifier_on_the_features_give_its_output(name: str) -> None:
    net = get_model(name, weights=None, num_classes=5).eval()
    model = create_torchvision_model(name).eval()
    state = {key: value for key, value in net.state_dict().items() if not key.startswith(CLASSIFIERS)}
    model.backbone.load_state_dict(state)
    size = 224 if name == "s3d" else 32
    clips = torch.randn(1, 3, 16, size, size)
    features = model.features(clips)
    if name == "s3d":
        scores = net.classifier(net.avgpool(features)).mean(dim=(2, 3, 4))
    else:
        scores = net.fc(net.avgpool(features).flatten(1))
    assert torch.allclose(scores, net(clips), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("name", TORCHVISION_ENCODERS)
def test_smallest_clip_gives_features(name: str) -> None:
    model = create_torchvision_model(name).eval()
    frames, size = model.backbone.min_frames, model.backbone.min_size
    assert model.features(torch.zeros(1, 3, frames, size, size)).numel() > 0


@pytest.mark.parametrize(("name", "size"), [("r3d_18", 112), ("mc3_18", 112), ("r2plus1d_18", 112), ("s3d", 224)])
def test_settings_are_those_of_the_published_weights(name: str, size: int) -> None:
    geometry, normalisation = torchvision_settings(name)
    assert (geometry.frames_per_clip, geometry.size, geometry.num_clips) == (16, size, 10)
    assert normalisation.mean == (0.43216, 0.394666, 0.37645)  # of Kinetics, not of ImageNet
    assert normalisation.std == (0.22803, 0.22145, 0.216989)


@pytest.mark.parametrize("function", [create_torchvision_model, torchvision_settings, torchvision_weights])
def test_unknown_network_names_those_that_exist(function) -> None:
    with pytest.raises(UnknownBackbone, match=r"got torchvision:resnet18, have r3d_18, r2plus1d_18, mc3_18, s3d"):
        function("resnet18")
