"""Import of checkpoints in the layout of the authors' release, written here with torch.save."""

import importlib.util
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rspnet_core.errors import WeightsError
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.weights.checkpoint import load_checkpoint, load_model
from rspnet_core.weights.official import BACKBONE_OF_ARCH, read_official
from tests.conftest import SHARED

REFERENCE = SHARED / "reference"
CLASSIFIER = {"c3d": "linear", "resnet18": "fc", "r2plus1d": "linear", "s3dg": "fc"}
ARCH_OF_BACKBONE = {backbone: arch for arch, backbone in BACKBONE_OF_ARCH.items()}
State = dict[str, Tensor]


def official_state(backbone: str, model: TwoHeadModel) -> State:
    """State dict of the release's layout with a model's weights; of the momentum copy a few keys are enough."""
    encoder = {f"encoder.{key}": values for key, values in model.backbone.state_dict().items()}
    encoder[f"encoder.{CLASSIFIER[backbone]}.weight"] = torch.zeros(1, model.channels)
    encoder[f"encoder.{CLASSIFIER[backbone]}.bias"] = torch.zeros(1)
    heads = {"fc1": model.appearance_head, "fc2": model.motion_head}
    encoder |= {f"{fc}.2.{key}": values for fc, head in heads.items() for key, values in head.state_dict().items()}
    state = {f"encoder_q.{key}": values for key, values in encoder.items()}
    state |= {f"encoder_k.{key}": torch.full_like(values, 7) for key, values in list(encoder.items())[-6:]}
    return state | {"queue": torch.zeros(128, 64), "queue_ptr": torch.zeros(1, dtype=torch.int64)}


def checkpoint(backbone: str, state: State) -> dict[str, Any]:
    """The release's dict around a state dict, with a real optimiser's and scheduler's state."""
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9, weight_decay=1e-4)
    parameter.sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=200, eta_min=1e-4)
    return {
        "epoch": 200,
        "arch": ARCH_OF_BACKBONE[backbone],
        "model": state,
        "best_loss": 1.25,
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }


@pytest.fixture(scope="module")
def s3dg_state() -> State:
    """Right keys and shapes, but each tensor is one stored number: files of kilobytes."""
    return {
        key: values.flatten()[0].clone().expand(values.shape)
        for key, values in official_state("s3dg", create_model("s3dg", seed=3)).items()
    }


@pytest.fixture(scope="module", params=CLASSIFIER)
def published(request: pytest.FixtureRequest) -> tuple[str, TwoHeadModel]:
    """A backbone and a model of it; read only."""
    return request.param, create_model(request.param, seed=3)


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_every_published_network_is_imported(
    tmp_path: Path, published: tuple[str, TwoHeadModel], zip_format: bool
) -> None:
    backbone, theirs = published
    path = tmp_path / f"model_best_{backbone}_200epoch.pth.tar"
    torch.save(checkpoint(backbone, official_state(backbone, theirs)), path, _use_new_zipfile_serialization=zip_format)
    model, spec = load_checkpoint(path)
    assert (spec.backbone, spec.trained, spec.source) == (backbone, True, path.name)
    assert not model.training
    path.unlink()
    expected = theirs.state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(values.equal(expected[key]) for key, values in model.state_dict().items())


def test_keys_of_a_wrapped_model_are_understood(tmp_path: Path, s3dg_state: State) -> None:
    path = tmp_path / "wrapped.pth.tar"
    torch.save(checkpoint("s3dg", {f"module.{key}": values for key, values in s3dg_state.items()}), path)
    assert load_model(path).motion_head.weight.equal(s3dg_state["encoder_q.fc2.2.weight"])


def renamed(state: State, old: str, new: str) -> State:
    return {new if key == old else key: values for key, values in state.items()}


SOME_KEY = "encoder_q.encoder.feature.sepInc_5c.branch0.conv3d.weight"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: renamed(s, SOME_KEY, SOME_KEY + "x"), f"unknown key '{SOME_KEY}x'; give weights"),
        (lambda s: {k: v for k, v in s.items() if k != SOME_KEY}, f"missing key '{SOME_KEY}'"),
        (lambda s: {k: v for k, v in s.items() if k != "encoder_q.fc2.2.bias"}, r"missing key 'encoder_q.fc2.2.bias'"),
        (lambda s: s | {"encoder_q.fc1.2.weight": torch.zeros(128, 512)}, r"'encoder_q.fc1.2.weight' has shape"),
        (lambda s: s | {SOME_KEY: torch.full_like(s[SOME_KEY], float("nan"))}, f"'{SOME_KEY}' holds NaN"),
        (lambda s: s | {"encoder_q.fc3.2.weight": torch.zeros(2)}, r"unknown key 'encoder_q.fc3.2.weight' in 'model'"),
        (lambda s: s | {"decoder.weight": torch.zeros(2)}, r"unknown key 'decoder.weight' in 'model'"),
        (lambda s: s | {SOME_KEY: 3}, "'model' does not map names to tensors"),
    ],
)
def test_a_state_that_is_not_the_networks_is_refused_by_name(
    tmp_path: Path, s3dg_state: State, damage: Callable[[State], State], message: str
) -> None:
    path = tmp_path / "damaged.pth.tar"
    torch.save(checkpoint("s3dg", damage(s3dg_state)), path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"arch": "resnet50", "model": {}}, "unknown arch 'resnet50'; can import c3d, resnet18, r2plus1d-vcop, s3dg"),
        ({"arch": 18, "model": {}}, "holds a dict with 2 keys"),
        ({"state_dict": {}}, r"holds a dict with 1 keys \('state_dict'"),
        ({"arch": "c3d", "model": [1]}, "'model' does not map names to tensors"),
        ({"arch": "c3d", "model": {}}, "missing key 'encoder_q.fc1.2.bias'"),
        (torch.zeros(3), "holds a Tensor; an official checkpoint is a dict"),
    ],
)
def test_another_content_is_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "other.pth.tar"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=message):
        load_checkpoint(path)


class Malicious:
    """Creates a file when unpickled by an unsafe loader."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("writer", ["zip", "legacy", "pickle"])
def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path: Path, writer: str) -> None:
    path, target = tmp_path / "evil.pth.tar", tmp_path / "owned"
    content = {"arch": "c3d", "model": {}, "optimizer": Malicious(target)}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "zip")
    with pytest.raises(WeightsError, match=r"weights_only=True \(Unsupported (global: GLOBAL|operand)") as caught:
        read_official(path)
    assert not target.exists()
    assert str(caught.value).isprintable() and "can still be loaded" not in str(caught.value)


@pytest.fixture(scope="module", params=[True, False], ids=["zip", "legacy"])
def complete_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, s3dg_state: State) -> Path:
    path = tmp_path_factory.mktemp("complete") / "complete.pth.tar"
    torch.save(checkpoint("s3dg", s3dg_state), path, _use_new_zipfile_serialization=request.param)
    return path


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, complete_file: Path, kept: float) -> None:
    content = complete_file.read_bytes()
    path = tmp_path / "short.pth.tar"
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WeightsError, match="damaged, or not a checkpoint") as caught:
        read_official(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"hello", b"\x80\x02", b"PK\x03\x04", b"\x00" * 1000, b"version https://x"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.pth.tar"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged, or not a checkpoint"):
        read_official(path)


def test_a_compressed_zip_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth.tar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x00" * 1_000_000)
    with pytest.raises(WeightsError, match="a compressed zip"):
        read_official(path)


@pytest.fixture(scope="module")
def closed_form() -> ModuleType:
    path = REFERENCE / "closed_form.py"
    if not path.is_file():
        pytest.skip("the reference values (shared/reference) are not here")
    module_spec = importlib.util.spec_from_file_location("closed_form", path)
    assert module_spec and module_spec.loader
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return module


def test_imported_resnet18_computes_what_the_published_network_does(tmp_path: Path, closed_form: ModuleType) -> None:
    golden = json.loads((REFERENCE / "encoders.json").read_text())["resnet18"]
    shapes = {f"encoder.{key}": shape for key, shape in golden["encoder_keys"].items()} | golden["head_keys"]
    empty = {
        key: torch.zeros(shape, dtype=torch.int64 if key.endswith("num_batches_tracked") else torch.float32)
        for key, shape in shapes.items()
    }
    encoder = {f"encoder_q.{key}": values for key, values in closed_form.fill(empty).items()}
    momentum = {key.replace("encoder_q", "encoder_k"): values + 1 for key, values in encoder.items()}
    queue = {"queue": torch.zeros(128, 16384), "queue_ptr": torch.zeros(1, dtype=torch.int64)}
    path = tmp_path / "model_best_resnet18_200epoch.pth.tar"
    torch.save(checkpoint("resnet18", encoder | momentum | queue), path)

    batch, _, frames, size, _ = golden["input"]
    with torch.inference_mode():
        out = load_model(path)(closed_form.clip(batch, frames, size, golden["salt"]))
    assert list(out.features.shape) == golden["feature_shape"]
    expected = np.array(golden["feature_clip0_channel0to3"])
    found = out.features[0].flatten()[: expected.size].numpy()
    assert np.abs(found - expected).max() / np.abs(expected).max() < 1e-4
    assert np.allclose(out.appearance[0, :16], golden["appearance_clip0"], atol=1e-5)
    assert np.allclose(out.motion[0, :16], golden["motion_clip0"], atol=1e-5)
