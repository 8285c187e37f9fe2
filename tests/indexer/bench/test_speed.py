"""``rspnet-index speed``: the plain code does the same work, and the figures are of what ran."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity

from indexer.bench.build_speed import measure_build
from indexer.bench.turns import in_turns
from rspnet_core.bench.plain_loop import plain_features
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import VideoError
from rspnet_core.models import create_model
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.video.reading.plain import plain_clips
from rspnet_core.weights.checkpoint import describe
from tests import tiny
from tests.indexer.cli.test_cli import rspnet_index
from tests.test_docs_reference import assert_described


def test_rounds_are_paired_and_the_first_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([9, 9, 1, 4, 2, 4, 3, 4])
    monkeypatch.setattr("indexer.bench.turns.seconds_of", lambda run, device: run() or next(taken))
    ran: list[str] = []
    pair = (lambda: ran.append("ours"), lambda: ran.append("plain"))
    (found,) = in_turns({"build": pair}, 3, torch.device("cpu"))
    assert ran == ["ours", "plain"] * 4
    assert (found.ours, found.plain) == ([1, 2, 3], [4, 4, 4])
    document = found.document()
    assert (document["seconds"], document["ratio"], document["ratio_low"], document["ratio_high"]) == (2, 2, 4 / 3, 4)
    assert document["of_bound"] is None


def test_the_plain_loop_sees_what_a_build_sees(few_videos: Path) -> None:
    model = create_model(tiny.NAME, seed=0).eval()
    geometry = ClipGeometry(num_clips=3, frames_per_clip=8, frame_step=2, size=48)
    spec = describe(model, tiny.NAME, source="test", trained=False, geometry=geometry)
    video = next(few_videos.rglob("*.mp4"))
    clips = plain_clips(video, spec)
    assert clips.shape == (3, 3, 8, 48, 48)
    frames = torch.from_numpy(read_clips(video, geometry).frames).permute(0, 4, 1, 2, 3) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1, 1) for v in (spec.normalisation.mean, spec.normalisation.std))
    ours = (frames - mean) / std
    assert (clips - ours).abs().mean() < 0.1  # of standard deviations: the resizing differs
    features = plain_features(model, clips, torch.device("cpu"))
    assert (cosine_similarity(features.flatten(1), model.features(ours).flatten(1)) > 0.99).all()


def test_a_build_is_measured_and_nothing_is_left_beside_the_videos(few_videos: Path, small_weights: Path) -> None:
    before = sorted(few_videos.rglob("*"))
    found = rspnet_index(
        "speed", "build", few_videos, "--weights", small_weights, "--videos", 2, "--rounds", 1, "--json"
    )
    document = json.loads(found.stdout)
    assert_described("rspnet-index-speed-build-rspnet-index-speed-decode-rspnet-index-speed-encode", document)
    assert document["videos"] == 2
    assert [row["name"] for row in document["rows"]] == ["decode", "encode", "build"]
    decode, encode, build = document["rows"]
    assert build["bound_seconds"] == pytest.approx(decode["seconds"] + encode["seconds"])
    assert build["ratio"] == pytest.approx(build["plain_seconds"] / build["seconds"])
    assert sorted(few_videos.rglob("*")) == before


@pytest.mark.parametrize(("command", "rows"), [("decode", ["decode", "copies"]), ("encode", ["encode"])])
def test_a_part_of_a_build_is_measured_alone(
    command: str, rows: list[str], few_videos: Path, small_weights: Path
) -> None:
    asked = ("speed", command, few_videos, "--weights", small_weights, "--videos", 1, "--rounds", 1)
    document = json.loads(rspnet_index(*asked, "--json").stdout)
    assert_described("rspnet-index-speed-build-rspnet-index-speed-decode-rspnet-index-speed-encode", document)
    assert [(row["name"], row["bound_seconds"]) for row in document["rows"]] == [(row, None) for row in rows]


def test_encoders_that_see_more_than_copies_have_are_measured_without(few_videos: Path) -> None:
    found = measure_build(few_videos, kinds=("copies",), backbone="s3dg", videos=1, rounds=1)
    assert found.rows == []


def test_a_search_is_measured(built: Path) -> None:
    document = json.loads(rspnet_index("speed", "search", "--index", built, "--queries", 3, "--json").stdout)
    assert_described("rspnet-index-speed-search", document)
    assert (document["queries"], document["rounds"]) == (3, 3)
    (search,) = document["rows"]
    assert 0 < search["of_bound"] < 1.5
    assert "times as fast" in rspnet_index("speed", "search", "--index", built).stdout


def test_publishing_is_measured_on_libraries_of_the_sizes_asked_for() -> None:
    asked = ("speed", "publish", "--videos", 60, "--videos", 40, "--rounds", 2)
    document = json.loads(rspnet_index(*asked, "--json").stdout)
    assert_described("rspnet-index-speed-publish", document)
    assert [size["videos"] for size in document["sizes"]] == [40, 60]
    for size in document["sizes"]:
        assert [row["name"] for row in size["rows"]] == ["commit", "publish"]
        assert all(row["ratio_low"] <= row["ratio"] <= row["ratio_high"] for row in size["rows"])


def test_recall_of_an_exact_index_is_1(built: Path) -> None:
    document = json.loads(rspnet_index("speed", "recall", "--index", built, "--queries", 5, "--json").stdout)
    assert_described("rspnet-index-speed-recall", document)
    assert (document["videos"], document["queries"], document["index_type"]) == (32, 5, "flat")
    assert len(document["rows"]) == 5 * 3
    assert all(row["recall"] == 1 for row in document["rows"])
    assert "motion 100%" in rspnet_index("speed", "recall", "--index", built, "--queries", 5).stdout


def test_a_file_that_cannot_be_read_is_named(few_videos: Path, small_weights: Path) -> None:
    (few_videos / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"broken\.mp4: .*; measure a folder without it"):
        measure_build(few_videos, weights=str(small_weights), device="cpu", rounds=1)
