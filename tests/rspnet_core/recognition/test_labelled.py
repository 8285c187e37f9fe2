"""Both sides of a fold, from miniatures of every data set in its real layout."""

import json
from pathlib import Path

import pytest

from rspnet_core.errors import DatasetError
from rspnet_core.recognition.labelled import LabelledVideos, labelled_videos
from tests.rspnet_core.video.datasets.dataset_trees import UCF_VIDEOS, put, text, ucf_lists


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder with nothing beside it."""
    folder = tmp_path / "beside" / "data"
    folder.mkdir(parents=True)
    return folder


def sides(found: LabelledVideos) -> tuple[list[tuple[str, str | None]], list[tuple[str, str | None]]]:
    train, test = ([(file.path.rpartition("/")[2], file.label) for file in side] for side in (found.train, found.test))
    return train, test


@pytest.mark.parametrize(("fold", "train", "test"), [(1, "g02", "g01"), (2, "g01", "g02")])
def test_ucf101_has_folds(root: Path, fold: int, train: str, test: str) -> None:
    put(root, *(f"UCF-101/{name}" for name in UCF_VIDEOS))
    ucf_lists(root / "ucfTrainTestlist")
    found = labelled_videos(root, fold)
    assert found.classes == ("Archery", "HandstandPushups")
    assert sides(found) == tuple(
        [(f"v_Archery_{side}_c01.avi", "Archery"), (f"v_HandStandPushups_{side}_c01.avi", "HandstandPushups")]
        for side in (train, test)
    )
    assert found.families == {"Archery": "Sports", "HandstandPushups": "Body"}


def test_hmdb51_names_with_spaces_and_brackets(root: Path) -> None:
    names = [f"#437_How To [Ride]; A (Bike)!_ride_bike_f_cm_np1_ba_med_{number}.avi" for number in range(3)]
    put(root, *(f"ride_bike/{name}" for name in names), "kiss/a b.avi", "kiss/c.avi")
    lists = root.parent / "testTrainMulti_7030_splits"
    text(lists / "ride_bike_test_split3.txt", *(f"{name} {side} " for name, side in zip(names, "120", strict=True)))
    text(lists / "kiss_test_split3.txt", "a b.avi 1 ", "c.avi 2 ")
    assert sides(labelled_videos(root, 3)) == (
        [("a b.avi", "kiss"), (names[0], "ride_bike")],
        [("c.avi", "kiss"), (names[1], "ride_bike")],
    )


def test_kinetics_is_tested_on_val(root: Path) -> None:
    put(root, "train/air drumming/-a_000001_000011.mp4", "val/air drumming/b_c_000000_000010.mp4", "test/d.mp4")
    assert sides(labelled_videos(root)) == (
        [("-a_000001_000011.mp4", "air drumming")],
        [("b_c_000000_000010.mp4", "air drumming")],
    )


def test_something_something_is_tested_on_validation_as_its_test_has_no_labels(root: Path) -> None:
    put(root, *(f"{number}.webm" for number in (1, 2, 3)))
    for name, number in {"train": "1", "validation": "2"}.items():
        record = {"id": number, "label": "x", "template": "Putting [something similar] on [something]"}
        (root / f"something-something-v2-{name}.json").write_text(json.dumps([record]))
    (root / "something-something-v2-test.json").write_text(json.dumps([{"id": "3"}]))
    label = "Putting something similar on something"
    assert sides(labelled_videos(root)) == ([("1.webm", label)], [("2.webm", label)])


def test_class_folders_without_lists_hold_out_every_fifth_video(root: Path) -> None:
    put(root, *(f"{name}/{number}.mp4" for name in ("run", "walk slowly") for number in range(10)), "rare/only.mp4")
    found = labelled_videos(root)
    assert sides(found)[1] == [(f"{number}.mp4", name) for name in ("run", "walk slowly") for number in (4, 9)]
    assert len(found.train) == 17
    assert any("held out" in note for note in found.notes)


def test_official_data_without_its_lists_is_refused(root: Path) -> None:
    put(root, *UCF_VIDEOS)
    with pytest.raises(DatasetError, match="UCF101 without its split lists; name their folder with --split-lists"):
        labelled_videos(root)


def test_a_fold_that_is_not_there_is_named_with_those_that_are(root: Path) -> None:
    put(root, *UCF_VIDEOS)
    ucf_lists(root)
    with pytest.raises(DatasetError, match=r"fold 3 has 0 train and 0 labelled test videos, it has folds 1, 2"):
        labelled_videos(root, 3)


def test_videos_without_classes_are_refused(root: Path) -> None:
    put(root, "a.mp4", "b.mp4")
    with pytest.raises(DatasetError, match="none of its 2 videos has a class"):
        labelled_videos(root)


def test_a_class_that_is_only_tested_is_refused(root: Path) -> None:
    put(root, *UCF_VIDEOS)
    text(root / "trainlist01.txt", f"{UCF_VIDEOS[0]} 1")
    text(root / "testlist01.txt", UCF_VIDEOS[1], UCF_VIDEOS[2])
    with pytest.raises(DatasetError, match=r"1 classes of the test have no train video in fold 1, such as 'Handstand"):
        labelled_videos(root)


def test_listed_videos_that_are_not_there_are_counted(root: Path) -> None:
    put(root, *UCF_VIDEOS)
    ucf_lists(root)
    text(root / "trainlist03.txt", *(f"{name} 1" for name in UCF_VIDEOS[::2]), "Archery/v_Archery_g09_c01.avi 1")
    text(root / "testlist03.txt", *UCF_VIDEOS[1::2], "Archery/gone 1.avi", "Archery/gone 2.avi")
    found = labelled_videos(root, 3)
    assert (found.missing_train, found.missing_test) == (1, 2)
    assert labelled_videos(root, 1).missing_train == 0
