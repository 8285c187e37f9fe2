"""Fine-tuning as its user sees it: labelled videos in, an encoder with classes out; stops."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from indexer.ingest.build import build_library
from rspnet_core.cli.main import app
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.recognition.evaluate import evaluate, evaluate_frozen
from rspnet_core.recognition.finetune import finetune
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.training.state import read_state
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.weights.checkpoint import load_checkpoint
from tests.rspnet_core.training.runs import CtrlC, Hearing, assert_same_bits, state, weights

pytestmark = pytest.mark.usefixtures("thin_networks")

SETTINGS = {
    "backbone": "tsm18",
    "epochs": 3,
    "batch_size": 8,
    "optimiser": "adamw",
    "learning_rate": 5e-4,
    "frames_per_clip": 2,
    "clip_size": 32,
    "augmentation.flip": "false",
}


def recipe(**changes: object) -> FinetuneRecipe:
    values = {name: value for name, value in SETTINGS.items() if "." not in name}
    return FinetuneRecipe.model_validate(values | {"augmentation": {"flip": False}} | changes)


@pytest.fixture(scope="module")
def tuned(thin_networks: None, sample_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tuned") / "run"
    run = finetune(sample_videos, out, recipe(), device="cpu")
    assert (run.step, len(run.source.paths), run.stopped) == (6, 16, False)
    return out


@pytest.mark.slow
def test_the_model_of_a_run_has_classes_and_builds_a_library(tuned: Path, few_videos: Path, tmp_path: Path) -> None:
    model, spec = load_checkpoint(tuned / "model.safetensors")
    assert spec.classes == ("Bounce", "Rise", "Shake", "SlideLeft", "SlideRight", "Spin", "Swing", "Zoom")
    assert (spec.fold, model.heads, spec.geometry.frames_per_clip, spec.geometry.size) == (1, {}, 2, 32)
    report = build_library(few_videos, index=tmp_path / "x", weights=str(tuned / "model.safetensors"), device="cpu")
    assert (report.indexed, report.failed) == (4, [])


def test_evaluation_is_the_mean_softmax_of_ten_clips(tuned: Path, sample_videos: Path) -> None:
    (found,) = evaluate(sample_videos, [str(tuned / "model.safetensors")], device="cpu")
    model, spec = load_checkpoint(tuned / "model.safetensors")
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (spec.normalisation.mean, spec.normalisation.std))
    right = 0
    for told in found["predictions"]:
        shares = np.zeros(8)
        for clip in read_clips(sample_videos / told["path"], spec.geometry).frames:
            pixels = torch.from_numpy(clip.copy()).permute(3, 0, 1, 2) / 255
            with torch.no_grad():
                pooled = model.features(((pixels - mean) / std)[None]).mean(dim=(2, 3, 4))
                assert model.classifier is not None
                shares += model.classifier(pooled).softmax(dim=1)[0].numpy() / 10
        assert told["predicted"] == spec.classes[int(shares.argmax())]
        assert told["probability"] == pytest.approx(shares.max(), abs=1e-4)
        right += told["predicted"] == told["label"]
    assert found["videos"] == len(found["predictions"]) == 16
    assert found["top_k"]["1"] == pytest.approx(right / 16)
    assert found["fold"] == 1


def test_ctrl_c_and_resume_equal_an_uninterrupted_run(sample_videos: Path, tuned: Path, tmp_path: Path) -> None:
    assert finetune(sample_videos, tmp_path / "run", recipe(), device="cpu", listener=CtrlC(2)).stopped
    assert finetune(sample_videos, tmp_path / "run", recipe(), device="cpu", resume=True).step == 6
    assert_same_bits(weights(tmp_path / "run"), weights(tuned))
    assert_same_bits(state(tmp_path / "run")[0], state(tuned)[0])


def test_a_linear_probe_starts_from_weights_and_keeps_them(
    sample_videos: Path, thin_weights: Path, tmp_path: Path
) -> None:
    chosen = recipe(from_weights=str(thin_weights), freeze=True, epochs=1)
    finetune(sample_videos, tmp_path / "run", chosen, device="cpu")
    before, after = load_checkpoint(thin_weights)[0].state_dict(), weights(tmp_path / "run")
    assert all(after[name].equal(values) for name, values in before.items())
    assert after.keys() - before.keys() == {"classifier.weight", "classifier.bias"}


@pytest.mark.slow
def test_each_fold_is_tested_on_its_own_side_and_all_have_a_mean(sample_videos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample_videos, data)
    lists = data / "ucfTrainTestlist"
    train = (lists / "trainlist01.txt").read_text().splitlines()
    test = (lists / "testlist01.txt").read_text().splitlines()
    (lists / "trainlist02.txt").write_text("".join(f"{line} 1\n" for line in test))
    (lists / "testlist02.txt").write_text("".join(f"{line.split(' ')[0]}\n" for line in train))
    for fold in (1, 2):
        finetune(data, tmp_path / f"f{fold}", recipe(epochs=1, fold=fold), device="cpu")
    files = [str(tmp_path / f"f{fold}" / "model.safetensors") for fold in (2, 1)]
    done = CliRunner().invoke(
        app, ["evaluate", str(data), "--weights", files[0], "--weights", files[1], "--report", str(tmp_path), "--json"]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert [found["fold"] for found in document["folds"]] == [1, 2]
    tops = [found["top_k"]["1"] for found in document["folds"]]
    assert document["mean"]["top_k"]["1"] == pytest.approx(sum(tops) / 2)
    assert "fold 2" in (tmp_path / "report.html").read_text()
    with pytest.raises(InvalidSetting, match=r"weights of the folds \[1, 1\]"):
        evaluate(data, [files[1], files[1]], device="cpu")


@pytest.mark.parametrize("kind", ["--knn", "--linear"])
def test_frozen_features_are_probed(sample_videos: Path, thin_weights: Path, kind: str) -> None:
    done = CliRunner().invoke(
        app, ["probe", str(sample_videos), "--weights", str(thin_weights), kind, "--device", "cpu", "--json"]
    )
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["folds"]
    assert found["videos"] == 16
    assert 0 <= found["top_k"]["1"] <= 1


def test_an_unreadable_test_video_is_named_and_ends_with_3(tuned: Path, sample_videos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample_videos, data)
    broken = next(iter(sorted(data.rglob("*g01*.mp4"))))
    broken.write_bytes(broken.read_bytes()[:300])
    done = CliRunner().invoke(app, ["evaluate", str(data), "--weights", str(tuned / "model.safetensors"), "--json"])
    assert done.exit_code == 3
    (found,) = json.loads(done.stdout)["folds"]
    assert [entry["path"] for entry in found["unreadable"]] == [broken.relative_to(data).as_posix()]
    assert found["videos"] == 15


def test_missing_train_videos_stop_the_run(sample_videos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample_videos, data)
    next(iter(sorted(data.rglob("*g02*.mp4")))).unlink()
    with pytest.raises(DatasetError, match="1 of the 16 train videos of fold 1 are not in"):
        finetune(data, tmp_path / "run", recipe(), device="cpu")
    heard = Hearing()
    finetune(data, tmp_path / "run", recipe(epochs=1), device="cpu", max_unreadable=0.1, listener=heard)
    assert any("have no file" in line for line in heard.lines)


def test_weights_without_a_classifier_are_not_evaluated(sample_videos: Path, thin_weights: Path) -> None:
    with pytest.raises(InvalidSetting, match="has no classifier; fine-tune it first"):
        evaluate(sample_videos, [str(thin_weights)], device="cpu")


def test_a_classifier_of_other_classes_is_not_evaluated(tuned: Path, sample_videos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(5):
        for name in ("Spin", "Hop"):
            (data / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(next(iter(sample_videos.rglob("*.mp4"))), data / name / f"{number}.mp4")
    with pytest.raises(DatasetError, match=r"1 classes of the test are not among the classifier's 8, such as 'Hop'"):
        evaluate(data, [str(tuned / "model.safetensors")], device="cpu")


def test_a_run_does_not_go_on_with_other_classes(tuned: Path, sample_videos: Path, tmp_path: Path) -> None:
    shutil.copytree(tuned, tmp_path / "run")
    data = tmp_path / "data"
    shutil.copytree(sample_videos, data, ignore=shutil.ignore_patterns("Zoom"))
    with pytest.raises(InvalidSetting, match="was begun with 8 classes"):
        finetune(data, tmp_path / "run", recipe(), device="cpu", resume=True, max_unreadable=1)


def test_probes_and_tests_agree_on_who_is_tested(tuned: Path, sample_videos: Path, thin_weights: Path) -> None:
    (tested,) = evaluate(sample_videos, [str(tuned / "model.safetensors")], device="cpu")
    (probed,) = evaluate_frozen(sample_videos, str(thin_weights), "knn", device="cpu")
    paths = [{(entry["path"], entry["label"]) for entry in found["predictions"]} for found in (tested, probed)]
    assert paths[0] == paths[1]


def test_the_state_on_disk_has_all_that_a_step_changes(tuned: Path) -> None:
    tensors, values = read_state(tuned / "checkpoints" / "last.safetensors")
    assert values["step"] == 6
    assert {name.partition("/")[0] for name in tensors} == {"classifier", "optimiser", "random"}


def test_clips_that_are_too_short_for_a_network_leave_no_run_behind(sample_videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="C3D needs at least 8 frames"):
        finetune(sample_videos, tmp_path / "run", recipe(backbone="c3d"), device="cpu")
    assert not (tmp_path / "run").exists()
