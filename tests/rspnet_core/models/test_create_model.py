import pytest
import torch

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import UnknownBackbone
from rspnet_core.models import BACKBONES, create_model, default_geometry

FEATURES_OF_DEFAULT_CLIP = {
    "c3d": (512, 2, 7, 7),
    "resnet18": (512, 1, 4, 4),
    "r2plus1d": (512, 2, 7, 7),
    "s3dg": (1024, 2, 7, 7),
    "tsm18": (512, 8, 4, 4),
    "small18": (256, 2, 3, 3),
}
SOME_PARAMETERS = {
    "c3d": {"conv1.weight": (64, 3, 3, 3, 3), "conv5b.bias": (512,), "bn3a.running_mean": (256,)},
    "resnet18": {"conv1.weight": (64, 3, 7, 7, 7), "layer2.0.downsample.0.weight": (128, 64, 1, 1, 1)},
    "r2plus1d": {
        "conv1.spatial_conv.weight": (83, 3, 1, 7, 7),
        "conv1.temporal_conv.weight": (64, 83, 3, 1, 1),
        "conv5.block1.downsampleconv.spatial_conv.weight": (170, 256, 1, 1, 1),
        "conv5.block1.conv2.bn.weight": (1152,),
    },
    "s3dg": {
        "feature.sepConv1.sep_conv.0.conv3d.weight": (64, 3, 1, 7, 7),
        "feature.sepInc_4e.branch1.1.excitation.bias": (288,),
        "feature.sepInc_5c.branch3.1.bn.running_var": (128,),
    },
    "tsm18": {"conv1.weight": (64, 3, 7, 7), "layer4.0.downsample.1.weight": (512,)},
    "small18": {"conv1.weight": (32, 3, 7, 7, 7), "layer4.1.conv2.weight": (256, 256, 3, 3, 3)},
}


@pytest.mark.parametrize("name", BACKBONES)
def test_default_clips_give_the_documented_feature_map(name: str) -> None:
    geometry = default_geometry(name)
    with torch.device("meta"):  # shapes alone, nothing is computed
        clips = torch.empty(2, 3, geometry.frames_per_clip, geometry.size, geometry.size)
        features = create_model(name).features(clips)
    assert features.shape == (2, *FEATURES_OF_DEFAULT_CLIP[name])


def test_default_geometry_is_that_of_the_paper() -> None:
    assert default_geometry("resnet18") == ClipGeometry(num_clips=10, frames_per_clip=16, frame_step=1, size=112)
    assert default_geometry("s3dg").size == 224
    assert default_geometry("tsm18").frames_per_clip == 8


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_have_their_published_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        state = create_model(name).backbone.state_dict()
    expected = SOME_PARAMETERS[name]
    assert {key: tuple(state[key].shape) for key in expected} == expected
    assert not [key for key in state if key.startswith(("fc.", "linear."))]


@pytest.mark.parametrize("name", BACKBONES)
def test_same_seed_gives_same_weights_and_leaves_the_random_state_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    first, second, other = (create_model(name, seed=seed).state_dict() for seed in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["motion_head.weight"], other["motion_head.weight"])
    assert not torch.equal(first["motion_head.weight"], first["appearance_head.weight"])


def test_without_a_seed_weights_come_from_the_global_random_state() -> None:
    first, second = create_model("tsm18"), create_model("tsm18")
    assert not torch.equal(first.backbone.get_parameter("conv1.weight"), second.backbone.get_parameter("conv1.weight"))


def test_convolutions_start_at_the_scale_that_keeps_the_signal() -> None:
    weight = create_model("resnet18", seed=0).backbone.get_parameter("layer3.1.conv1.weight")
    fan_out = weight.shape[0] * weight[0, 0].numel()
    assert weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)


@pytest.mark.parametrize("function", [create_model, default_geometry])
def test_unknown_backbone_names_those_that_exist(function) -> None:
    with pytest.raises(UnknownBackbone, match=r"got 'resnet50', have c3d, resnet18, r2plus1d, s3dg, tsm18"):
        function("resnet50")
