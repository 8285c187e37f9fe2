import json
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from indexer.ingest.build import build_library
from indexer.retrieval.copies import Copies, find_copies
from indexer.retrieval.copy_marks import copies_among
from indexer.retrieval.footage_file import FILE_NAME
from indexer.retrieval.library import Library
from indexer.retrieval.query_footage import QueryFootage
from rspnet_core.video.making.encode import write_video
from tests.conftest import Once
from tests.indexer.cli.test_cli import rspnet_index
from tests.rspnet_core.video.takes import take
from tests.test_docs_reference import assert_described

COPIES = {"Wave/take.mp4", "Wave/again.mp4", "Wave/small.mp4", "Wave/late.mp4", "other.mkv"}
"""Of one take: the same bytes, other sizes and bitrates, a part of it, another container."""


def remux(source: Path, target: Path) -> None:
    """The same packets in the container that the name of ``target`` asks for."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)


def write_takes(folder: Path) -> None:
    wave = folder / "Wave"
    wave.mkdir()
    frames = take(1, frames=60)
    write_video(wave / "take.mp4", frames)
    shutil.copy(wave / "take.mp4", wave / "again.mp4")
    write_video(wave / "small.mp4", [np.asarray(Image.fromarray(frame).resize((80, 80))) for frame in frames])
    write_video(wave / "late.mp4", frames[6:, 4:-4, 4:-4])
    remux(wave / "take.mp4", folder / "other.mkv")
    for seed in (2, 3):
        write_video(wave / f"take{seed}.mp4", take(seed, frames=60))
    write_video(wave / "alike.mp4", take(1, frames=60, worn=1))
    for count in (30, 40):
        write_video(wave / f"still{count}.mp4", np.repeat(frames[:1], count, axis=0))


@pytest.fixture(scope="module")
def takes(once: Once) -> Path:
    """A folder of takes and copies of one of them; read only."""
    return once("takes", write_takes)


@pytest.fixture(scope="module")
def library_once(takes: Path, small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("takes") / "index"
    assert build_library(takes, index=index, weights=str(small_weights), device="cpu").failed == []
    return index


@pytest.fixture(scope="module")
def compared_once(library_once: Path) -> Path:
    compared = shutil.copytree(library_once, library_once.with_name("compared"))
    found_in(compared)
    return compared


@pytest.fixture
def library(library_once: Path, tmp_path: Path) -> Path:
    """A library of the takes, to do with as a test likes."""
    return shutil.copytree(library_once, tmp_path / "index")


@pytest.fixture
def compared(compared_once: Path, tmp_path: Path) -> Path:
    """The same, whose copies are known."""
    return shutil.copytree(compared_once, tmp_path / "compared")


def found_in(library: Path, asked: list[str] | None = None) -> Copies:
    with Library.open(library, device="cpu") as opened:
        return find_copies(opened, lambda what, done, total: None if asked is None else asked.append(what))


def names(copies: Copies) -> list[set[str]]:
    return [{video.path for video in group} for group in copies.groups]


def test_copies_are_found_and_other_takes_are_not_among_them(library: Path) -> None:
    copies = found_in(library)
    assert names(copies) == [COPIES]
    assert copies.unreadable == []
    assert {video.path for video in copies.undecided} == {"Wave/still30.mp4", "Wave/still40.mp4"}
    again: list[str] = []
    assert names(found_in(library, again)) == [COPIES]
    assert again == []  # nothing is read or compared a second time


def test_a_search_says_which_hits_are_copies(library: Path, compared: Path, takes: Path) -> None:
    asked = ("search", takes / "Wave" / "take.mp4", "--top", 10, "--index")
    hits = json.loads(rspnet_index(*asked, library, "--json").stdout)["hits"]
    by_content = {Path(hit["path"]).name for hit in hits if hit["copy_of"] == "query"}
    assert by_content == {"take.mp4", "again.mp4"}  # nothing else is known yet
    asked += (compared,)
    hits = json.loads(rspnet_index(*asked, "--json").stdout)["hits"]
    assert {Path(hit["path"]).name for hit in hits if hit["copy_of"] == "query"} == {Path(copy).name for copy in COPIES}
    assert [hit["copy_of"] for hit in hits if Path(hit["path"]).name.startswith(("take2", "take3"))] == [None, None]
    shown = rspnet_index(*asked).stdout
    assert "copies of 1: " in shown
    assert len([line for line in shown.splitlines() if line[:2].strip().isdigit()]) == len(hits) - 4


def test_a_file_outside_the_library_is_told_from_its_copies_by_footage(library: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    write_video(mine, take(1, frames=60)[3:, 2:-2, 2:-2])
    with Library.open(library, device="cpu") as opened:
        unknown = {hit.copy_of for hit in opened.search(mine, top=10)}
        find_copies(opened)
        found = {hit.path: hit.copy_of for hit in opened.search(mine, top=10)}
    assert "query" not in unknown  # nothing was compared yet
    assert {Path(path).name for path, copy_of in found.items() if copy_of == "query"} == {Path(c).name for c in COPIES}


def test_a_query_is_read_once_for_all_its_searches_and_may_go(
    compared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.mp4"
    write_video(mine, take(1, frames=60)[3:, 2:-2, 2:-2])
    asked: list[Path] = []
    with Library.open(compared, device="cpu") as opened:
        question = opened.embed(mine)
        hits = opened.search(mine, top=10).hits
        videos = list(opened.catalogue.videos(ids=[hit.id for hit in hits], status="indexed"))
        read = opened._decoder.frames
        monkeypatch.setattr(opened._decoder, "frames", lambda path, wanted: asked.append(path) or read(path, wanted))
        first = copies_among(videos, question, opened)
        assert asked.count(mine) >= 1
        asked.clear()
        mine.unlink()
        assert copies_among(videos, question, opened) == first
        assert asked == []
        gone = replace(question, footage=QueryFootage(mine, 25.0, opened._decoder))
        assert "query" not in copies_among(videos, gone, opened)


def test_copies_of_a_hit_that_is_not_the_query_fold_under_it(compared: Path, takes: Path) -> None:
    query = takes / "Wave" / "take2.mp4"
    hits = json.loads(rspnet_index("search", query, "--index", compared, "--top", 10, "--json").stdout)["hits"]
    names = {hit["id"]: Path(hit["path"]).name for hit in hits}
    best = next(hit for hit in hits if names[hit["id"]] in {Path(copy).name for copy in COPIES})
    marks = {names[hit["id"]]: hit["copy_of"] for hit in hits}
    assert marks.pop("take2.mp4") == "query"
    assert marks.pop(names[best["id"]]) is None
    assert {name for name, mark in marks.items() if mark == best["id"]} >= {"take.mp4", "other.mkv"} - {
        names[best["id"]]
    }


def test_what_is_kept_may_be_damaged(library: Path) -> None:
    (library / FILE_NAME).write_bytes(b"no database" * 1000)
    assert names(found_in(library)) == [COPIES]


def test_a_file_that_changed_since_is_named_and_the_others_are_compared(
    takes: Path, small_weights: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(takes, data)
    build_library(data, weights=str(small_weights), device="cpu")
    shutil.copy(data / "Wave" / "take2.mp4", data / "Wave" / "small.mp4")
    (data / "Wave" / "take3.mp4").unlink()
    done = rspnet_index("duplicates", "--index", data, "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 3
    assert_described("rspnet-index-duplicates", document)
    reasons = {Path(each["path"]).name: each["reason"] for each in document["failed"]}
    assert "changed since" in reasons.pop("small.mp4")
    assert reasons == {"take3.mp4": "no such file"}
    paths = [{Path(entry["path"]).relative_to(data).as_posix() for entry in group} for group in document["groups"]]
    assert paths == [COPIES - {"Wave/small.mp4"}]


def test_the_command_says_what_differs_and_which_copies_leak(takes: Path, small_weights: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for split, name in (("train", "take"), ("test", "late"), ("test", "take2")):
        (data / split / "Wave").mkdir(parents=True, exist_ok=True)
        shutil.copy(takes / "Wave" / f"{name}.mp4", data / split / "Wave")
    assert build_library(data, weights=str(small_weights), device="cpu").indexed == 3
    document = json.loads(rspnet_index("duplicates", "--index", data, "--json").stdout)
    assert [[Path(entry["path"]).name for entry in group] for group in document["groups"]] == [["late.mp4", "take.mp4"]]
    assert all(entry.keys() == {"id", "path"} for group in document["groups"] for entry in group)
    done = rspnet_index("duplicates", "--index", data)
    assert done.returncode == 0
    assert "96x96" in done.stdout
    assert "88x88" in done.stdout
    assert (document["leaked"], "both sides" in done.stderr) == ([0], True)


def test_a_place_without_a_library_is_named(tmp_path: Path) -> None:
    done = rspnet_index("duplicates", "--index", tmp_path)
    assert (done.returncode, "no library at" in done.stderr) == (2, True)
