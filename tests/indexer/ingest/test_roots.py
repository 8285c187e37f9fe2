"""A data folder that moves, is copied, or goes: each video once, nothing embedded twice, nothing lost."""

import json
import shutil
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.ingest.build import build_library
from indexer.ingest.report import BuildReport
from indexer.ingest.roots import data_folders
from indexer.retrieval.library import Library
from tests.indexer.cli.test_cli import rspnet_index


@pytest.fixture
def data(few_videos: Path, tmp_path: Path) -> Path:
    return shutil.copytree(few_videos, tmp_path / "old", ignore=shutil.ignore_patterns(".rspnet"))


@pytest.fixture
def library(tmp_path: Path, small_weights: Path, data: Path) -> Path:
    index = tmp_path / "library"
    assert build_library(data, index=index, weights=str(small_weights), device="cpu").indexed == 4
    return index


def build(data: Path, library: Path) -> BuildReport:
    return build_library(data, index=library, device="cpu")


def entries(library: Path) -> dict[str, str]:
    """Path -> id of all videos."""
    with Library.open(library, device="cpu") as opened:
        return {str(opened.path_of(video)): video.id for video in opened.catalogue.videos()}


def test_a_folder_that_moved_keeps_its_videos_and_their_ids(data: Path, library: Path) -> None:
    before = entries(library)
    moved = data.rename(data.parent / "new")
    report = build(moved, library)
    assert (report.indexed, report.reused, report.dropped, report.skipped) == (0, 0, 0, 4)
    assert report.to_json()["notes"][-1] == f"the data folder {data} has moved to {moved}"
    after = entries(library)
    assert sorted(after.values()) == sorted(before.values())
    assert all(Path(path).is_file() for path in after)
    assert [folder.path for folder in data_folders(library)] == [str(moved)]
    assert build(moved, library).moved == []


def test_a_folder_that_moved_and_was_sorted_anew_embeds_nothing(data: Path, library: Path) -> None:
    moved = data.parent / "new"
    (moved / "deeper").mkdir(parents=True)
    for number, video in enumerate(sorted(data.rglob("*.mp4"))):
        video.rename(moved / "deeper" / f"{number}.mp4")
    shutil.rmtree(data)
    report = build(moved, library)
    assert (report.indexed, report.reused) == (0, 4)
    assert report.moved == [f"the data folder {data} is gone: it has left the library, its 4 videos are here"]
    assert len(entries(library)) == 4 and all(Path(path).is_file() for path in entries(library))
    assert [folder.path for folder in data_folders(library)] == [str(moved)]


def test_two_folders_that_are_both_there_stay_two(data: Path, library: Path) -> None:
    copy = shutil.copytree(data, data.parent / "new")
    report = build(copy, library)
    assert (report.indexed, report.reused, report.moved) == (0, 4, [])
    assert len(entries(library)) == 8
    assert [(folder.path, folder.exists, folder.indexed) for folder in data_folders(library)] == [
        (str(copy), True, 4),
        (str(data), True, 4),
    ]
    shutil.rmtree(data)
    assert build(copy, library).moved == [
        f"the data folder {data} is gone: it has left the library, its 4 videos are here"
    ]
    assert len(entries(library)) == 4


def test_videos_that_are_found_nowhere_stay_and_are_noted(data: Path, library: Path) -> None:
    moved = data.parent / "new"
    moved.mkdir()
    video = sorted(data.rglob("*.mp4"))[0].rename(moved / "a.mp4")
    shutil.rmtree(data)
    report = build(moved, library)
    assert (report.indexed, report.reused) == (0, 1)
    assert report.moved == [
        f"the data folder {data} is gone, with 3 videos that are not elsewhere; "
        "`rspnet-index roots` renames or drops it"
    ]
    assert [path for path in entries(library) if Path(path).exists()] == [str(video)] and len(entries(library)) == 4
    assert [(folder.exists, folder.indexed) for folder in data_folders(library)] == [(True, 1), (False, 3)]


def test_other_videos_of_the_same_names_and_sizes_are_no_folder_that_moved(data: Path, library: Path) -> None:
    moved = data.rename(data.parent / "new")
    for video in moved.rglob("*.mp4"):
        content = bytearray(video.read_bytes())
        content[-1] ^= 1
        video.write_bytes(content)
    report = build(moved, library)
    assert report.indexed + len(report.failed) == 4
    assert "4 videos that are not elsewhere" in report.moved[0]


def test_roots_lists_renames_and_drops(data: Path, library: Path) -> None:
    def document(*options: str) -> list[dict[str, object]]:
        result = rspnet_index("roots", "--index", str(library), "--json", *options)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)["roots"]

    moved = data.rename(data.parent / "new")
    assert document() == [{"path": str(data), "exists": False, "indexed": 4, "failed": 0}]
    assert document("--rename", str(data), str(moved))[0]["path"] == str(moved)
    assert all(Path(path).is_file() for path in entries(library))
    text = rspnet_index("roots", "--index", str(library)).stdout
    assert "".join(text.split()).startswith(f"4indexed,0failed{moved}")
    assert document("--drop", str(moved)) == []
    with Catalogue.open(library / "catalogue.sqlite", write=False) as catalogue:
        assert catalogue.counts().total == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--drop", "{data}/x"], "is no data folder of this library; it has {data}"),
        (["--rename", "{data}", "{data}"], "is a data folder of this library already"),
        (["--rename", "{data}", "{data}/../elsewhere"], "holds none of the 4 videos"),
        (["--rename", "{data}", "{library}"], "holds none of the 4 videos"),
    ],
)
def test_a_wrong_folder_is_refused_and_nothing_changes(
    data: Path, library: Path, options: list[str], message: str
) -> None:
    places = {"data": data, "library": library}
    result = rspnet_index("roots", "--index", str(library), *(option.format(**places) for option in options))
    assert result.returncode == 2
    assert message.format(**places) in " ".join(result.stderr.split())
    assert len(entries(library)) == 4
