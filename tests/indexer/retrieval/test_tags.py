"""Tags: names that people give to videos, kept by content, obeyed by filters."""

import json
import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from indexer.retrieval.tagging import tag_videos, tags_of
from indexer.retrieval.tags_file import FILE_NAME, MOST_TAGS, TagsFile, read_tag
from rspnet_core.errors import InvalidSetting, LibraryDamaged, LibraryError, NothingMatches, QueryNotFound
from tests.indexer.cli.test_cli import rspnet_index
from tests.test_docs_reference import assert_described


@pytest.fixture
def data(few_videos: Path, small_weights: Path) -> Path:
    assert build_library(few_videos, weights=str(small_weights), device="cpu").indexed == 4
    return few_videos


def videos_of(data: Path) -> list[Path]:
    return sorted(data.rglob("v_*.mp4"))


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\0", "\u200bx", "x" * 41, "\ud800"])
def test_what_is_no_tag_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="allowed are 1 to 40 printable characters"):
        TagsFile(tmp_path).add(text, ["content"])
    assert not (tmp_path / FILE_NAME).exists()


def test_a_tag_has_one_form() -> None:
    assert read_tag("  caf\u0065\u0301 <b>; DROP TABLE tags ") == "caf\u00e9 <b>; DROP TABLE tags"
    assert len(read_tag("\u00e9" * 40)) == 40


def test_tags_are_put_on_and_taken_off(tmp_path: Path) -> None:
    tags = TagsFile(tmp_path)
    assert (tags.of(["a"]), tags.known(), tags.contents_with("x"), tags.remove("x", ["a"])) == ({}, {}, set(), 0)
    assert not (tmp_path / FILE_NAME).exists()
    before = tags.version
    assert tags.add("x", ["a", "b"]) == 2
    assert tags.version != before
    assert tags.add(" x ", ["b", "c"]) == 1
    assert tags.add("'; DROP TABLE tags; --", ["a"]) == 1
    assert tags.of(["a", "c", "z"]) == {"a": ["'; DROP TABLE tags; --", "x"], "c": ["x"]}
    assert tags.contents_with("x") == tags.contents_with(" x\n") == {"a", "b", "c"}
    assert tags.remove("x", ["a", "z"]) == 1
    assert {tag: sorted(contents) for tag, contents in tags.known().items()} == {
        "'; DROP TABLE tags; --": ["a"],
        "x": ["b", "c"],
    }
    many = [f"content {number}" for number in range(1300)]
    assert tags.add("many", many) == 1300
    assert len(tags.of(many)) == 1300


def test_a_video_has_so_many_tags_at_most(tmp_path: Path) -> None:
    tags = TagsFile(tmp_path)
    for number in range(MOST_TAGS):
        tags.add(f"tag {number}", ["a"])
    with pytest.raises(InvalidSetting, match=f"have {MOST_TAGS} tags already"):
        tags.add("one more", ["a", "b"])
    assert tags.add("tag 0", ["a", "b"]) == 1
    assert len(tags.of(["a"])["a"]) == MOST_TAGS


def test_a_damaged_file_is_told_and_kept(tmp_path: Path) -> None:
    TagsFile(tmp_path).add("x", ["a"])
    damaged = b"no database" * 1000
    (tmp_path / FILE_NAME).write_bytes(damaged)
    for ask in (
        lambda tags: tags.of(["a"]),
        lambda tags: tags.known(),
        lambda tags: tags.add("y", ["a"]),
        lambda tags: tags.remove("x", ["a"]),
    ):
        with pytest.raises(LibraryDamaged, match="put a copy of it back, or delete it, which loses all tags"):
            ask(TagsFile(tmp_path))
    assert (tmp_path / FILE_NAME).read_bytes() == damaged


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_only_reads_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(LibraryError, match="cannot be written"):
        TagsFile(tmp_path).add("x", ["a"])


def test_a_search_obeys_a_tag_and_says_which_there_are(data: Path) -> None:
    one, other, *_, last = videos_of(data)
    added = rspnet_index("tag", "add", "to check", one, other, "--index", data)
    assert "2 of 2 videos got the tag 'to check'" in added.stderr
    found = json.loads(rspnet_index("search", one, "--index", data, "--tag", "to check", "--json").stdout)
    assert {Path(hit["path"]).name for hit in found["hits"]} == {one.name, other.name}
    listed = json.loads(rspnet_index("tag", "list", "--index", data, "--json").stdout)
    assert_described("rspnet-index-tag-list", listed)
    assert [(each["tag"], len(each["videos"])) for each in listed["tags"]] == [("to check", 2)]
    shown = [line.split("  ") for line in rspnet_index("tag", "list", "--index", data).stdout.splitlines()]
    assert [[cell.strip() for cell in line if cell.strip()] for line in shown] == [["tag", "videos"], ["to check", "2"]]
    wrong = rspnet_index("search", one, "--index", data, "--tag", "to chek")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "no tag to chek; did you mean to check?" in wrong.stderr
    rspnet_index("export", data / "out", "--index", data, "--tag", "to check")
    assert len(pq.read_table(data / "out" / "videos.parquet")) == 2
    gone = rspnet_index("tag", "remove", "to check", one, "--index", data)
    assert "1 of 1 video lost the tag 'to check'" in gone.stderr
    with Library.open(data, device="cpu") as library:
        assert [hit.path for hit in library.search(one, tag="to check")] == [str(other)]
        with pytest.raises(NothingMatches, match="no class Nowhere"):
            library.search(one, tag="to check", label="Nowhere")
        with pytest.raises(NothingMatches, match="tagged to check at once"):
            library.search(one, tag="to check", folder=last.parent.name)


def test_what_the_library_does_not_hold_is_not_tagged(data: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.mp4"
    foreign.write_bytes(b"not in the library")
    with Library.open(data, device="cpu") as library:
        for video in (foreign, "0123456789abcdef"):
            with pytest.raises(QueryNotFound):
                tag_videos(library, "x", [video])
        with pytest.raises(InvalidSetting, match="no video is named"):
            tag_videos(library, "x", [])
        assert library.tags.known() == {}


def test_tags_stay_with_the_content(data: Path, small_weights: Path) -> None:
    one, *_ = videos_of(data)
    with Library.open(data, device="cpu") as library:
        tag_videos(library, "mine", [one])
    moved = one.with_name("another name.mp4")
    one.rename(moved)
    shutil.copy(moved, moved.with_name("copy.mp4"))
    build_library(data, device="cpu")
    with Library.open(data, device="cpu") as library:
        videos = list(library.catalogue.videos(status="indexed"))
        tags = tags_of(library, videos)
        names = {Path(video.path).name for video in videos if tags.get(video.id) == ["mine"]}
    assert names == {"another name.mp4", "copy.mp4"}
