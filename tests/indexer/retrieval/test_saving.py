"""Hits of a search are saved as what a file's ending says, or as links; what was there is replaced whole or kept."""

import csv
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from indexer.retrieval.library import Library
from indexer.retrieval.saving import check_target, save_hits
from indexer.retrieval.search import SearchResult
from rspnet_core.errors import InvalidSetting, LibraryError
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.scenes import Look, render
from tests.conftest import Once
from tests.indexer.cli.test_cli import rspnet_index

LONG = "ü" * 125 + ".mp4"
"""254 bytes: with a rank before it, too long for a file."""


@pytest.fixture(scope="module")
def videos(once: Once) -> Path:
    """Three videos with names that are none of the easy ones, a copy of the first, and their library."""

    def build(folder: Path) -> None:
        for number, name in enumerate(["it's =1.mp4", "<b>.mp4", LONG]):
            path = folder / "cat" / name
            path.parent.mkdir(exist_ok=True)
            look = Look.of_group(number, seed=3)
            write_video(path, render("Spin", look, playback_speed=1, phase=0.1 * number, num_frames=10, fps=25), fps=25)
        shutil.copy(folder / "cat" / "it's =1.mp4", folder / "cat" / "z copy.mp4")
        assert rspnet_index("build", folder, "--backbone", "energy").returncode == 0

    return once("saved_videos", build)


@pytest.fixture(scope="module")
def library(videos: Path) -> Iterator[Library]:
    with Library.open(videos, device="cpu") as library:
        yield library


@pytest.fixture
def found(library: Library, videos: Path) -> SearchResult:
    result = library.search(videos / "cat" / "it's =1.mp4", top=3, moments=True)
    assert [hit.copy_of for hit in result].count("query") == 2 and len(result) == 4
    return result


def distinct(found: SearchResult) -> list[str]:
    return [found[0].id, *(hit.id for hit in found if hit.copy_of is None)]


def test_tables_hold_each_distinct_hit_with_its_scores_and_place(
    library: Library, found: SearchResult, tmp_path: Path
) -> None:
    for ending in ("csv", "JSON", "parquet"):
        assert save_hits(library, found, str(tmp_path / f"hits.{ending}")) == 3
    rows = json.loads((tmp_path / "hits.JSON").read_text())["videos"]
    assert [row["id"] for row in rows] == distinct(found)
    assert (rows[0]["path"], rows[0]["score"], rows[0]["end_seconds"]) == (
        found[0].path,
        found[0].score,
        found[0].end_seconds,
    )
    assert not Path(rows[0]["file"]).is_absolute() and rows[0]["path"].endswith(rows[0]["file"])
    assert pq.read_table(tmp_path / "hits.parquet").to_pylist() == rows
    with (tmp_path / "hits.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["id"], float(line["score"])) for line in lines] == [(row["id"], row["score"]) for row in rows]
    assert list(lines[0]) == list(rows[0])


def test_ffmpeg_reads_the_list_from_anywhere(library: Library, found: SearchResult, tmp_path: Path) -> None:
    save_hits(library, found, str(tmp_path / "hits.txt"))
    assert (tmp_path / "hits.txt").read_text().splitlines()[1] == "# ffmpeg -f concat -safe 0 -i THIS_FILE -c copy OUT"
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg")
    command = ["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", "hits.txt", "-c", "copy", "out.mkv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_contact_sheet_has_a_picture_of_each_and_loads_nothing(
    library: Library, found: SearchResult, tmp_path: Path
) -> None:
    save_hits(library, found, str(tmp_path / "hits.html"))
    page = (tmp_path / "hits.html").read_text()
    assert page.count("src=") == page.count('src="data:image/jpeg;base64,') == 3
    assert "<title>Most like it&#39;s =1.mp4 by backbone 100%</title>" in page
    assert "&lt;b&gt;.mp4" in page and "default-src 'none'" in page


def test_a_folder_has_links_in_the_order_of_the_hits(library: Library, found: SearchResult, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("new/", "empty"):
        assert save_hits(library, found, f"{tmp_path}/{folder}") == 3
        links = sorted((tmp_path / folder).iterdir())
        assert [str(link.readlink()) for link in links] == [
            hit.path for hit in sorted(found, key=lambda hit: -hit.score) if hit.id in distinct(found)
        ]
        assert links[0].name == f"1 {Path(found[0].path).name}"
        assert all(link.suffix == ".mp4" and link.read_bytes() for link in links)
        with pytest.raises(InvalidSetting, match="is there and not an empty folder; name a new or an empty one"):
            save_hits(library, found, f"{tmp_path}/{folder}")
        assert sorted((tmp_path / folder).iterdir()) == links
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "new"]


def test_a_file_is_replaced_whole_or_stays(
    library: Library, found: SearchResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "hits.csv"
    target.write_text("before")
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(LibraryError, match=r"cannot save .*hits.csv \(No space left on device\); name a file in"):
        save_hits(library, found, str(target))
    assert target.read_text() == "before"
    monkeypatch.undo()
    save_hits(library, found, str(target))
    assert target.read_text().startswith("id,file,")
    assert [path.name for path in tmp_path.iterdir()] == ["hits.csv"]
    with pytest.raises(LibraryError, match="No such file or directory"):
        save_hits(library, found, str(tmp_path / "none" / "hits.csv"))


@pytest.mark.parametrize("target", ["", "hits", "hits.doc", ".csv", "hits.csv.gz", "\udcff.mp4"])
def test_what_is_no_kind_of_file_is_refused_before_anything_is_done(target: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"^save: got '.*', allowed endings are .csv, .parquet, .json, .txt"):
        check_target(target)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(InvalidSetting, match="not an empty folder"):
        check_target(f"{tmp_path}/file/")
    done = rspnet_index("search", "query.mp4", "--index", "nowhere", "--save", "hits.doc")
    assert (done.returncode, done.stderr.partition(",")[0]) == (2, "rspnet-index: save: got 'hits.doc'")


def test_the_command_says_what_it_saved_and_still_shows_it(videos: Path, tmp_path: Path) -> None:
    target = tmp_path / "hits.csv"
    arguments = ("search", videos / "cat" / "<b>.mp4", "--index", videos, "--top", 2, "--save", target)
    done = rspnet_index(*arguments)
    assert done.returncode == 0 and f"hits saved in {target}: 2\n" in done.stderr
    assert done.stdout.startswith("Most like <b>.mp4")
    assert len(json.loads(rspnet_index(*arguments, "--json").stdout)["hits"]) >= 2
