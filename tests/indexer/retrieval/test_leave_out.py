"""A query's own group or recording leaves its search: known by content, else by name, or said not to be known."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.retrieval.filters import Filters, keys_that_pass
from indexer.retrieval.library import Library
from rspnet_core.errors import InvalidSetting, NothingMatches
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.scenes import Look, render
from tests.conftest import Once
from tests.indexer.cli.test_cli import rspnet_index

NAMES = ["Cat/v_Cat_g01_c01", "Cat/v_Cat_g01_c02", "Cat/v_Cat_g02_c01", "Dog/v_Dog_g01_c01", "Dog/v_Dog_g03_c01"]


def write(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    look = Look.of_group(number, seed=3)
    write_video(path, render("Spin", look, playback_speed=1, phase=0.1 * number, num_frames=10, fps=25), fps=25)
    return path


@pytest.fixture(scope="module")
def clips(once: Once) -> Path:
    """Named as UCF101's: g01 of two classes, g02, g03, and a file whose name tells nothing."""

    def build(folder: Path) -> None:
        for number, name in enumerate([*NAMES, "Dog/plain"]):
            write(folder / f"{name}.mp4", number)
        assert rspnet_index("build", folder, "--backbone", "energy").returncode == 0

    return once("named_clips", build)


@pytest.fixture(scope="module")
def library(clips: Path) -> Iterator[Library]:
    with Library.open(clips, device="cpu") as library:
        yield library


def found(library: Library, query: Path | str, kind: str, **filters: str) -> list[str]:
    hits = library.search(query, top=9, leave_out=kind, **filters)
    return sorted(Path(hit.path).stem.replace("v_", "") for hit in hits)


def test_a_group_is_left_out_in_its_class_and_a_recording_in_all(library: Library, clips: Path) -> None:
    query = clips / f"{NAMES[0]}.mp4"
    but_group = ["Cat_g02_c01", "Dog_g01_c01", "Dog_g03_c01", "plain"]
    but_recording = ["Cat_g02_c01", "Dog_g03_c01", "plain"]
    (video,) = (row for row in library.catalogue.videos() if row.path == f"{NAMES[0]}.mp4")
    assert found(library, query, "group") == found(library, video.id, "group") == but_group
    assert found(library, query, "recording") == found(library, video.id, "recording") == but_recording
    result = library.search(query, leave_out="recording", label="Dog")
    assert [hit.label for hit in result] == ["Dog", "Dog"]
    told = {"kind": "recording", "name": "g01", "groups": ["Cat/g01", "Dog/g01"]}
    assert result.to_json()["query"]["left_out"] == told
    assert "left_out" not in library.search(query).to_json()["query"]


def test_a_file_from_elsewhere_is_known_by_its_content_or_by_its_name(
    library: Library, clips: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "holiday.mp4"
    shutil.copy(clips / f"{NAMES[0]}.mp4", copy)
    named = write(tmp_path / "v_cat_g01_c07.mp4", 9)  # the class spelled otherwise
    assert found(library, copy, "group") == found(library, named, "group")
    assert "Cat_g01_c02" not in found(library, named, "group")
    assert found(library, copy, "recording") == ["Cat_g02_c01", "Dog_g03_c01", "plain"]
    new = write(tmp_path / "v_Cat_g77_c01.mp4", 9)
    result = library.search(new, top=9, leave_out="recording")
    assert len(result) == 6
    assert result.query["left_out"] == {"kind": "recording", "name": "g77", "groups": []}


def test_where_it_cannot_be_known_that_is_said(library: Library, clips: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.mp4", 9)
    for query, says in (
        (
            other,
            "that of other.mp4 cannot be known: it is not in this library, and its name tells none, as v_Class_g01",
        ),
        (clips / "Dog/plain.mp4", "that of plain.mp4 cannot be known: its name tells none"),
    ):
        with pytest.raises(InvalidSetting, match=f"^leave_out group: {says}"):
            library.search(query, leave_out="group")
    write(tmp_path / "data/Cat/one.mp4", 1)
    assert rspnet_index("build", tmp_path / "data", "--backbone", "energy").returncode == 0
    done = rspnet_index("search", other, "--index", tmp_path / "data", "--leave-out", "recording")
    says = "rspnet-index: leave_out recording: the names of this library's videos tell none, as v_Class_g01_c01 does; "
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{says}do without it\n")
    with pytest.raises(InvalidSetting, match="leave_out: got 'class', allowed are group, recording"):
        Filters(leave_out="class")  # type: ignore[arg-type]


def test_where_nothing_else_passes_the_message_says_why(library: Library) -> None:
    with pytest.raises(NothingMatches, match=r"^all that pass are of the query's own recording; do not leave it out$"):
        keys_that_pass(library.catalogue, Filters(label="Cat", leave_out="recording"), {"Cat/g01", "Cat/g02"})


def test_the_command_says_what_is_left_out(clips: Path) -> None:
    arguments = ("search", clips / f"{NAMES[0]}.mp4", "--index", clips, "--leave-out", "group")
    assert rspnet_index(*arguments).stdout.startswith("Most like v_Cat_g01_c01.mp4 without group Cat/g01 by")
    hits = json.loads(rspnet_index(*arguments, "--json").stdout)["hits"]
    assert {Path(hit["path"]).stem for hit in hits} == {"v_Cat_g02_c01", "v_Dog_g01_c01", "v_Dog_g03_c01", "plain"}
