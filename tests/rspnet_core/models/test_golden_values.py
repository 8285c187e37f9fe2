"""What the authors' networks compute on weights and clips from closed formulas (``reference/`` beside the code)."""

import importlib.util
import json
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rspnet_core.explain.cam import similarity_activation_map
from rspnet_core.models import TwoHeadModel, TwoHeadOutput, create_model
from tests.conftest import SHARED

REFERENCE = SHARED / "reference"
TOLERANCE = 1e-4
UNUSED_CLASSIFIER = ("fc.", "linear.")
pytestmark = pytest.mark.skipif(
    not (REFERENCE / "encoders.json").is_file(), reason="the golden values (shared/reference) are not on this machine"
)


@pytest.fixture(scope="module")
def closed_form() -> ModuleType:
    spec = importlib.util.spec_from_file_location("closed_form", REFERENCE / "closed_form.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["c3d", "resnet18", "r2plus1d", "s3dg"])
def computed(request, closed_form: ModuleType) -> tuple[dict[str, Any], TwoHeadModel, TwoHeadOutput]:
    """The golden record of one backbone, and our model of it with what it computes on the same clips."""
    golden = json.loads((REFERENCE / "encoders.json").read_text())[request.param]
    model = create_model(request.param, seed=0).eval()
    parts = {"encoder.": model.backbone, "fc1.2.": model.appearance_head, "fc2.2.": model.motion_head}
    for prefix, part in parts.items():
        fill_in_place(part, prefix, closed_form)
    batch, _, frames, size, _ = golden["input"]
    with torch.inference_mode():
        return golden, model, model(closed_form.clip(batch, frames, size, golden["salt"]))


def fill_in_place(part: nn.Module, prefix: str, closed_form: ModuleType) -> None:
    state = closed_form.fill({prefix + name: value for name, value in part.state_dict().items()})
    part.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()})


def relative_error(ours: Tensor, golden: list[float] | float) -> float:
    expected = torch.as_tensor(golden)
    return ((ours.reshape(expected.shape) - expected).abs().max() / expected.abs().max()).item()


def test_parameters_are_the_published_ones_less_the_unused_classifier(computed) -> None:
    golden, model, _ = computed
    published = {key: shape for key, shape in golden["encoder_keys"].items() if not key.startswith(UNUSED_CLASSIFIER)}
    assert {key: list(value.shape) for key, value in model.backbone.state_dict().items()} == published
    assert list(model.appearance_head.weight.shape) == golden["head_keys"]["fc1.2.weight"]


def test_feature_map(computed) -> None:
    golden, _, out = computed
    assert list(out.features.shape) == golden["feature_shape"]
    first_values = out.features[0, :4].flatten()[: len(golden["feature_clip0_channel0to3"])]
    assert relative_error(first_values, golden["feature_clip0_channel0to3"]) < TOLERANCE
    assert relative_error(out.features.mean(), golden["feature_mean"]) < TOLERANCE
    assert relative_error(out.features.std(), golden["feature_std"]) < TOLERANCE
    change = (out.features[1] - out.features[0]).abs().mean()
    assert relative_error(change, golden["feature_clip1_minus_clip0_abs_mean"]) < TOLERANCE


@pytest.mark.parametrize("head", ["motion", "appearance"])
def test_head(computed, head: str) -> None:
    golden, _, out = computed
    first, second = getattr(out, head)
    assert relative_error(first[:16], golden[f"{head}_clip0"]) < TOLERANCE
    assert relative_error(first @ second, golden[f"{head}_cosine_01"]) < TOLERANCE


def test_clip_vector_of_spatial_max_then_mean_over_time(computed) -> None:
    golden, _, out = computed
    pooled = out.features[0].amax(dim=(2, 3)).mean(dim=1)
    assert relative_error(pooled[:16], golden["pooled_spatial_max_then_time_mean_clip0"]) < TOLERANCE


@pytest.mark.parametrize("head", ["motion", "appearance"])
def test_similarity_activation_map(computed, head: str) -> None:
    golden, model, out = computed
    expected = golden["cam_of_clip0_given_clip1"][head]
    with torch.inference_mode():
        maps = similarity_activation_map(out.features[:1], out.features[1:], model.heads[head].weight)
    assert list(maps[0].shape) == expected["shape"]
    assert relative_error(maps.flatten(), expected["values"]) < TOLERANCE
