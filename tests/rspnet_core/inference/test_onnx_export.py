"""ONNX files: any other program computes from them what PyTorch does."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.config import ClipGeometry, EncoderSpec, Normalisation, Pooling
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.inference import onnx_export
from rspnet_core.inference.onnx_export import export_onnx
from rspnet_core.models import BackboneModel, create_backbone_model, create_model
from rspnet_core.models.energy import Energy
from rspnet_core.models.registry import BACKBONES
from rspnet_core.models.two_head import EncoderModel
from rspnet_core.weights.checkpoint import describe, save_checkpoint
from tests import tiny
from tests.rspnet_core.inference.test_folded import NAMES, with_trained_statistics
from tests.test_docs_reference import assert_described

SMALL = ClipGeometry(frames_per_clip=9, size=48)
needs_onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="rspnet[onnx] is not installed",
)


def encoder(backbone: str) -> tuple[EncoderModel, EncoderSpec]:
    make = create_model if backbone in BACKBONES else create_backbone_model  # torchvision's have no heads
    model = make(backbone, seed=0).eval()
    with_trained_statistics(model.backbone)
    model.add_classifier(3)
    normalisation = Normalisation(mean=(0.2, 0.5, 0.7), std=(0.3, 0.2, 0.1))
    spec = describe(model, backbone, source="test", trained=False, geometry=SMALL, normalisation=normalisation)
    return model, spec.model_copy(update={"classes": ("a", "b", "c")})


class Written(NamedTuple):
    """An encoder's file, by the command."""

    path: Path
    document: dict[str, Any]
    graph: Any
    """What PyTorch made of the encoder in ten seconds."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("onnx")
    save_checkpoint(*encoder(tiny.NAME), folder / "tiny.safetensors")
    asked = ("weights", "export", folder / "tiny.safetensors", "--onnx", folder / "tiny.onnx", "--pooling", "mean")
    graphs, export = [], torch.onnx.export
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.onnx, "export", lambda *given, **more: graphs.append(export(*given, **more)) or graphs[0])
        done = CliRunner().invoke(app, [*map(str, asked), "--json"])
    return Written(folder / "tiny.onnx", json.loads(done.stdout), *graphs)


@torch.inference_mode()
def assert_same_vectors(backbone: str, path: Path, outputs: list[str], pooling: Pooling) -> None:
    import onnxruntime

    model, spec = encoder(backbone)
    assert outputs == ["features", *model.part_sizes, "probabilities"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    kept = json.loads(session.get_modelmeta().custom_metadata_map["rspnet"])
    assert kept["pooling"] == pooling
    assert EncoderSpec.model_validate({name: value for name, value in kept.items() if name != "pooling"}) == spec
    for count in (1, 5):
        frames = np.random.default_rng(count).integers(256, size=(count, 9, 48, 48, 3), dtype=np.uint8)
        features, *parts, probabilities = session.run(None, {"frames": frames})
        pixels = torch.from_numpy(frames).permute(0, 4, 1, 2, 3) / 255
        mean, std = (torch.tensor(v).view(1, 3, 1, 1, 1) for v in (spec.normalisation.mean, spec.normalisation.std))
        expected = model.features((pixels - mean) / std)
        assert torch.allclose(torch.from_numpy(features), expected, atol=1e-4 * float(expected.abs().max()))
        clips = model.vectors(expected, pooling).clips
        assert torch.allclose(torch.from_numpy(np.concatenate(parts, axis=1)), clips, atol=1e-4)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@needs_onnx
def test_a_file_gives_pytorchs_vectors_for_any_number_of_clips(written: Written) -> None:
    assert_same_vectors(tiny.NAME, written.path, list(written.document["outputs"]), "mean")


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_file_gives_the_vectors_of_every_backbone(name: str, tmp_path: Path) -> None:
    shapes = export_onnx(*encoder(name), tmp_path / "encoder.onnx")
    assert_same_vectors(name, tmp_path / "encoder.onnx", list(shapes), "max-mean")


@needs_onnx
def test_a_file_that_computes_something_else_is_not_kept(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.onnx").write_bytes(b"the one before")
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: written.graph)
    monkeypatch.setattr(onnx_export, "LEAST_COSINE", 1.01)
    with pytest.raises(WeightsError, match="features of 1 clips are not PyTorch's"):
        export_onnx(*encoder(tiny.NAME), tmp_path / "tiny.onnx", pooling="mean")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]
    assert (tmp_path / "tiny.onnx").read_bytes() == b"the one before"


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(InvalidSetting, match=r"needs onnxruntime; `pip install 'rspnet\[onnx\]'`"):
        export_onnx(*encoder(tiny.NAME), tmp_path / "tiny.onnx")


@needs_onnx
def test_a_folder_that_is_not_there_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"there is no folder .*absent"):
        export_onnx(*encoder(tiny.NAME), tmp_path / "absent" / "tiny.onnx")


def test_what_is_no_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: object())
    model = BackboneModel(Energy()).eval()
    spec = describe(model, "energy", source="no weights", trained=None, geometry=SMALL)
    with pytest.raises(InvalidSetting, match="networks of rspnet and torchvision alone"):
        export_onnx(model, spec, tmp_path / "energy.onnx")


@needs_onnx
def test_the_command_writes_the_file_and_says_its_outputs(written: Written) -> None:
    assert_described("rspnet-train-weights-export", written.document)
    assert written.document["file"] == str(written.path)
    assert written.document["outputs"]["motion"] == ["clips", 128]
    assert written.path.stat().st_size > 100_000
