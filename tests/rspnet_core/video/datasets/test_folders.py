"""What folders alone say, by odd trees."""

from pathlib import Path

import pytest

from rspnet_core.video.datasets import scan
from tests.rspnet_core.video.datasets.dataset_trees import UCF_VIDEOS, put


def found(root: Path, *names: str) -> list[tuple[str | None, str | None]]:
    """Class and side of fold 1 of each file."""
    put(root, *names)
    files = {file.path: file for file in scan(root).files}
    return [(files[name].label, files[name].splits.get(1)) for name in names]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "beside" / "data"


def test_one_side_with_a_stray_is_still_a_side(root: Path) -> None:
    names = ["train/cat/a.mp4", "train/dog/b.mp4", "intro.mp4"]
    assert found(root, *names) == [("cat", "train"), ("dog", "train"), (None, None)]


@pytest.mark.parametrize("wrapper", ["", "k400/", "a/b/"])
def test_sides_in_capitals_and_in_other_words(root: Path, wrapper: str) -> None:
    names = [f"{wrapper}{name}" for name in ("Training/cat/a.mp4", "TEST/cat/b.mp4", "validation/cat/c.mp4")]
    assert found(root, *names) == [("cat", "train"), ("cat", "test"), ("cat", "val")]


def test_sides_below_their_classes(root: Path) -> None:
    names = ["cat/train/a.mp4", "cat/test/b.mp4", "dog/train/c.mp4", "dog/test/d.mp4", "extra/e.mp4", "f.mp4"]
    expected = [("cat", "train"), ("cat", "test"), ("dog", "train"), ("dog", "test"), (None, None), (None, None)]
    assert found(root, *names) == expected


def test_the_class_is_the_first_folder_below_the_side(root: Path) -> None:
    names = ["train/videos/cat/day 1/a.mp4", "train/videos/cat/day 2/b.mp4", "test/cat/c.mp4"]
    assert found(root, *names) == [("cat", "train"), ("cat", "train"), ("cat", "test")]


def test_a_class_may_be_called_train(root: Path) -> None:
    assert found(root, "plane/a.mp4", "train/b.mp4", "train/c.mp4") == [
        ("plane", None),
        ("train", None),
        ("train", None),
    ]


def test_ucf101_sorted_into_sides_keeps_them(root: Path) -> None:
    names = [f"{'test' if 'g01' in name else 'train'}/{name}" for name in UCF_VIDEOS]
    assert found(root, *names) == [
        ("Archery", "test"),
        ("Archery", "train"),
        ("HandstandPushups", "test"),
        ("HandstandPushups", "train"),
    ]


def test_a_folder_of_class_folders_in_the_minority_is_a_class_and_is_named(root: Path) -> None:
    assert found(root, "run/day 1/a.mp4", "run/day 2/b.mp4", "walk/c.mp4")[0] == ("run", None)
    assert "the class 'run' holds 2 folders: if those are the classes, name 'run' as DATA" in scan(root).notes


def test_one_class_spelt_in_two_ways(root: Path) -> None:
    names = ["train/Cat/a.mp4", "train/Cat/b.mp4", "test/cat/c.mp4"]
    assert found(root, *names) == [("Cat", "train"), ("Cat", "train"), ("Cat", "test")]
    assert "taken as one class: Cat, cat; it is called Cat" in scan(root).notes


def test_classes_that_stand_side_by_side_stay_two(root: Path) -> None:
    assert found(root, "A/1.mp4", "a/2.mp4") == [("A", None), ("a", None)]
    assert "classes that differ in the case of letters only: A, a" in scan(root).notes


def test_few_classes_and_sides_are_said(root: Path) -> None:
    put(root, *(f"train/cat/{number}.mp4" for number in range(8)), "test/cat/9.mp4", "intro.mp4")
    assert not any(note.startswith("only") for note in scan(root).notes)
    put(root, "intro 2.mp4")
    assert [note for note in scan(root).notes if note.startswith("only")] == [
        "only 9 of 11 videos have a class",
        "only 9 of 11 videos have a side (train, test or val)",
    ]


def test_a_flat_folder_says_that_it_has_no_classes(root: Path) -> None:
    put(root, "a.mp4", "videos/b.mp4")
    dataset = scan(root)
    assert dataset.layout == "flat folder"
    assert dataset.notes == [
        "only 0 of 2 videos have a class; searching needs none, a benchmark and training on classes do"
    ]


def test_a_stray_does_not_make_a_class_of_a_well_known_data_set(root: Path) -> None:
    put(root, *UCF_VIDEOS, "extras/making of.mp4", "Archery/unnamed.mp4")
    dataset = scan(root)
    assert dataset.classes == ["Archery", "HandstandPushups"]
    assert {file.path: file.label for file in dataset.files}["Archery/unnamed.mp4"] == "Archery"
    assert "beside the layout, without class and side: 1 video, extras/making of.mp4" in dataset.notes
