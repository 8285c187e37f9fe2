"""Tasks on one harness: what is measured against oracles, and a comparison that is run, stopped, and run again."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

from rspnet_core.cli.main import app
from rspnet_core.config import ClipGeometry, WholeVideo
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import create_model
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.motion_test import Labelled, embed_store, retrieval_hits
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.tables.compare_tasks import Comparison, compare_tasks
from rspnet_core.tables.steps import Stopped
from rspnet_core.tables.task_scores import (
    Describer,
    by_colour,
    by_energy,
    by_network,
    speed_direction,
    store_vectors,
    video_scores,
)
from rspnet_core.tables.task_table import _PUBLISHED, _published, hit_by_lot
from rspnet_core.training.recipe_file import to_toml
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.store.frame_store import open_store
from rspnet_core.video.store.write import write_store
from rspnet_core.weights.checkpoint import describe
from tests.conftest import Once
from tests.rspnet_core.pretext.test_views import store_of
from tests.rspnet_core.training.runs import CtrlC

Compare = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("thin_networks")
SMALL = JointRecipe.model_validate(
    {
        "backbone": "resnet18",
        "objectives": {"rsp": {}},
        "epochs": 1,
        "batch_size": 4,
        "frames_per_clip": 2,
        "clip_size": 32,
        "warmup_steps": 2,
    }
)


@pytest.fixture(scope="module")
def stores(sample_videos: Path, once: Once) -> tuple[Path, Path]:
    """Learnt from and held out: the even and the odd half of the sample videos, by class; read only."""

    def write(folder: Path) -> None:
        paths = sorted(sample_videos.rglob("v_*.mp4"))
        with DecodePool(1) as pool:
            for place, name in enumerate(("learnt", "held")):
                files = {f"{path.parent.name}/{path.name}": path for path in paths[place::4]}
                write_store(files, folder / f"{name}.store", WholeVideo(frame_size=40), pool)

    folder = once("stores_of_tasks", write)
    return folder / "learnt.store", folder / "held.store"


@pytest.fixture
def compare(stores: tuple[Path, Path], tmp_path: Path) -> Compare:
    """Runs the command on small networks with further options."""
    (tmp_path / "small.toml").write_text(to_toml(SMALL))
    learnt, held_out = map(str, stores)

    def run(*options: str, out: Path = tmp_path / "out") -> Result:
        common = ["--store", held_out, "--out", str(out), "--recipe", str(tmp_path / "small.toml"), "--clips", "2"]
        return CliRunner().invoke(app, ["compare-tasks", learnt, *common, "--device", "cpu", *options])

    return run


# What is measured


@pytest.mark.parametrize(("num", "right", "k"), [(6, 2, 1), (6, 2, 5), (5, 0, 3), (4, 4, 2), (3, 1, 5)])
def test_chance_is_that_of_all_orders_of_the_gallery(num: int, right: int, k: int) -> None:
    draws = list(combinations(range(num), min(k, num)))
    assert hit_by_lot(num, right, k) == pytest.approx(np.mean([min(draw) < right for draw in draws]))


def test_the_read_out_of_speed_finds_the_direction_in_which_fast_clips_differ() -> None:
    rng = torch.Generator().manual_seed(0)
    gaps = torch.randn(400, 6, generator=rng) * torch.tensor([1, 10, 1, 1, 1, 1])
    gaps[:, 2] += 2.0
    direction = speed_direction(gaps)
    assert (gaps @ direction > 0).float().mean() > 0.95
    assert direction.abs().argmax() == 2
    assert speed_direction(gaps[:, [0]] * 0).isfinite().all()


def test_a_read_out_of_more_features_than_videos_does_not_learn_them_by_heart() -> None:
    """Against ridge regression of each left-out row, fitted anew."""
    rng = torch.Generator().manual_seed(1)
    gaps, tested = (torch.randn(n, 60, generator=rng) + torch.eye(60)[7] * 2 for n in (40, 400))
    assert (tested @ speed_direction(gaps) > 0).float().mean() > 0.7
    scale = gaps.square().mean(dim=0).sqrt()
    rows = (gaps / scale).double()

    def fitted(own: Tensor, ridge: float) -> Tensor:
        return torch.linalg.solve(own.T @ own / 40 + ridge * torch.eye(60).double(), own.sum(dim=0) / 40)

    def error(ridge: float) -> float:
        left_out = [torch.cat([rows[:n], rows[n + 1 :]]) for n in range(40)]
        return float(np.mean([(1 - float(rows[n] @ fitted(own, ridge))) ** 2 for n, own in enumerate(left_out)]))

    best = fitted(rows, min((0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), key=error)).float() / scale
    assert torch.allclose(speed_direction(gaps), best, rtol=1e-3, atol=1e-5)


def test_a_describer_that_sees_speed_ranks_all_and_one_that_sees_pictures_does_not() -> None:
    """Frame n of these videos is grey of value n: the change between frames is the speed."""
    recipe = SMALL.model_copy(update={"frames_per_clip": 4, "batch_size": 2, "frame_step": 2})
    learnt, held_out = store_of([60, 60, 60, 40]), store_of([60, 70, 4, 60, 55])

    def mean_colour(clips: Tensor) -> Tensor:
        return clips.mean(dim=(2, 3, 4))

    def measured(of_speed: Describer) -> dict[str, list[float | None]]:
        return video_scores(of_speed, recipe, learnt, held_out, held_out, num_clips=2)

    energy, picture = measured(by_energy()), measured(Describer(mean_colour, mean_colour))
    assert energy["speed_ranking"] == energy["faster_clip"] == [1, 1, None, 1, 1]  # the third is too short
    assert picture["speed_ranking"] != energy["speed_ranking"]


@pytest.mark.parametrize("others", ["its own", "both halves"])
def test_a_gallery_that_holds_the_queries_is_searched_without_their_recordings(
    stores: tuple[Path, Path], sample_videos: Path, tmp_path: Path, others: str
) -> None:
    """Otherwise each would find itself: the same store named twice, or one that was written of all videos."""
    learnt, held_out = (open_store(path) for path in stores)
    gallery = open_store(stores[1])
    if others == "both halves":
        files = {path: sample_videos / path for path in (*learnt.paths, *held_out.paths)}
        with DecodePool(1) as pool:
            write_store(files, tmp_path / "all.store", WholeVideo(frame_size=40), pool)
        gallery = open_store(tmp_path / "all.store")
    found = video_scores(by_colour(), SMALL, learnt, held_out, gallery, num_clips=1)["top_1"]
    known, theirs = Labelled.of(held_out.paths), Labelled.of(gallery.paths)
    geometry = SMALL.embedding_geometry.model_copy(update={"num_clips": 1})
    own, kept = (store_vectors(by_colour(), geometry, store) for store in (held_out, gallery))
    hits = retrieval_hits(own, kept, known, theirs, leave_out=True)
    assert found == hits.float().tolist()
    assert not all(found)
    assert all(retrieval_hits(own, kept, known, theirs, leave_out=False))


def test_networks_are_embedded_as_an_index_embeds_them() -> None:
    model, kept = create_model("resnet18", seed=0).eval(), store_of([40, 23, 90])
    geometry = ClipGeometry(num_clips=3, frames_per_clip=5, frame_step=2, size=32, fps=25)
    spec = describe(model, "resnet18", source="test", trained=True, geometry=geometry)
    with torch.inference_mode():
        found: Tensor = store_vectors(by_network(model), geometry, kept)
    assert torch.allclose(found, embed_store(model, spec, kept)["backbone"], atol=1e-5)


# The comparison


def test_a_task_stands_beside_the_published_row_of_its_paper() -> None:
    assert _published("cloze") == ("R(2+1)D", {"top_1": pytest.approx(0.199), "top_5": pytest.approx(0.337)})
    assert _published("dense_prediction") == ("", None)  # which the paper's table of retrieval has not
    for row in _PUBLISHED:
        assert set(row.split("+")) <= OBJECTIVES.keys()
        assert _published(row)[1] is not None


@pytest.mark.slow
def test_rows_are_trained_once_and_stand_beside_baselines_and_published_figures(
    compare: Compare, tmp_path: Path
) -> None:
    options = ("--task", "rotation", "--task", "rsp+avid", "--set", "objectives.avid.temperature=0.2", "--json")
    done = compare(*options)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["videos"], document["steps"], document["against"]) == (8, 2, "own recording left out")
    rows = {row["task"]: row for row in document["rows"]}
    assert list(rows) == ["chance", "colour histogram", "motion energy", "untrained", "rotation", "rsp+avid"]
    for name, row in rows.items():
        assert row["figures"].keys() == {"top_1", "top_5", "speed_ranking", "faster_clip"}
        top_1 = row["figures"]["top_1"]
        if name != "chance":
            assert len(top_1["seeds"]) == (2 if name in {"untrained", "rotation", "rsp+avid"} else 1)
            assert top_1["interval"][0] <= top_1["value"] <= top_1["interval"][1]
            assert top_1["value"] == pytest.approx(np.mean(top_1["seeds"]))
    gain = rows["rotation"]["figures"]["top_5"]["value"] - rows["untrained"]["figures"]["top_5"]["value"]
    assert rows["rotation"]["figures"]["top_5"]["gain"] == pytest.approx(gain)
    assert "gain" not in rows["untrained"]["figures"]["top_1"]
    assert rows["rsp+avid"]["published"] == {"network": "ResNet-18", "top_1": 0.411, "top_5": 0.594}
    assert rows["rotation"]["published"] is None
    assert "avid" not in (tmp_path / "out/rotation/seed1/run/recipe.toml").read_text()
    assert "temperature = 0.2" in (tmp_path / "out/rsp+avid/seed2/run/recipe.toml").read_text()
    table = (tmp_path / "out" / "tasks.md").read_text()
    assert "| rsp+avid |" in table
    assert "41.1, 59.4 (ResNet-18)" in table

    models = sorted((tmp_path / "out").rglob("model.safetensors"))
    written = [path.stat().st_mtime_ns for path in models]
    assert len(models) == 4
    assert json.loads(compare(*options).stdout) == document
    assert [path.stat().st_mtime_ns for path in models] == written

    for changed, message in (
        (("--clips", "1"), "holds rows on other data or with other settings"),
        (("--set", "learning_rate=0.1"), "holds rows on other data or with other settings"),
        (("--set", "objectives.avid.temperature=0.3"), "was begun with other settings"),
    ):
        refused = compare(*options, *changed)
        assert isinstance(refused.exception, InvalidSetting)
        assert message in str(refused.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--task", "flow"), "--task flow: no task 'flow'; have rsp, order"),
        (("--task", "rsp+../x"), "no task '../x'"),
        (("--task", "rotation", "--set", "seed=3"), "give --seeds and --task"),
        (("--task", "looks"), "set num_programs"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(
    compare: Compare, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    refused = compare(*options)
    assert isinstance(refused.exception, InvalidSetting)
    assert message in str(refused.exception)
    assert not (tmp_path / "out").exists()


def test_a_stopped_comparison_goes_on_where_it_was(stores: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(to_toml(SMALL.model_copy(update={"epochs": 2})))
    learnt, held_out = stores
    plan = Comparison(
        learnt,
        held_out,
        tmp_path / "out",
        gallery=learnt,
        tasks=("speediness", "rotation"),
        seeds=(7,),
        recipe=str(tmp_path / "small.toml"),
        num_clips=1,
        device="cpu",
    )
    with pytest.raises(Stopped):
        compare_tasks(plan, CtrlC(2))
    begun = tmp_path / "out/speediness/seed7/run/metrics.jsonl"
    assert [json.loads(line)["step"] for line in begun.open()] == [2]
    assert not (tmp_path / "out" / "rotation").exists()
    found = compare_tasks(plan, CtrlC(-1))
    assert [json.loads(line)["step"] for line in begun.open()] == [2, 4]
    assert list(found) == ["colour histogram", "motion energy", "untrained", "speediness", "rotation"]
    assert found["rotation"].keys() == {7}
    assert len(found["rotation"][7]["top_1"]) == 8
