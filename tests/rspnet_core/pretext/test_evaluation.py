"""What is measured of the pretext task on unseen videos."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.config import ClipGeometry
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.pretext.evaluation import evaluate_pretext, motion_before_look
from rspnet_core.video.making.scenes import MOTIONS
from rspnet_core.video.making.synthetic import SampleManifest, read_manifest
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.weights.checkpoint import describe, load_checkpoint, save_checkpoint

pytestmark = pytest.mark.usefixtures("thin_networks")


@pytest.fixture(scope="module")
def sample(sample_videos: Path) -> SampleManifest:
    manifest = read_manifest(sample_videos)
    assert manifest is not None
    return manifest


@pytest.fixture(scope="module")
def weights(thin_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    model = create_model("tsm18", seed=0).eval()
    geometry = ClipGeometry(num_clips=2, frames_per_clip=2, frame_step=2, size=32, fps=25)
    save_checkpoint(model, describe(model, "tsm18", source="test", trained=False, geometry=geometry), path)
    return path


def test_a_head_that_sees_one_thing_alone_ranks_by_it(sample: SampleManifest) -> None:
    motions = sorted(MOTIONS)
    eye = torch.eye(len(motions))
    by_motion = {video.path: eye[motions.index(video.motion)] for video in sample.videos}
    by_look = {video.path: eye[video.group] for video in sample.videos}
    both = {path: F.normalize(by_motion[path] + 0.5 * by_look[path], dim=0) for path in by_motion}
    ranked = motion_before_look({"motion": by_motion, "appearance": by_look, "both": both}, sample)
    assert ranked == {"motion": 1.0, "appearance": 0.0, "both": 1.0}


def test_relatives_of_another_playback_speed_do_not_count(sample: SampleManifest) -> None:
    motions = sorted(MOTIONS)
    eye = torch.eye(2 * len(motions))
    vectors = {}
    for video in sample.videos:  # each motion is another thing at 2x
        place = motions.index(video.motion) + len(motions) * (video.playback_speed == 2)
        vectors[video.path] = eye[place]
    assert motion_before_look({"motion": vectors}, sample) == {"motion": 1.0}


@pytest.mark.slow
def test_the_command_measures_speed_ranking_and_both_heads_on_sample_videos(
    sample: SampleManifest, weights: Path
) -> None:
    command = ["pretext", str(sample.folder), "--weights", str(weights), "--triplets", "2", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["videos"] == len(sample.videos)
    assert told["speed_ranking_95"][0] <= told["speed_ranking"] <= told["speed_ranking_95"][1]
    assert told["motion_before_look"].keys() == {"motion", "appearance"}
    assert CliRunner().invoke(app, command).stdout == result.stdout


def test_a_list_limits_both_measurements(tmp_path: Path, sample: SampleManifest, weights: Path) -> None:
    named = [video.path for video in sample.videos if video.motion == "Spin"]  # no other motion of the same look
    (tmp_path / "list.txt").write_text("\n".join(named))
    command = ["pretext", str(sample.folder), "--weights", str(weights), "--list", str(tmp_path / "list.txt"), "--json"]
    told = json.loads(CliRunner().invoke(app, command).stdout)
    assert (told["videos"], told["motion_before_look"]) == (len(named), {})


def test_unreadable_videos_are_named_and_the_rest_is_measured(
    tmp_path: Path, sample: SampleManifest, weights: Path
) -> None:
    good = (sample.folder / sample.videos[0].path).read_bytes()
    (tmp_path / "good.mp4").write_bytes(good)
    (tmp_path / "cut.mp4").write_bytes(good[:400])
    result = CliRunner().invoke(app, ["pretext", str(tmp_path), "--weights", str(weights), "--json"])
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert told["videos"] == 1
    assert [each["path"] for each in told["unreadable"]] == ["cut.mp4"]
    assert told["motion_before_look"] == {}  # nothing is known about these videos


def test_each_video_has_draws_of_its_own(tmp_path: Path, sample: SampleManifest, weights: Path) -> None:
    for copy in range(6):
        shutil.copy(sample.folder / sample.videos[0].path, tmp_path / f"{copy}.mp4")
    model, spec = load_checkpoint(weights)
    assert isinstance(model, TwoHeadModel)
    with DecodePool(workers=1) as pool:
        ranked = evaluate_pretext(model, spec, tmp_path, pool, triplets=6).ranked
    assert len(set(ranked.tolist())) > 1  # the same draws would rank equal files alike


def test_a_folder_that_is_no_sample_data_has_no_manifest(tmp_path: Path, sample: SampleManifest) -> None:
    assert read_manifest(tmp_path) is None
    (tmp_path / "ground_truth.json").write_text('{"generator": "someone else"}')
    assert read_manifest(tmp_path) is None
    assert read_manifest(sample.folder) == sample
