import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting, MissingHead, UnknownBackbone, WeightsError
from rspnet_core.models import TwoHeadModel, create_model, create_torchvision_model
from rspnet_core.recognition.finetune import build_classifier
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.weights.checkpoint import describe, load_checkpoint, load_model, save_checkpoint
from rspnet_core.weights.sources import load_encoder
from tests import tiny

BACKBONE = tiny.NAME
SOME_KEY = "backbone.convolutions.3.weight"


@pytest.fixture(scope="module")
def model() -> TwoHeadModel:
    return create_model(BACKBONE, seed=5)


@pytest.fixture(scope="module")
def saved_once(model: TwoHeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    geometry = ClipGeometry(frames_per_clip=8, size=64, fps=25)
    save_checkpoint(model, describe(model, BACKBONE, source="a test", trained=True, geometry=geometry), path)
    return path


@pytest.fixture
def saved(saved_once: Path, tmp_path: Path) -> Path:
    """A pair of files of the test's own."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(saved_once.with_suffix(suffix), tmp_path)
    return tmp_path / saved_once.name


def test_what_was_saved_is_loaded(model: TwoHeadModel, saved: Path) -> None:
    loaded, spec = load_checkpoint(saved)
    assert not loaded.training
    assert all(values.equal(loaded.state_dict()[key]) for key, values in model.state_dict().items())
    assert (spec.backbone, spec.source, spec.trained) == (BACKBONE, "a test", True)
    assert spec.geometry == ClipGeometry(frames_per_clip=8, size=64, fps=25)
    assert spec == describe(loaded, BACKBONE, source="a test", trained=True, geometry=spec.geometry)
    assert isinstance(load_model(saved), TwoHeadModel)


def test_the_hash_written_is_that_of_the_model_as_saved(saved: Path, tmp_path: Path) -> None:
    loaded, spec = load_checkpoint(saved)
    with torch.no_grad():
        next(loaded.parameters()).add_(1)
    written = save_checkpoint(loaded, spec, tmp_path / "next.safetensors")
    assert written.sha256 != spec.sha256
    assert load_checkpoint(tmp_path / "next.safetensors")[1] == written


def test_a_model_in_another_memory_layout_is_saved_the_same(saved: Path, tmp_path: Path) -> None:
    loaded, spec = load_checkpoint(saved)
    loaded.to(memory_format=torch.channels_last)
    assert not loaded.get_parameter(SOME_KEY).is_contiguous()
    assert save_checkpoint(loaded, spec, tmp_path / "layout.safetensors").sha256 == spec.sha256


def test_saving_replaces_an_older_pair_and_leaves_no_other_files(saved: Path) -> None:
    other = create_model(BACKBONE, seed=6)
    save_checkpoint(other, describe(other, BACKBONE, source="newer", trained=False), saved)
    assert load_checkpoint(saved)[1].source == "newer"
    assert {path.name for path in saved.parent.iterdir()} == {"model.safetensors", "model.json"}


def test_a_diverged_model_is_not_saved(saved: Path) -> None:
    loaded, spec = load_checkpoint(saved)
    before = saved.read_bytes()
    with torch.no_grad():
        loaded.get_parameter(SOME_KEY)[0] = float("nan")
    with pytest.raises(WeightsError, match=f"key '{SOME_KEY}' holds NaN"):
        save_checkpoint(loaded, spec, saved)
    assert saved.read_bytes() == before


def test_saving_where_it_cannot_be_done_is_one_clear_error(model: TwoHeadModel, tmp_path: Path) -> None:
    spec = describe(model, BACKBONE, source="a test", trained=True)
    with pytest.raises(InvalidSetting, match=r"must end in \.safetensors"):
        save_checkpoint(model, spec, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="cannot write"):
        save_checkpoint(model, spec, tmp_path / "absent" / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


Damage = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t | {"backbone.layer9": torch.ones(1)}, "unknown key 'backbone.layer9'"),
        (lambda t: {k: v for k, v in t.items() if k != "motion_head.bias"}, "missing key 'motion_head.bias'"),
        (lambda t: t | {"motion_head.bias": torch.ones(127)}, r"key 'motion_head.bias' has shape \(127,\)"),
        (lambda t: t | {SOME_KEY: torch.full_like(t[SOME_KEY], float("inf"))}, f"key '{SOME_KEY}' holds NaN or inf"),
        (lambda t: t | {SOME_KEY: t[SOME_KEY] + 1e-3}, "SHA-256 of its tensors is .* model.json records .* save both"),
        (lambda t: t | {SOME_KEY: t[SOME_KEY].double()}, "SHA-256 of its tensors"),
    ],
)
def test_tensors_that_are_not_the_recorded_ones_are_refused(saved: Path, damage: Damage, message: str) -> None:
    save_file(damage(load_file(saved)), saved)
    with pytest.raises(WeightsError, match=message) as caught:
        load_checkpoint(saved)
    assert str(saved) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.0, 0.0001, 0.5, 0.9999])
def test_a_truncated_file_is_refused(saved: Path, kept: float) -> None:
    os.truncate(saved, int(saved.stat().st_size * kept))
    with pytest.raises(WeightsError, match=r"not a complete \.safetensors file"):
        load_checkpoint(saved)


def test_a_file_of_another_kind_is_refused(saved: Path) -> None:
    saved.write_bytes(b"\xff" * 4096)
    with pytest.raises(WeightsError, match=r"not a complete \.safetensors file"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "resnet50"}, r"model\.json: got 'resnet50', have c3d"),
        ({"backbone": "torchvision:resnet50"}, r"model\.json: got torchvision:resnet50"),
        ({"backbone": "tsm18"}, "unknown key"),
        ({"sha256": "0"}, r"model\.json: sha256: String should match"),
        ({"colour": "red"}, r"model\.json: colour: Extra inputs"),
        ({"geometry": {"size": -1}}, r"model\.json: geometry\.size: Input should be greater"),
        (
            {"normalisation": {"std": [0.2, 0, 0.2]}},
            r"model\.json: normalisation\.std\.1: Input should be greater than 0",
        ),
        ({"normalisation": {"mean": [0, float("nan"), 0]}}, r"model\.json: normalisation\.mean\.1: .* finite number"),
        ({"two\nlines": 1}, r"model\.json: two\\nlines: Extra inputs"),
        ({"backbone": "torchvision:two\nlines"}, r"model\.json: got torchvision:two\\nlines, have"),
    ],
)
def test_a_description_that_does_not_hold_is_refused(saved: Path, change: dict[str, Any], message: str) -> None:
    description = saved.with_suffix(".json")
    description.write_text(json.dumps(json.loads(description.read_text()) | change))
    with pytest.raises(WeightsError, match=message) as caught:
        load_checkpoint(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_description_that_is_no_document_is_refused(saved: Path, content: bytes) -> None:
    saved.with_suffix(".json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.json: the document"):
        load_checkpoint(saved)


def test_missing_files_are_one_clear_error(saved: Path) -> None:
    saved.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"cannot read .*model\.json.*keep it beside model\.safetensors"):
        load_checkpoint(saved)
    empty = saved.parent / "empty"
    empty.mkdir()
    with pytest.raises(WeightsError, match=r"is a folder; give a weights file, such as .*model\.safetensors"):
        load_checkpoint(empty)
    with pytest.raises(WeightsError, match=r"no weights file absent\.pth\.tar; give"):
        load_checkpoint("absent.pth.tar")
    os.mkfifo(saved.parent / "pipe.pth.tar")
    with pytest.raises(WeightsError, match="no weights file"):
        load_checkpoint(saved.parent / "pipe.pth.tar")


def test_without_weights_the_encoder_is_of_a_fixed_seed_and_says_that_it_is_untrained() -> None:
    first, spec = load_encoder("none", None)
    _, again = load_encoder(None, "resnet18")
    assert (spec.backbone, spec.source, spec.trained) == ("resnet18", "untrained (seed 0)", False)
    assert spec == again
    assert not first.training
    assert load_encoder(None, "tsm18")[1].geometry.frames_per_clip == 8


def test_making_an_encoder_leaves_the_global_random_state_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load_encoder(None, "tsm18")
    load_encoder(str(saved), None)
    assert torch.get_rng_state().equal(before)


def test_fps_replaces_what_the_weights_say(saved: Path) -> None:
    assert load_encoder(str(saved), None)[1].geometry.fps == 25
    spec = load_encoder(str(saved), BACKBONE, fps=12.5)[1]
    assert spec.geometry == ClipGeometry(frames_per_clip=8, size=64, fps=12.5)
    with pytest.raises(InvalidSetting, match="got fps -1"):
        load_encoder(str(saved), None, fps=-1)


def test_a_backbone_that_contradicts_the_weights_is_an_error(saved: Path) -> None:
    with pytest.raises(WeightsError, match="are of backbone tiny, not resnet18"):
        load_encoder(str(saved), "resnet18")
    with pytest.raises(UnknownBackbone, match="'resnet50'"):
        load_encoder(str(saved), "resnet50")


def test_official_weights_are_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = create_model("s3dg", seed=5)
    state = {f"encoder_q.encoder.{key}": values for key, values in model.backbone.state_dict().items()}
    state |= {f"encoder_q.fc1.2.{key}": values for key, values in model.appearance_head.state_dict().items()}
    state |= {f"encoder_q.fc2.2.{key}": values for key, values in model.motion_head.state_dict().items()}
    torch.save({"arch": "s3dg", "model": state}, tmp_path / "model_best_s3dg_1000epoch.pth.tar")
    monkeypatch.setenv("RSPNET_CACHE", str(tmp_path))
    loaded, spec = load_encoder("official:s3dg-1000", "s3dg")
    assert (spec.backbone, spec.source, spec.trained) == ("s3dg", "official:s3dg-1000", True)
    assert loaded.heads["motion"].weight.equal(model.motion_head.weight)


@pytest.fixture(scope="module")
def torchvision_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where torchvision keeps its downloads, with r3d_18's weights (seeded, not trained)."""
    home = tmp_path_factory.mktemp("torch")
    weights = torchvision.models.get_model_weights("r3d_18").DEFAULT
    path = home / "hub" / "checkpoints" / Path(weights.url).name
    path.parent.mkdir(parents=True)
    torch.save(torchvision.models.video.r3d_18().state_dict(), path)
    return home


@pytest.fixture
def torchvision_file(torchvision_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file there; read only."""
    monkeypatch.setenv("TORCH_HOME", str(torchvision_home))
    (path,) = (torchvision_home / "hub" / "checkpoints").iterdir()
    return path


@pytest.mark.parametrize("names", [("torchvision:r3d_18", None), (None, "torchvision:r3d_18")])
def test_torchvision_weights_are_an_encoder_without_heads(
    torchvision_file: Path, names: tuple[str | None, str | None]
) -> None:
    encoder, spec = load_encoder(*names)
    assert (spec.backbone, spec.source, spec.trained) == ("torchvision:r3d_18", "torchvision:r3d_18", True)
    assert (spec.geometry.frames_per_clip, spec.geometry.size) == (16, 112)
    assert spec.normalisation.mean == (0.43216, 0.394666, 0.37645)
    assert encoder.heads == {}
    stored = torch.load(torchvision_file, weights_only=True)
    assert encoder.state_dict()["backbone.stem.0.weight"].equal(stored["stem.0.weight"])


@pytest.mark.usefixtures("torchvision_file")
def test_supervised_weights_are_fine_tuned_with_their_own_pixel_statistics(tmp_path: Path) -> None:
    name = "torchvision:r3d_18"
    recipe = FinetuneRecipe(backbone=name, from_weights=name)
    classifier, normalisation = build_classifier(recipe, 3, num_steps=10)
    assert normalisation.mean == (0.43216, 0.394666, 0.37645)
    encoder, path = classifier.encoder, tmp_path / "tuned.safetensors"
    spec = describe(encoder, name, source="a test", trained=True, normalisation=normalisation, classes=("a", "b", "c"))
    save_checkpoint(encoder, spec, path)
    loaded, read = load_checkpoint(path)
    assert (read.backbone, read.classes, read.normalisation) == (name, ("a", "b", "c"), normalisation)
    assert loaded.classifier is not None and loaded.classifier.weight.equal(classifier.new_layer.weight)


def test_damaged_torchvision_weights_are_one_clear_error(
    torchvision_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "hub" / "checkpoints" / torchvision_file.name
    damaged.parent.mkdir(parents=True)
    with torchvision_file.open("rb") as file:
        damaged.write_bytes(file.read(100_000))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        WeightsError, match=r"cannot get torchvision:r3d_18 from https://.*delete .*r3d_18.* try again"
    ) as caught:
        load_encoder("torchvision:r3d_18", None)
    assert "\n" not in str(caught.value)
    with pytest.raises(UnknownBackbone, match="torchvision:resnet50"):
        load_encoder("torchvision:resnet50", None)


def test_an_encoder_without_heads_is_saved_too_but_is_no_two_head_model(tmp_path: Path) -> None:
    path = tmp_path / "r3d.safetensors"
    encoder = create_torchvision_model("r3d_18")
    save_checkpoint(encoder, describe(encoder, "torchvision:r3d_18", source="a test", trained=False), path)
    assert load_encoder(str(path), "torchvision:r3d_18")[0].heads == {}
    with pytest.raises(MissingHead, match="has no heads"):
        load_model(path)


def test_a_classifier_travels_with_its_encoder(tmp_path: Path) -> None:
    model, path = create_model(BACKBONE, seed=5), tmp_path / "tuned.safetensors"
    model.add_classifier(3)
    classes = ("a", "b c", "é")
    save_checkpoint(model, describe(model, BACKBONE, source="a test", trained=True, classes=classes, fold=2), path)
    loaded, spec = load_checkpoint(path)
    assert (spec.classes, spec.fold) == (classes, 2)
    assert loaded.classifier is not None and model.classifier is not None
    assert loaded.classifier.weight.equal(model.classifier.weight)


def test_a_classifier_of_other_classes_is_refused(tmp_path: Path) -> None:
    model, path = create_model(BACKBONE, seed=5), tmp_path / "tuned.safetensors"
    model.add_classifier(3)
    save_checkpoint(model, describe(model, BACKBONE, source="a test", trained=True, classes=("a", "b")), path)
    with pytest.raises(WeightsError, match=r"classifier.* has shape \(3"):
        load_checkpoint(path)
