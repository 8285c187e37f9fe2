"""What is measured of motion: retrieval against loops, clips as an index embeds them, and a document of a run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import create_model
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.motion_test import Labelled, centred, embed_store, motion_test, retrieval_hits
from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.video.store.frame_store import FrameStore
from rspnet_core.weights.checkpoint import describe
from tests.rspnet_core.pretext.test_joint import RECIPE, store  # noqa: F401 (a fixture)
from tests.rspnet_core.pretext.test_views import store_of

pytestmark = pytest.mark.usefixtures("thin_networks")


def rows(num: int, seed: int) -> Tensor:
    return F.normalize(torch.randn(num, 5, generator=torch.Generator().manual_seed(seed)), dim=1)


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_hits_are_those_of_slow_loops(leave_out: bool, k: int) -> None:
    gallery, queries = rows(12, 0), rows(7, 1)
    theirs = Labelled([f"c{n % 3}" for n in range(12)], [f"g{n % 4}" for n in range(12)])
    own = Labelled([f"c{n % 3}" for n in range(7)], [f"g{n % 5}" for n in range(7)])
    found = retrieval_hits(queries, gallery, own, theirs, k, leave_out=leave_out)
    for n in range(7):
        near = sorted(
            (j for j in range(12) if not (leave_out and theirs.groups[j] == own.groups[n])),
            key=lambda j: -float(queries[n] @ gallery[j]),
        )
        assert bool(found[n]) == any(theirs.labels[j] == own.labels[n] for j in near[:k])


def test_names_tell_class_and_recording() -> None:
    known = Labelled.of(["ucf/Jump/v_Jump_g07_c01.mp4", "Age.mp4"])
    assert (known.labels, known.groups) == (["Jump", ""], ["g07", "Age.mp4"])


def test_centring_takes_off_the_gallery_s_mean() -> None:
    queries, gallery = rows(3, 2), rows(6, 3)
    own, theirs = centred(queries, gallery)
    mean = gallery.mean(dim=0)
    assert torch.allclose(own[1], F.normalize(queries[1] - mean, dim=0))
    assert torch.allclose(theirs[4], F.normalize(gallery[4] - mean, dim=0))


def test_a_frozen_clip_is_its_middle_frame_and_a_shuffled_one_has_all_of_its_frames() -> None:
    seen: list[Tensor] = []

    class Spy(torch.nn.Module):
        def features(self, clips: Tensor) -> Tensor:
            seen.append(clips)
            return model.features(clips)

        heads = property(lambda self: model.heads)

    model = create_model("resnet18", seed=0).eval()
    geometry = ClipGeometry(num_clips=2, frames_per_clip=5, frame_step=2, size=32, fps=25)
    spec = describe(model, "resnet18", source="test", trained=True, geometry=geometry)
    kept: FrameStore = store_of([40, 23])
    for changed in ("as it is", "frozen", "shuffled"):
        vectors = embed_store(Spy(), spec, kept, changed)  # type: ignore[arg-type]
        assert {name: part.shape for name, part in vectors.items()}["motion"] == (2, 128)
        assert all(torch.allclose(part.norm(dim=1), torch.ones(2), atol=1e-5) for part in vectors.values())
    plain, frozen, shuffled = (clips.mean(dim=(1, 3, 4)) for clips in seen)  # (4, 5): what tells the frames
    assert torch.allclose(frozen, plain[:, 2:3].expand(-1, 5))
    assert torch.allclose(shuffled.sort(dim=1).values, plain.sort(dim=1).values)
    assert not torch.allclose(shuffled, plain)


@pytest.mark.slow
def test_a_run_is_measured_on_stores(store: Path, tmp_path: Path) -> None:  # noqa: F811
    recipe: JointRecipe = RECIPE.model_copy(update={"epochs": 1})
    pretrain(store, tmp_path / "run", recipe, device="cpu")
    command = ["motion-test", str(tmp_path / "run"), "--store", str(store), "--device", "cpu"]
    document = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    (found,) = document["stores"]
    assert (found["videos"], found["against"]) == (12, "own recording left out")
    parts = found["retrieval"]["frozen"]
    assert parts.keys() == {"backbone", "motion", "appearance", "backbone + motion"}
    assert 0 <= parts["motion"]["centred"]["1"] <= parts["motion"]["centred"]["5"] <= 1
    assert {"order_accuracy", "rsp_slow_accuracy"} <= found["speed"].keys()
    assert {"motion_top1", "motion_before_other", "appearance_before_other"} <= found["programs"].keys()
    named = json.loads(CliRunner().invoke(app, [*command, "--gallery", str(store), "--json"]).stdout)["stores"][0]
    assert named["against"] == "against twelve.store, own recording left out"
    assert named["retrieval"] == found["retrieval"]
    with pytest.raises(InvalidSetting, match="2 galleries for 1"):
        motion_test(tmp_path / "run", [store], [store, store], "cpu")


def test_a_run_of_algorithm_1_is_told_what_measures_it(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('objectives = ["rsp", "avid"]\n')
    with pytest.raises(InvalidSetting, match=r"is no run of tasks of .* measure its weights by `rspnet-train pretext`"):
        motion_test(tmp_path, [], [], "cpu")


def test_chance_is_what_the_oracle_of_nothing_gets() -> None:
    """Random vectors of many videos retrieve as often as their classes are frequent."""
    gallery, queries = rows(400, 5), rows(400, 6)
    known = Labelled([f"c{n % 4}" for n in range(400)], [str(n) for n in range(400)])
    hits = retrieval_hits(queries, gallery, known, known, leave_out=True).float().mean()
    assert abs(float(hits) - 0.25) < 0.1
    assert np.isfinite(float(hits))
