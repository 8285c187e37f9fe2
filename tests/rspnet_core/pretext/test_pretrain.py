"""Pre-training as its user sees it: real videos in, an encoder out."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from indexer.ingest.build import build_library
from rspnet_core.cli.main import app
from rspnet_core.errors import DatasetError, InvalidSetting, PrecisionUnsafe, TrainingDiverged
from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.recognition.retrieval import RetrievalPlan
from rspnet_core.weights.checkpoint import load_checkpoint
from tests.rspnet_core.recognition.samples import with_two_recordings
from tests.rspnet_core.training.runs import RECIPE, SETTINGS, Hearing, state

pytestmark = pytest.mark.usefixtures("thin_networks")


def recipe(**changes: object) -> PretrainRecipe:
    return PretrainRecipe.model_validate(SETTINGS | changes)


@pytest.mark.slow
def test_the_model_of_a_run_builds_a_library(sample_videos: Path, few_videos: Path, tmp_path: Path) -> None:
    pretrain(sample_videos, tmp_path / "run", recipe(epochs=1), device="cpu")
    report = build_library(
        few_videos, index=tmp_path / "index", weights=str(tmp_path / "run" / "model.safetensors"), device="cpu"
    )
    assert (report.indexed, report.failed) == (4, [])
    _, spec = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert spec.trained
    assert spec.source.endswith("by rsp+avid, epoch 1 of 1")
    assert (spec.geometry.frames_per_clip, spec.geometry.size, spec.geometry.fps) == (2, 32, 25)


@pytest.mark.parametrize("objectives", [["rsp"], ["avid"], ["sp", "avid"], ["rsp", "vid"], ["sp"]])
def test_every_combination_of_objectives_trains(sample_videos: Path, tmp_path: Path, objectives: list[str]) -> None:
    run = pretrain(sample_videos, tmp_path / "run", recipe(epochs=1, objectives=objectives), device="cpu")
    assert {name for name in run.figures if name.endswith("_loss")} == {f"{name}_loss" for name in objectives}


def test_the_release_and_mlp_heads_train_and_load(sample_videos: Path, tmp_path: Path) -> None:
    chosen = recipe(epochs=1, release=True, head="mlp")
    pretrain(sample_videos, tmp_path / "run", chosen, device="cpu")
    model, spec = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert spec.head == "mlp"
    assert sorted(model.heads) == ["appearance", "motion"]


def test_unreadable_videos_are_named_counted_and_left_out(sample_videos: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample_videos, data)
    broken = sorted(data.rglob("*.mp4"))[0]
    broken.write_bytes(broken.read_bytes()[:400])
    name = broken.relative_to(data).as_posix()
    heard = Hearing()
    run = pretrain(data, tmp_path / "run", recipe(epochs=2), device="cpu", max_unreadable=0.05, listener=heard)
    assert list(run.source.unreadable) == [name]
    assert len([line for line in heard.lines if name in line]) == 1
    assert int(state(tmp_path / "run")[0]["queue/written"]) == 2 * 31  # nothing took its place
    with pytest.raises(DatasetError, match=r"1 of 32 videos cannot be read"):
        pretrain(data, tmp_path / "strict", recipe(), device="cpu")


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_good_state(sample_videos: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="lower learning_rate"):
        pretrain(sample_videos, tmp_path / "run", recipe(learning_rate=1e30), device="cpu")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_lists_choose_the_videos(sample_videos: Path, tmp_path: Path) -> None:
    lists = sample_videos / "ucfTrainTestlist"
    run = pretrain(sample_videos, tmp_path / "run", recipe(epochs=1), list_files=[lists / "trainlist01.txt"])
    listed = (lists / "trainlist01.txt").read_text().splitlines()
    assert len(run.source.paths) == len(listed) < 32
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("Spin/nothing here.mp4\n")
    with pytest.raises(DatasetError, match="nothing here"):
        pretrain(sample_videos, tmp_path / "other", recipe(), list_files=[wrong])


def test_fewer_videos_than_a_batch_are_refused(few_videos: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="smaller batch_size"):
        pretrain(few_videos, tmp_path / "run", RECIPE, device="cpu")


@pytest.mark.slow
def test_retrieval_is_measured_while_training_and_decides_the_best_epoch(sample_videos: Path, tmp_path: Path) -> None:
    plan = RetrievalPlan(with_two_recordings(sample_videos, tmp_path / "labelled"), every_epochs=1)
    run = pretrain(sample_videos, tmp_path / "run", recipe(epochs=2), device="cpu", retrieval=plan)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    probes = [line["probe_top1"] for line in lines if "probe_top1" in line]
    assert len(probes) == 2
    assert state(tmp_path / "run")[1]["best_score"] == max(probes)
    assert 0 < run.figures["probe_top5"] <= 1
    assert 0 <= run.figures["probe_motion_top1"] <= 1
    _, best = load_checkpoint(tmp_path / "run" / "best.safetensors")
    assert f"epoch {1 + probes.index(max(probes))} of 2" in best.source


def test_the_command_prints_one_document_and_curves_are_drawn(sample_videos: Path, tmp_path: Path) -> None:
    settings = [part for key, value in (SETTINGS | {"epochs": 1}).items() for part in ("--set", f"{key}={value}")]
    out = tmp_path / "run"
    result = CliRunner().invoke(app, ["pretrain", str(sample_videos), "--out", str(out), *settings, "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["steps"], document["stopped"], document["videos"]) == (4, False, 32)
    assert CliRunner().invoke(app, ["curve", str(out), "--out", str(tmp_path / "c.png")]).exit_code == 0
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


def test_settings_that_make_no_sense_are_one_line(tmp_path: Path, sample_videos: Path) -> None:
    result = CliRunner().invoke(app, ["pretrain", str(sample_videos), "--out", str(tmp_path / "r"), "--set", "epoch=3"])
    assert "unknown setting 'epoch'" in str(result.exception)
    assert not (tmp_path / "r").exists()


@pytest.mark.gpu
def test_a_gpu_trains_in_bf16_after_its_gradients_were_checked(sample_videos: Path, tmp_path: Path) -> None:
    run = pretrain(sample_videos, tmp_path / "run", recipe(epochs=1, precision="bf16"), device="cuda")
    assert run.step == 4
    model, _ = load_checkpoint(tmp_path / "run" / "model.safetensors")
    assert sorted(model.heads) == ["appearance", "motion"]


def test_a_run_starts_from_the_weights_that_it_is_given(
    sample_videos: Path, thin_weights: Path, tmp_path: Path
) -> None:
    chosen = recipe(epochs=1, from_weights=str(thin_weights), learning_rate=1e-9, weight_decay=0)
    pretrain(sample_videos, tmp_path / "run", chosen, device="cpu")
    start, end = load_checkpoint(thin_weights)[0], load_checkpoint(tmp_path / "run" / "model.safetensors")[0]
    for name, parameter in start.named_parameters():
        assert parameter.allclose(end.get_parameter(name), atol=1e-6), name
    with pytest.raises(InvalidSetting, match="is tsm18 with linear heads, the recipe wants c3d"):
        pretrain(sample_videos, tmp_path / "other", chosen.model_copy(update={"backbone": "c3d"}), device="cpu")


def test_encoders_of_epochs_are_kept_where_asked_for(sample_videos: Path, tmp_path: Path) -> None:
    run = pretrain(sample_videos, tmp_path / "run", recipe(epochs=3), device="cpu", keep_every=2)
    assert [path.name for path in (tmp_path / "run" / "epochs").glob("*.safetensors")] == ["2.safetensors"]
    assert load_checkpoint(run.folder.kept(2))[1].source.endswith("epoch 2 of 3")


def test_a_run_in_lower_precision_checks_its_gradients_first(
    sample_videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rspnet_core.training.precision.MAX_RELATIVE_ERROR", 0.0)  # rounding alone is too much
    with pytest.raises(PrecisionUnsafe, match="gradients in bfloat16 are wrong on cpu"):
        pretrain(sample_videos, tmp_path / "run", recipe(precision="bf16"), device="cpu")


def test_labelled_videos_that_are_not_there_leave_no_run_behind(sample_videos: Path, tmp_path: Path) -> None:
    plan = RetrievalPlan(tmp_path / "nothing", every_epochs=1)
    with pytest.raises(DatasetError):
        pretrain(sample_videos, tmp_path / "run", recipe(), device="cpu", retrieval=plan)
    assert not (tmp_path / "run").exists()
