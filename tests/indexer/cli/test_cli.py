import json
import os
import shutil
from pathlib import Path

import pytest

from indexer.cli.main import main
from tests.command import Finished, run


def rspnet_index(*arguments: object) -> Finished:
    """Run the command in this process: what it prints, and how it exits."""
    return run(main, "rspnet-index", *arguments)


def test_every_command_has_help_with_its_options() -> None:
    listing = rspnet_index("--help")
    commands = ["sample-data", "build", "search", "benchmark", "info", "verify", "repair", "remove", "export"]
    assert listing.returncode == 0
    assert all(command in listing.stdout for command in commands)


def test_build_prints_one_document_and_says_that_some_failed(few_videos: Path, small_weights: Path) -> None:
    (few_videos / "bad.mp4").write_text("<html>")
    done = rspnet_index("build", few_videos, "--weights", small_weights, "--json", "--device", "cpu")
    document = json.loads(done.stdout)
    assert (done.returncode, document["indexed"], document["skipped"]) == (3, 4, 0)
    assert [failure["path"] for failure in document["failed"]] == ["bad.mp4"]
    assert document["videos_per_second"] > 0
    assert "Traceback" not in done.stderr
    (few_videos / "bad.mp4").unlink()
    assert rspnet_index("build", few_videos, "--weights", small_weights).returncode == 0


def test_search_prints_the_documented_json(built: Path, sample_videos: Path) -> None:
    query = sorted(sample_videos.rglob("*.mp4"))[0]
    arguments = ("--top", 3, "--motion", 1, "--backbone-weight", 0, "--moments", "--json")
    done = rspnet_index("search", query, "--index", built, *arguments)
    document = json.loads(done.stdout)
    assert done.returncode == 0
    assert document.keys() == {"query", "encoder", "chance", "recall", "hits"}
    first = document["hits"][0]
    described = {"id", "path", "label", "split", "score", "scores", "percentiles", "copy_of"}
    assert first.keys() == described | {"start_seconds", "end_seconds"}
    assert first["scores"].keys() == {"backbone", "motion", "appearance"}
    assert (first["path"], round(first["score"], 3)) == (str(query), 1.0)
    shown = rspnet_index("search", first["id"], "--index", built, "--false-alarms", 0.01).stdout
    assert query.name in shown
    assert "pairs below" in shown
    assert "1 in 100 unrelated pairs of this library scores above" in shown


def test_benchmark_prints_the_documented_json_and_writes_one_offline_page(built: Path, tmp_path: Path) -> None:
    done = rspnet_index("benchmark", "--index", built, "--report", tmp_path, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 0
    promised = ["protocol", "queries", "gallery", "top_k", "mean_average_precision", "per_class", "weights"]
    assert document.keys() >= {*promised, "intervals", "baselines", "published"}
    assert document["queries"] + document["gallery"] == 32
    assert json.loads((tmp_path / "report.json").read_text()) == document
    page = (tmp_path / "report.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert 'src="http' not in page
    assert "top-1" in rspnet_index("benchmark", "--index", built).stdout


def test_info_counts(built: Path) -> None:
    document = json.loads(rspnet_index("info", "--index", built, "--json").stdout)
    assert document["videos"] == {"indexed": 32, "failed": 0, "total": 32, "partial": 0}
    assert document["clips"] == 96
    assert document["encoder"].keys() >= {"fingerprint", "backbone", "weights", "pooling", "trained"}
    assert {"generation", "index_type"} <= document.keys()
    assert "32 indexed" in rspnet_index("info", "--index", built).stdout


def test_export_rows_fit_the_catalogue(built: Path, tmp_path: Path) -> None:
    import numpy as np
    import pyarrow.parquet as pq

    assert rspnet_index("export", tmp_path / "out", "--index", built).returncode == 0
    videos = pq.read_table(tmp_path / "out" / "videos.parquet").to_pylist()
    vectors = np.load(tmp_path / "out" / "vectors.npy")
    clips = pq.read_table(tmp_path / "out" / "clips.parquet").to_pylist()
    assert (len(videos), len(clips)) == (len(vectors), len(np.load(tmp_path / "out" / "clips.npy"))) == (32, 96)
    document = json.loads(rspnet_index("search", videos[7]["id"], "--index", built, "--json").stdout)
    other = next(row for row, video in enumerate(videos) if video["id"] == document["hits"][1]["id"])
    parts = json.loads((tmp_path / "out" / "encoder.json").read_text())["parts"]
    backbone = slice(0, parts["backbone"])
    assert vectors[7, backbone] @ vectors[other, backbone] == pytest.approx(document["hits"][1]["score"], abs=1e-4)


def test_removed_videos_are_found_no_more(few_videos: Path, small_weights: Path) -> None:
    rspnet_index("build", few_videos, "--weights", small_weights)
    videos = sorted(few_videos.rglob("*.mp4"))
    inside = videos[0].relative_to(few_videos)
    done = rspnet_index("remove", inside, "--index", few_videos, "--json")
    assert (json.loads(done.stdout), done.stderr) == ({"removed": 1}, "1 video removed\n")
    hits = json.loads(rspnet_index("search", videos[0], "--index", few_videos, "--json").stdout)["hits"]
    assert (len(hits), str(videos[0]) in {hit["path"] for hit in hits}) == (3, False)
    assert rspnet_index("remove", "nothing", "--index", few_videos).returncode == 2
    assert rspnet_index("remove", "--all", "--index", few_videos).returncode == 0
    assert json.loads(rspnet_index("info", "--index", few_videos, "--json").stdout)["videos"]["total"] == 0
    assert rspnet_index("build", few_videos, "--backbone", "tiny").returncode == 0


def test_sample_data_takes_a_number_of_looks_and_a_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rspnet_core.video.making.synthetic._NUM_FRAMES", 4)
    done = rspnet_index("sample-data", tmp_path / "held", "--groups", 2, "--seed", 5)
    assert done.returncode == 0
    assert "32 videos" in done.stderr
    truth = json.loads((tmp_path / "held" / "ground_truth.json").read_text())
    assert (truth["groups"], truth["seed"], len(truth["videos"])) == (2, 5, 32)


MISTAKES = [
    (("build", "absent"), 2, "absent"),
    (("search", "absent.mp4", "--index", "{built}"), 2, "neither a file nor the id"),
    (("search", "{text}", "--index", "{built}"), 1, "not a video"),
    (("search", "{text}", "--index", "{built}", "--motion", "-1"), 2, "not negative"),
    (("search", "{text}", "--index", "{built}", "--start", "5", "--end", "2"), 2, "ends at 2 s, before its start"),
    (("search", "{text}", "--index", "{built}", "--start", "-1"), 2, "start: got -1, allowed are seconds from 0"),
    (("search", "{text}", "--index", "absent"), 2, "rspnet-index build"),
    (("benchmark", "--index", "{built}", "--fold", "3"), 2, "fold 3"),
    (("benchmark", "--index", "{built}", "--families", "absent.csv"), 2, "absent.csv"),
    (("build", "{data}", "--device", "cuda:63"), 2, "cuda:63"),
    (("build", "{data}", "--backbone", "resnet50"), 2, "resnet18"),
    (("build", "{data}", "--weights", "{text}"), 1, "text.mp4"),
    (("build", "{data}", "--weights", "official:resnet99"), 2, "official:resnet18"),
    (("verify", "--index", "absent"), 2, "no library"),
    (("sample-data", "{data}"), 2, "{data}"),
    (("sample-data", "new", "--groups", "1"), 2, "allowed is 2"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "words"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_is_one_line_and_the_right_exit_code(
    arguments: tuple[str, ...], code: int, words: str, built: Path, few_videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    places = {"built": str(built), "data": str(few_videos), "text": str(tmp_path / "text.mp4")}
    done = rspnet_index(*(argument.format(**places) for argument in arguments))
    assert done.returncode == code, done.stderr
    assert words.format(**places) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_library_without_heads_refuses_motion(few_videos: Path, tmp_path: Path) -> None:
    from indexer.ingest.build import build_library
    from rspnet_core.models import create_torchvision_model
    from rspnet_core.weights.checkpoint import describe, save_checkpoint
    from tests.conftest import SMALL_CLIPS

    weights = tmp_path / "headless.safetensors"
    model = create_torchvision_model("mc3_18").eval()
    spec = describe(model, "torchvision:mc3_18", source="test", trained=True, geometry=SMALL_CLIPS)
    save_checkpoint(model, spec, weights)
    build_library(few_videos, weights=str(weights), device="cpu")
    query = next(few_videos.rglob("*.mp4"))
    hits = json.loads(rspnet_index("search", query, "--index", few_videos, "--json").stdout)["hits"]
    assert hits[0]["scores"]["motion"] is None
    refused = rspnet_index("search", query, "--index", few_videos, "--motion", 1)
    assert (refused.returncode, "no motion" in refused.stderr) == (2, True)


def test_damage_is_found_and_repaired(few_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    rspnet_index("build", few_videos, "--weights", small_weights)
    assert rspnet_index("verify", "--deep", "--index", few_videos).returncode == 0
    index = next((few_videos / ".rspnet").glob("generations/*/index.faiss"))
    damaged = bytearray(index.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    index.write_bytes(damaged)
    verdict = rspnet_index("verify", "--index", few_videos, "--json")
    assert (verdict.returncode, json.loads(verdict.stdout)["sound"]) == (1, False)
    query = next(few_videos.rglob("*.mp4"))
    refused = rspnet_index("search", query, "--index", few_videos)
    assert (refused.returncode, "repair" in refused.stderr) == (1, True)
    assert rspnet_index("repair", "--index", few_videos).returncode == 0
    assert rspnet_index("search", query, "--index", few_videos).returncode == 0
    assert rspnet_index("verify", "--deep", "--index", few_videos).returncode == 0


def test_a_read_only_data_folder_is_told_to_use_index(few_videos: Path, small_weights: Path) -> None:
    if os.geteuid() == 0:
        shutil.rmtree(few_videos / ".rspnet", ignore_errors=True)
        (few_videos / ".rspnet").write_text("a file stands where the library would go")
    else:
        few_videos.chmod(0o555)
    done = rspnet_index("build", few_videos, "--weights", small_weights)
    assert (done.returncode, "--index" in done.stderr) == (1, True)
