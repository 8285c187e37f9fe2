"""Two libraries of the same videos are compared video by video."""

import json
import shutil
from pathlib import Path

import pytest

from indexer.benchmark.compare import Comparison, compare
from indexer.benchmark.evaluation import Preparation, evaluate
from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from rspnet_core.errors import DatasetError, InvalidSetting, NothingMatches
from tests.indexer.cli.test_cli import rspnet_index


def test_both_sides_are_scored_as_a_benchmark_scores_them(built: Path, by_energy: Path) -> None:
    labels = {row.label for row in rows(built)}
    families = {label: "even" if number % 2 else "odd" for number, label in enumerate(sorted(labels))}
    document = compare([built], [by_energy], Comparison(families=families))
    reports = []
    for folder in (built, by_energy):
        with Library.open(folder, device="cpu") as library:
            reports.append(evaluate(library, families=families)[0])
    for name, report in zip("ab", reports, strict=True):
        assert document["overall"]["scores"][name]["top_k"] == pytest.approx(report["top_k"])
        assert document["overall"]["scores"][name]["mean_average_precision"] == pytest.approx(
            report["mean_average_precision"]
        )
        for family, found in report["within_family"]["families"].items():
            assert document["within_family"][family]["scores"][name]["top_k"] == pytest.approx(found["top_k"])
    for measure, value in document["overall"]["scores"]["difference"]["top_k"].items():
        assert value == pytest.approx(reports[1]["top_k"][measure] - reports[0]["top_k"][measure])
        low, high = document["overall"]["intervals"]["difference"]["top_k"][measure]
        assert low - 1e-9 <= value <= high + 1e-9
    assert document["not_shared"] == 0
    alone = document["only_b"]["videos"] - document["only_a"]["videos"]
    assert alone == round(document["overall"]["scores"]["difference"]["top_k"]["1"] * document["overall"]["queries"])


def test_only_videos_that_all_libraries_hold_count(built: Path, few_videos: Path) -> None:
    changed = sorted(few_videos.rglob("*.mp4"))[0]
    changed.write_bytes(changed.read_bytes() + b"\0")
    build_library(few_videos, index=few_videos.parent / "index", backbone="energy", device="cpu")
    document = compare([built], [few_videos.parent / "index"], Comparison(leave_out="group"))
    assert (document["overall"]["queries"], document["not_shared"]) == (3, 30)


def test_seeds_of_a_side_are_averaged(built: Path, by_energy: Path, tmp_path: Path) -> None:
    again = shutil.copytree(by_energy, tmp_path / "again")
    one, two = (compare([built], folders) for folders in ([by_energy], [by_energy, again]))
    assert two["b"]["seeds"] == 2
    for name, found in one["overall"]["scores"].items():
        assert two["overall"]["scores"][name]["top_k"] == pytest.approx(found["top_k"])


def test_a_library_is_not_compared_with_itself_nor_with_one_of_other_videos(
    built: Path, by_energy: Path, few_videos: Path
) -> None:
    with pytest.raises(InvalidSetting, match="given twice"):
        compare([built], [built / ".." / built.name])
    for number, video in enumerate(sorted(few_videos.rglob("*.mp4"))):
        video.rename(video.with_name(f"{number}.mp4"))
    build_library(few_videos, backbone="energy", device="cpu")
    with pytest.raises(InvalidSetting, match="given twice"):
        compare([few_videos], [few_videos / ".rspnet"])
    with pytest.raises(NothingMatches):
        compare([built], [by_energy], Comparison(families={"no such class": "family"}))
    with pytest.raises(DatasetError, match="no labelled video is in all"):
        compare([built], [few_videos])
    with pytest.raises(InvalidSetting, match="gallery of"):
        compare([built], [by_energy], Comparison(preparation=Preparation(whiten=500)))


def test_the_command_prints_a_table_and_the_document(built: Path, by_energy: Path) -> None:
    done = rspnet_index("compare", built, by_energy, "--whiten", 4, "--json")
    document = json.loads(done.stdout)
    assert document["protocol"]["whitened"] == 4 and document["protocol"]["centred"] is True
    done = rspnet_index("compare", built, by_energy, "--leave-out", "recording")
    assert done.returncode == 0 and "B - A with its 95 % interval" in done.stdout, done.stderr
    assert "energy, no weights" in "".join(line for line in done.stdout.splitlines() if line[:3] in {"A: ", "B: "})


def rows(folder: Path) -> list:
    with Library.open(folder, device="cpu") as library:
        return list(library.catalogue.videos(status="indexed"))
