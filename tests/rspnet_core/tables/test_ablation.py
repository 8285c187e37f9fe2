"""Tables run end to end on the sample videos, stopped, and run again."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rspnet_core.cli.main import app
from rspnet_core.errors import InvalidSetting
from rspnet_core.tables.jobs import Plan, run_row
from rspnet_core.tables.rows import Row
from rspnet_core.tables.steps import Stopped
from tests.rspnet_core.training.runs import CtrlC

PRETRAIN = {"epochs": 1, "batch_size": 8, "frames_per_clip": 2, "clip_size": 32, "queue_size": 20}
FINETUNE = {"epochs": 1, "batch_size": 8, "frames_per_clip": 2, "clip_size": 32}

pytestmark = pytest.mark.usefixtures("thin_networks")


def ablation(videos: Path, out: Path, *options: str, **changes: object) -> Result:
    settings = [part for key, value in (PRETRAIN | changes).items() for part in ("--set", f"{key}={value}")]
    settings += [part for key, value in FINETUNE.items() for part in ("--finetune-set", f"{key}={value}")]
    common = ["--out", str(out), "--device", "cpu", "--workers", "1", "--json"]
    return CliRunner().invoke(app, ["ablation", str(videos), str(videos), *options, *common, *settings])


@pytest.fixture(scope="module")
def table4(thin_networks: None, sample_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("table4")
    return out, ablation(sample_videos, out, "--table", "4", "--backbone", "resnet18", "--seeds", "2")


def test_retrieval_is_written_beside_the_published_figures(table4: tuple[Path, Result]) -> None:
    out, done = table4
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert json.loads((out / "table4.json").read_text()) == document
    (row,) = document["rows"]
    assert (row["method"], row["network"], len(row["seeds"]), row["videos"]) == ("RSPNet", "ResNet-18", 2, 16)
    assert list(row["top_k"]) == ["1", "5", "10", "20", "50"]
    assert row["published"]["1"] == 0.411
    assert (out / "table4.md").read_text().startswith("| method | network | top-1 |")


def test_what_is_done_is_not_done_again(table4: tuple[Path, Result], sample_videos: Path) -> None:
    out, done = table4
    model = out / "rsp-avid.resnet18" / "seed1" / "pretrain" / "model.safetensors"
    written = model.stat().st_mtime_ns
    again = ablation(sample_videos, out, "--table", "4", "--backbone", "resnet18", "--seeds", "2")
    assert again.stdout == done.stdout
    assert model.stat().st_mtime_ns == written


def test_other_settings_are_not_mixed_with_what_is_there(table4: tuple[Path, Result], sample_videos: Path) -> None:
    again = ablation(sample_videos, table4[0], "--table", "4", "--backbone", "resnet18", learning_rate=0.5)
    assert isinstance(again.exception, InvalidSetting)
    assert "was begun with other settings" in str(again.exception)


def test_other_data_are_not_mixed_with_what_is_there(
    table4: tuple[Path, Result], sample_videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").symlink_to(sample_videos)  # the same videos by another name are the same
    same = ablation(tmp_path / "other", table4[0], "--table", "4", "--backbone", "resnet18", "--seeds", "2")
    assert same.exit_code == 0, same.output
    again = ablation(sample_videos / "Spin", table4[0], "--table", "4", "--backbone", "resnet18")
    assert isinstance(again.exception, InvalidSetting)
    assert "holds runs on other data" in str(again.exception)


def test_a_stopped_row_goes_on_where_it_was(sample_videos: Path, tmp_path: Path) -> None:
    plan = Plan(
        sample_videos,
        sample_videos,
        tmp_path,
        pretrain_settings=PRETRAIN | {"epochs": 2},
        finetune_settings=FINETUNE,
        device="cpu",
        workers=1,
    )
    row = Row("w/ RSP only", "tsm18", ("rsp",))
    with pytest.raises(Stopped):
        run_row(plan, row, 0, CtrlC(4))
    steps = [json.loads(line)["step"] for line in (tmp_path / row.name / "seed0/pretrain/metrics.jsonl").open()]
    assert steps == [4]
    (found,) = run_row(plan, row, 0, CtrlC(-1))
    steps = [json.loads(line)["step"] for line in (tmp_path / row.name / "seed0/pretrain/metrics.jsonl").open()]
    assert steps == [4, 8]
    assert found["videos"] == 16
    assert found["encoder"]["source"].startswith("fine-tuned on sample")


def test_figure_3_keeps_encoders_and_tests_each(sample_videos: Path, tmp_path: Path) -> None:
    done = ablation(sample_videos, tmp_path, "--figure", "3", "--backbone", "tsm18", "--every", "1", epochs=2)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert [point["epoch"] for point in document["points"]] == [1, 2]
    assert all(0 <= point["interval"][0] <= point["top_1"] <= point["interval"][1] <= 1 for point in document["points"])
    assert document["losses"]["rsp_loss"]["epochs"][-1] == 2
    assert (tmp_path / "figure3.png").stat().st_size > 10_000


@pytest.mark.parametrize("options", [(), ("--table", "1", "--figure", "3"), ("--figure", "2")])
def test_one_table_or_the_figure_is_asked_for(sample_videos: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert "choose one of --table" in str(ablation(sample_videos, tmp_path, *options).exception)


def test_figure_3_wants_a_checkpoint_within_the_epochs(sample_videos: Path, tmp_path: Path) -> None:
    refused = ablation(sample_videos, tmp_path, "--figure", "3", "--backbone", "tsm18", "--every", "3", epochs=2)
    assert "has 2 epochs" in str(refused.exception)
    assert not list(tmp_path.iterdir())
