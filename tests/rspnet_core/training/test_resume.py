"""A run that was stopped or killed and then resumed ends as one that was not, bit for bit."""

import json
from pathlib import Path

import pytest

from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.models import create_model
from rspnet_core.pretext.pretrain import pretrain
from tests.rspnet_core.training.runs import RECIPE, CtrlC, assert_equal_runs, state, weights

pytestmark = pytest.mark.usefixtures("thin_networks")


@pytest.fixture(scope="module")
def uninterrupted(
    thin_networks: None, drawn_curves: None, sample_videos: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    run = pretrain(sample_videos, out, RECIPE, device="cpu")
    assert (run.step, run.num_steps, run.stopped, len(run.source.paths)) == (12, 12, False, 32)
    return out


def test_a_run_leaves_everything_that_its_user_needs(uninterrupted: Path) -> None:
    assert {"model.safetensors", "model.json", "recipe.toml", "metrics.jsonl", "curves.png"} <= {
        entry.name for entry in uninterrupted.iterdir()
    }
    assert (uninterrupted / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((uninterrupted / "tensorboard").iterdir())
    steps = [json.loads(line)["step"] for line in (uninterrupted / "metrics.jsonl").read_text().splitlines()]
    assert steps == [4, 8, 10, 12]


@pytest.mark.parametrize("stop_at", [4, 10])
def test_ctrl_c_saves_and_resume_equals_an_uninterrupted_run(
    sample_videos: Path, tmp_path: Path, uninterrupted: Path, stop_at: int
) -> None:
    out = tmp_path / "run"
    run = pretrain(sample_videos, out, RECIPE, device="cpu", listener=CtrlC(stop_at))
    assert run.stopped
    assert run.step == stop_at
    assert pretrain(sample_videos, out, RECIPE, resume=True, device="cpu").step == 12
    assert_equal_runs(out, uninterrupted)


@pytest.mark.slow
def test_adamw_resumes_with_its_averages(sample_videos: Path, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"optimiser": "adamw", "learning_rate": 1e-3, "epochs": 2})
    pretrain(sample_videos, tmp_path / "whole", recipe, device="cpu")
    pretrain(sample_videos, tmp_path / "parts", recipe, device="cpu", listener=CtrlC(4))
    assert any(name.endswith("/exp_avg_sq") for name in state(tmp_path / "parts")[0])
    pretrain(sample_videos, tmp_path / "parts", recipe, resume=True, device="cpu")
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_head_without_an_objective_stays_as_it_was(sample_videos: Path, tmp_path: Path, optimiser: str) -> None:
    changes = {"optimiser": optimiser, "objectives": ("rsp",), "weight_decay": 0.5, "epochs": 1}
    pretrain(sample_videos, tmp_path, RECIPE.model_copy(update=changes), device="cpu")
    new = create_model(RECIPE.backbone, seed=RECIPE.seed).state_dict()
    trained = weights(tmp_path)
    assert trained["appearance_head.weight"].equal(new["appearance_head.weight"])
    assert not trained["motion_head.weight"].equal(new["motion_head.weight"])


def test_resuming_a_finished_run_changes_nothing(sample_videos: Path, uninterrupted: Path) -> None:
    before = (uninterrupted / "model.safetensors").read_bytes()
    assert pretrain(sample_videos, uninterrupted, RECIPE, resume=True, device="cpu").step == 12
    assert (uninterrupted / "model.safetensors").read_bytes() == before


def test_a_second_run_does_not_overwrite_the_first(sample_videos: Path, uninterrupted: Path) -> None:
    with pytest.raises(InvalidSetting, match="--resume"):
        pretrain(sample_videos, uninterrupted, RECIPE, device="cpu")


def test_a_damaged_checkpoint_is_named(sample_videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "checkpoints").mkdir(parents=True)
    (out / "checkpoints" / "last.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=r"last\.safetensors is no complete checkpoint"):
        pretrain(sample_videos, out, RECIPE, resume=True, device="cpu")
