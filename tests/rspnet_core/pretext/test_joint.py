"""Several tasks at once: equal pulls at the features, an encoder that is written as it was trained, exact resume."""

import json
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.config import WholeVideo
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.models import create_model
from rspnet_core.pretext.joint import GradientBalance, JointModel
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.training import schedule
from rspnet_core.training.recipe_file import load_recipe, to_toml
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.state import read_state
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.store.write import write_store
from rspnet_core.weights.sources import load_encoder
from tests.conftest import Once
from tests.rspnet_core.training.runs import SETTINGS, CtrlC, assert_equal_runs

pytestmark = pytest.mark.usefixtures("thin_networks")
TASKS = ("rsp", "order", "statistics", "still", "avid", "programs", "looks")
"""On the triplet, covered and rendered clips."""
RECIPE = JointRecipe.model_validate(
    {
        "backbone": "resnet18",
        "objectives": {name: {} for name in TASKS},
        "epochs": 4,
        "batch_size": 4,
        "num_programs": 2,
        "frames_per_clip": 4,
        "clip_size": 32,
        "warmup_steps": 2,
    }
)


@pytest.fixture(scope="module")
def store(sample_videos: Path, once: Once) -> Path:
    """Of twelve sample videos; read only."""

    def write(folder: Path) -> None:
        files = {path.name: path for path in sorted(sample_videos.rglob("*.mp4"))[:12]}
        with DecodePool(1) as pool:
            write_store(files, folder / "twelve.store", WholeVideo(frame_size=40), pool)

    return once("joint_store", write) / "twelve.store"


@pytest.fixture(scope="module")
def trained(thin_networks: None, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("joint") / "run"
    run = pretrain(store, out, RECIPE, device="cpu")
    assert (run.step, run.num_steps, run.stopped, len(run.source.paths)) == (12, 12, False, 12)
    return out


def test_tasks_pull_at_the_features_as_strongly_as_their_weights_say() -> None:
    balance = GradientBalance({"loud": 1.0, "quiet": 0.5})
    directions = {"loud": torch.tensor([[1000.0, 0.0]]), "quiet": torch.tensor([[0.0, 0.001]])}
    features = torch.ones(1, 2, requires_grad=True)
    for _ in range(3):  # the first step finds out
        features.grad = None
        factors = balance.factors()
        losses = [
            (balance.watched(features, name, factors[name]) * direction).sum() * factors[name]
            for name, direction in directions.items()
        ]
        torch.stack(losses).sum().backward()
    assert features.grad is not None
    assert torch.allclose(features.grad, torch.tensor([[1.0, 0.5]]), rtol=1e-3)


@pytest.mark.parametrize("sides", [(1, 1), (3, 4)])
def test_a_task_pulls_as_strongly_whether_it_looks_at_places_or_at_their_mean(sides: tuple[int, int]) -> None:
    """A gradient that is the same at every place is that of the mean, whose norm counts."""
    balance = GradientBalance({"mean": 1.0, "places": 1.0})
    direction, maps = torch.tensor([[3.0, 4.0]]), torch.ones(1, 2, *sides, requires_grad=True)
    factors = balance.factors()
    mean = balance.watched(maps, "mean", factors["mean"]).mean(dim=(2, 3))
    places = balance.watched(maps, "places", factors["places"])
    by_place = (places * direction[..., None, None]).sum() / places[0, 0].numel()
    ((mean * direction).sum() * factors["mean"] + by_place * factors["places"]).backward()
    assert balance.largest.tolist() == pytest.approx([5.0, 5.0])


def test_a_task_that_is_solved_fades() -> None:
    balance = GradientBalance({"one": 1.0})
    features = torch.ones(1, 2, requires_grad=True)

    def pull(strength: float) -> float:
        features.grad = None
        factor = balance.factors()["one"]
        ((balance.watched(features, "one", factor) * strength).sum() * factor).backward()
        assert features.grad is not None
        return float(features.grad.norm())

    for _ in range(2):
        pull(1.0)
    assert pull(1.0) == pytest.approx(1, rel=1e-2)
    assert pull(0.01) < 0.02


def test_the_encoder_is_written_as_it_was_trained() -> None:
    joint = JointModel(create_model("resnet18", seed=0), RECIPE.objectives).train()
    clips = torch.randn(6, 3, 4, 32, 32)
    for _ in range(3):
        pooled = joint(clips).mean(dim=(2, 3))
        for head in joint.heads().values():
            head(pooled)
    joint.eval()
    before = {name: value.clone() for name, value in joint.model.state_dict().items()}
    with torch.no_grad():
        pooled = joint(clips).mean(dim=(2, 3))
        out = joint.exported()(clips)
        for name, head in joint.heads().items():
            expected = torch.nn.functional.normalize(head(pooled), dim=1)
            assert torch.allclose(getattr(out, name), expected, atol=1e-5)
    assert all(value.equal(before[name]) for name, value in joint.model.state_dict().items())


@pytest.mark.slow
def test_a_run_leaves_an_encoder_that_a_library_can_be_built_with(trained: Path) -> None:
    model, spec = load_encoder(str(trained / "model.safetensors"), None)
    assert (spec.trained, spec.geometry.frames_per_clip, spec.geometry.size) == (True, 4, 32)
    assert "by rsp+order" in spec.source
    assert "epoch 4 of 4" in spec.source
    assert set(model.heads) == {"motion", "appearance"}
    figures = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    told = {"rsp_accuracy", "order_accuracy", "statistics_explained", "still_top1", "avid_top1", "programs_top1"}
    assert told <= figures.keys()


@pytest.mark.slow
def test_a_run_that_was_stopped_and_resumed_equals_one_that_was_not(store: Path, tmp_path: Path, trained: Path) -> None:
    out = tmp_path / "run"
    run = pretrain(store, out, RECIPE, device="cpu", listener=CtrlC(6))
    assert run.stopped
    with pytest.raises(InvalidSetting, match="by epochs; leave it out"):
        pretrain(store, out, RECIPE, resume=True, device="cpu", minutes=1)
    assert pretrain(store, out, RECIPE, resume=True, device="cpu").step == 12
    assert_equal_runs(out, trained)


def test_a_run_by_the_clock_ends_saved_and_goes_no_further_when_resumed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes on when it is looked at."""
    monkeypatch.setattr(schedule, "time", SimpleNamespace(monotonic=count(0, 0.2).__next__))
    out = tmp_path / "run"
    run = pretrain(store, out, RECIPE, device="cpu", minutes=0.05)
    tensors, values = read_state(RunFolder(out).last_state)
    assert values["step"] == run.step > 0  # not the last one that happened to be logged
    assert 3 <= values["seconds"] < 60
    rates = [json.loads(line)["learning_rate"] for line in RunFolder(out).metrics.read_text().splitlines()]
    assert rates[-1] < 0.2 * RECIPE.learning_rate
    assert "in 0.05 minutes" in load_encoder(str(out / "model.safetensors"), None)[1].source
    with pytest.raises(InvalidSetting, match="by the clock; give its minutes"):
        pretrain(store, out, RECIPE, device="cpu", resume=True)
    again = pretrain(store, out, RECIPE, device="cpu", minutes=0.05, resume=True)
    assert again.document()["of_steps"] is None
    assert again.step == run.step
    assert read_state(RunFolder(out).last_state)[0].keys() == tensors.keys()


def test_a_recipe_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    recipe = load_recipe(JointRecipe, "motion-gpu", {"objectives.still.temperature": 0.3})
    assert load_recipe(JointRecipe, "motion-small", {}).objectives.keys() == set(TASKS[:6])
    (tmp_path / "r.toml").write_text(to_toml(recipe))
    assert load_recipe(JointRecipe, str(tmp_path / "r.toml"), {}) == recipe
    assert recipe.objectives["still"].temperature == 0.3  # type: ignore[attr-defined]
    assert recipe.objectives["order"].weight == 0.2


def test_a_recipe_whose_tasks_want_clips_of_their_own_reads_no_others() -> None:
    triplet = {"anchor": 1, "slow": 1, "fast": 1}
    own = {"clip_order": 3, "rotation": 1}
    for names, read in (
        (("rsp",), triplet),
        (("still",), triplet | {"covered": 1}),
        (("clip_order", "rotation"), own),
        (("clip_order", "avid", "rotation"), triplet | own),
    ):
        recipe = load_recipe(JointRecipe, None, {"objectives": {name: {} for name in names}})
        assert recipe.view_plan().clips_of_roles == read


def test_every_task_has_a_name_that_a_recipe_may_take() -> None:
    named = {name: {} for name in OBJECTIVES}
    recipe = JointRecipe.model_validate({"objectives": named, "num_programs": 2})
    assert recipe.objectives.keys() == OBJECTIVES.keys()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objectives": {"pace": {"paces": [1]}}}, "pace: paces"),
        ({"objectives": {"playback_rate": {"rates": [1, 2, 0]}}}, "playback_rate: rates"),
        ({"objectives": {"equivariance": {"speeds": [2, 2]}}}, "name each speed once"),
        ({"objectives": {"pace": {"paces": [0.5, 1]}}, "fps": 0}, "speed 0.5 x frame_step 1 is below one frame"),
        ({"objectives": {}}, "at least one of rsp, order"),
        ({"objectives": {"flow": {}}}, "at least one of rsp, order"),
        ({"objectives": {"rsp": {"gamma": 1}}}, r"rsp: gamma: .*have weight, margin"),
        ({"objectives": {"rsp": {"weight": 0}}}, "rsp: weight"),
        ({"num_programs": 1}, "two programs"),
        ({"objectives": {"looks": {}}}, "set num_programs"),
        ({"objectives": {"still": {"still_of": "nobody"}}}, "still: still_of"),
        ({"from_weights": "w.safetensors"}, "begins with random weights"),
        ({"warmup_epochs": 2}, "by warmup_steps"),
        ({"queue_size": 3}, "unknown setting 'queue_size'"),
    ],
)
def test_a_wrong_recipe_says_what_is_allowed(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    table = {"objectives": {"rsp": {}}} | settings
    with pytest.raises(InvalidSetting, match=message):
        load_recipe(JointRecipe, None, table)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"fps": 12.0}, DatasetError, "holds 25.0, the recipe wants 12.0"),
        ({"batch_size": 13}, DatasetError, "fewer than one batch of 13"),
        ({"speeds": (1, 0.5)}, DatasetError, "below one frame"),
    ],
)
def test_a_store_that_does_not_fit_the_recipe_is_refused(
    store: Path, tmp_path: Path, change: dict[str, object], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        pretrain(store, tmp_path / "run", RECIPE.model_copy(update=change), device="cpu")
    assert not (tmp_path / "run").exists()


def test_a_task_that_no_video_of_a_store_is_long_enough_for_is_refused(store: Path, tmp_path: Path) -> None:
    """Rather than trained on nothing, at a loss of 0."""
    recipe = JointRecipe.model_validate(RECIPE.model_dump() | {"objectives": {"clip_order": {}}, "frame_step": 9})
    with pytest.raises(DatasetError, match=r"clip_order needs videos of more than 108 frames, the longest of .* has"):
        pretrain(store, tmp_path / "run", recipe, device="cpu")


def test_the_command_takes_a_store_and_refuses_what_does_not_belong_to_it(store: Path, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(to_toml(RECIPE.model_copy(update={"epochs": 1})))
    command = ["pretrain", str(store), "--recipe", str(tmp_path / "r.toml"), "--device", "cpu"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "run"), "--json", "--seed", "7"])
    assert done.exit_code == 0, done.output
    assert load_recipe(JointRecipe, str(tmp_path / "run" / "recipe.toml"), {}).seed == 7
    assert json.loads(done.stdout)["steps"] == 3
    for wrong in (["--list", "x.txt"], ["--workers", "2"], ["--probe", "data"]):
        done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "other"), *wrong])
        assert isinstance(done.exception, InvalidSetting)
        assert wrong[0] in str(done.exception)
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "other"), "--from", "w.safetensors"])
    assert "begins with random weights" in str(done.exception)


@pytest.mark.parametrize("pairing", ["release", "independent"])
def test_algorithm_1_learns_from_a_store_as_from_a_folder(store: Path, tmp_path: Path, pairing: str) -> None:
    recipe = PretrainRecipe.model_validate(SETTINGS | {"epochs": 2, "batch_size": 6, "pairing": pairing})
    run = pretrain(store, tmp_path / "run", recipe, device="cpu")
    assert run.step == 4
    assert {"rsp_loss", "avid_loss", "rsp_slow_accuracy", "rsp_fast_accuracy"} <= run.figures.keys()


@pytest.mark.slow
def test_several_tasks_learn_from_a_folder_of_videos_and_resume_exactly(sample_videos: Path, tmp_path: Path) -> None:
    others = ("rotation", "equivariance", "cloze", "dense_prediction", "mined")
    tasks = (*TASKS, *others)  # each kind of clips, and one that remembers
    settings = {"epochs": 2, "batch_size": 8, "speeds": (1, 2, 4), "objectives": {name: {} for name in tasks}}
    recipe = JointRecipe.model_validate(RECIPE.model_dump() | settings)
    listed = [tmp_path / "half.txt"]
    listed[0].write_text("\n".join(str(path) for path in sorted(sample_videos.rglob("v_*.mp4"))[::2]))
    learn = partial(pretrain, sample_videos, recipe=recipe, list_files=listed, device="cpu")
    whole = learn(tmp_path / "whole")
    assert (whole.step, len(whole.source.paths)) == (4, 16)
    assert {f"{name}_loss" for name in tasks} <= whole.figures.keys()
    assert learn(tmp_path / "run", listener=CtrlC(2)).stopped
    learn(tmp_path / "run", resume=True)
    assert_equal_runs(tmp_path / "run", tmp_path / "whole")


def test_a_run_on_a_folder_ends_by_the_clock(sample_videos: Path, tmp_path: Path) -> None:
    recipe = PretrainRecipe.model_validate(SETTINGS | {"epochs": 10**6})
    run = pretrain(sample_videos, tmp_path / "run", recipe, device="cpu", minutes=0.02)
    assert 0 < run.step < 10**4
    assert "in 0.02 minutes" in load_encoder(str(tmp_path / "run" / "model.safetensors"), None)[1].source
