"""Filters that match nothing say what there is; names that are the same show their folders."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.benchmark.evaluation import evaluate
from indexer.retrieval.filters import Filters, keys_that_pass
from indexer.retrieval.library import Library
from rspnet_core.errors import NothingMatches
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.scenes import Look, render
from tests.conftest import Once
from tests.indexer.cli.test_cli import rspnet_index


@pytest.fixture(scope="module")
def cameras(once: Once) -> Path:
    """Two classes; in one of them two files of one name; no official splits."""

    def build(folder: Path) -> None:
        for number, name in enumerate(["cat/day/0001.mp4", "cat/night/0001.mp4", "dog/0002.mp4"]):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            look = Look.of_group(number, seed=3)
            write_video(path, render("Spin", look, playback_speed=1, phase=0.3, num_frames=6, fps=25), fps=25)
        assert rspnet_index("build", folder, "--backbone", "energy").returncode == 0

    return once("cameras", build)


@pytest.fixture(scope="module")
def library(cameras: Path) -> Iterator[Library]:
    with Library.open(cameras, device="cpu") as library:
        yield library


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        (Filters(label="Cat"), "no class Cat; did you mean cat? There is cat, dog"),
        (Filters(label="horse"), "no class horse; there is cat, dog"),
        (Filters(split="train"), "no split train: no video here is in an official split; build with the lists"),
        (Filters(folder="cat/Night/"), "no folder cat/Night; did you mean cat/night? There is cat, cat/day"),
        (Filters(label="dog", folder="cat"), "no video is of class dog and folder cat at once"),
    ],
)
def test_a_filter_that_matches_nothing_says_what_there_is(library: Library, filters: Filters, says: str) -> None:
    with pytest.raises(NothingMatches) as caught:
        keys_that_pass(library.catalogue, filters)
    assert says in str(caught.value)


def test_filters_that_match_are_no_mistake(library: Library) -> None:
    assert keys_that_pass(library.catalogue, Filters()) is None
    for filters, count in ((Filters(label="cat"), 2), (Filters(folder="cat/day/"), 1), (Filters(folder="."), 3)):
        keys = keys_that_pass(library.catalogue, filters)
        assert keys is not None and len(keys) == count


def test_every_command_with_filters_refuses_them_in_one_line(cameras: Path, tmp_path: Path) -> None:
    families = tmp_path / "families.csv"
    families.write_text("class,family\nCat,pets\n")
    video, index = cameras / "dog/0002.mp4", ("--index", cameras)
    for arguments, says in {
        ("search", video, *index, "--label", "Cat"): "did you mean cat?",
        ("search", video, *index, "--folder", "cats"): "did you mean cat?",
        ("export", tmp_path / "out", *index, "--split", "test"): "no split test",
        ("benchmark", *index, "--fold", 7): "no fold 7",
        ("benchmark", *index, "--families", families): "no class Cat; did you mean cat?",
        ("remove", "Cat/day", *index): "did you mean cat/day?",
    }.items():
        done = rspnet_index(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        assert says in done.stderr
    assert not (tmp_path / "out").exists()


def test_export_writes_those_that_pass(cameras: Path, tmp_path: Path) -> None:
    done = rspnet_index("export", tmp_path / "out", "--index", cameras, "--label", "cat", "--json")
    assert json.loads(done.stdout)["videos"] == 2


def test_a_fold_that_no_list_has_is_named(built: Path) -> None:
    with Library.open(built, device="cpu") as library, pytest.raises(NothingMatches, match="no fold 9; there is 1"):
        evaluate(library, fold=9)


def test_hits_of_one_name_show_their_folders(cameras: Path) -> None:
    shown = rspnet_index("search", cameras / "dog/0002.mp4", "--index", cameras).stdout
    assert "day/0001.mp4" in shown and "night/0001.mp4" in shown and " 0002.mp4" in shown
