"""Kinetics-100 from a miniature Kinetics."""

import json
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.errors import DatasetError, RspnetError
from rspnet_core.video.datasets.kinetics_subset import smallest_classes, write_list
from rspnet_core.video.datasets.listed import listed_videos
from tests.rspnet_core.video.datasets.dataset_trees import put, text


@pytest.fixture
def kinetics(sample_videos: Path, tmp_path: Path) -> Path:
    """Three classes: 2 small videos, 1 padded one, 3 small ones; the validation videos are huge and do not count."""
    video, data = sorted(sample_videos.rglob("*.mp4"))[0], tmp_path / "kinetics"
    for label, count, padding in (("eating spaghetti", 2, 0), ("abseiling", 1, 10**6), ("zumba", 3, 0)):
        for side, number, extra in (("train", count, padding), ("val", 1, 10**7)):
            folder = data / side / label
            folder.mkdir(parents=True)
            for place in range(number):
                target = folder / f"-3B32lodo2{place}_000059_000069.mp4"
                shutil.copyfile(video, target)
                with target.open("ab") as file:
                    file.truncate(target.stat().st_size + extra)
    return data


def test_the_classes_of_least_training_bytes_are_chosen(kinetics: Path) -> None:
    subset = smallest_classes(kinetics, 2)
    assert subset.classes == ["eating spaghetti", "zumba"]
    assert len(subset.paths) == 5
    assert all(path.startswith(("train/eating spaghetti/", "train/zumba/")) for path in subset.paths)
    assert subset.num_bytes == sum((kinetics / path).stat().st_size for path in subset.paths)


def test_more_classes_than_there_are_is_refused(kinetics: Path) -> None:
    with pytest.raises(DatasetError, match="3 classes, 100 were asked for"):
        smallest_classes(kinetics, 100)


def test_the_list_is_what_pretrain_reads(kinetics: Path) -> None:
    result = CliRunner().invoke(app, ["subset-kinetics", str(kinetics), "--classes", "1", "--json"])
    document = json.loads(result.stdout)
    assert document["classes"] == ["eating spaghetti"]
    listed = listed_videos(kinetics, [Path(document["list"])])
    assert listed == smallest_classes(kinetics, 1).paths
    assert (kinetics / listed[0]).is_file()


def sized(root: Path, sizes: dict[str, int]) -> None:
    """Stand-ins for videos, of so many bytes (the holes take no room)."""
    for name, num_bytes in sizes.items():
        put(root, name)
        with (root / name).open("ab") as file:
            file.truncate(num_bytes)


def test_classes_of_one_size_are_taken_by_name(tmp_path: Path) -> None:
    sized(tmp_path, {f"train/{label}/{label}_000001_000011.mp4": 100 for label in ("c", "a", "b")})
    assert smallest_classes(tmp_path, 2).classes == ["a", "b"]


def test_a_class_is_as_large_as_all_of_its_videos(tmp_path: Path) -> None:
    sized(tmp_path, {"train/one/x_000001_000011.mp4": 250, "train/large/z_000001_000011.mp4": 10**9})
    sized(tmp_path, {f"train/many/{name}_000001_000011.mp4": 100 for name in "abc"})
    subset = smallest_classes(tmp_path, 3)
    assert (subset.classes, subset.class_bytes) == (["one", "many", "large"], [250, 300, 10**9])
    assert subset.num_bytes == 10**9 + 550


def test_without_sides_all_labelled_videos_count(tmp_path: Path) -> None:
    sized(tmp_path, {"run/a.mp4": 300, "run/b.mp4": 300, "walk/c.mp4": 500})
    subset = smallest_classes(tmp_path, 1)
    assert (subset.classes, subset.paths) == (["walk"], ["walk/c.mp4"])


def test_videos_in_no_list_do_not_stand_in_for_missing_training_videos(tmp_path: Path) -> None:
    put(tmp_path, "run/x_000001_000011.mp4", "walk/y_000001_000011.mp4")
    text(tmp_path / "validate.csv", "label,youtube_id,time_start,time_end,split", "run,x,1,11,val")
    with pytest.raises(DatasetError, match="training videos of 0 classes"):
        smallest_classes(tmp_path, 1)


def test_videos_without_labels_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "b.mp4")
    with pytest.raises(DatasetError, match="have no labels"):
        smallest_classes(tmp_path, 1)


def test_a_name_that_a_list_cannot_hold_is_refused_and_the_old_list_stays(tmp_path: Path) -> None:
    put(tmp_path, "train/run/x\ny.mp4")
    out = tmp_path / "list.txt"
    out.write_text("old\n")
    with pytest.raises(DatasetError, match="a list cannot name"):
        write_list(smallest_classes(tmp_path, 1), out)
    assert out.read_text() == "old\n"


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    put(tmp_path, "train/run/caf\udce9.mp4")
    write_list(smallest_classes(tmp_path, 1), tmp_path / "list.txt")
    assert listed_videos(tmp_path, [tmp_path / "list.txt"]) == ["train/run/caf\udce9.mp4"]


def test_names_that_read_like_more_than_a_name_are_listed_in_quotes(tmp_path: Path) -> None:
    names = ["# a.mp4", "a.mp4 1", ' "b".mp4 ', "c, d.mp4", "e\tf.mp4", "#g.mp4", "h.avi 2.mp4", "i;j 3"]
    put(tmp_path, *(f"train/{name}/{name}" for name in names))
    subset = smallest_classes(tmp_path, len(names))
    write_list(subset, tmp_path / "list.txt")
    assert listed_videos(tmp_path, [tmp_path / "list.txt"]) == subset.paths == sorted(f"train/{n}/{n}" for n in names)


def test_a_list_that_cannot_be_written_names_the_option(tmp_path: Path) -> None:
    put(tmp_path, "train/run/x.mp4")
    with pytest.raises(RspnetError, match="name another --out"):
        write_list(smallest_classes(tmp_path, 1), tmp_path / "absent" / "list.txt")


def test_the_closing_line_names_the_largest_class_and_a_command_that_can_be_pasted(tmp_path: Path) -> None:
    data = tmp_path / "my kinetics"
    sized(data, {"train/run/x_000001_000011.mp4": 10**7, "train/play chess/y_000001_000011.mp4": 3 * 10**7})
    result = CliRunner().invoke(app, ["subset-kinetics", str(data), "--classes", "2"])
    assert result.stdout.startswith("2 classes, 2 videos, 0.04 GB, the largest class play chess with 0.03 GB: ")
    words = shlex.split(result.stdout.partition("next: ")[2])
    assert words[2:5] == [str(data), "--list", str(data / "kinetics-2.txt")]
