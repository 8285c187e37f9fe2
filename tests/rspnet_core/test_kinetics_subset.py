"""Kinetics-100 from a miniature Kinetics."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rspnet_core.cli import app
from rspnet_core.errors import DatasetError
from rspnet_core.kinetics_subset import smallest_classes
from rspnet_core.video.split_lists import read_paths


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
    listed = read_paths(Path(document["list"]))
    assert listed == smallest_classes(kinetics, 1).paths
    assert (kinetics / listed[0]).is_file()
