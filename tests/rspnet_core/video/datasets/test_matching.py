from pathlib import Path

import pytest

from rspnet_core.errors import DatasetError
from rspnet_core.video.datasets.dataset import Dataset, VideoFile, scan
from tests.rspnet_core.video.datasets.dataset_trees import UCF_VIDEOS, put, text, ucf_lists


@pytest.fixture
def root(tmp_path) -> Path:
    """A data folder with nothing beside it."""
    folder = tmp_path / "beside" / "data"
    folder.mkdir(parents=True)
    return folder


def by_path(dataset: Dataset) -> dict[str, VideoFile]:
    return {file.path: file for file in dataset.files}


def test_split_lists_are_looked_for_only_where_the_user_says(root, tmp_path):
    put(root, *UCF_VIDEOS)
    ucf_lists(root)
    other = tmp_path / "other"
    text(other / "testlist03.txt", UCF_VIDEOS[0])
    assert by_path(scan(root, other))[UCF_VIDEOS[0]].splits == {3: "test"}


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "no split lists; expected trainlist01.txt"),
        ({"trainlist01.txt": "Other/v_Other_g01_c01.avi 1"}, "none of the 1 entries of trainlist01.txt"),
        ({"trainlist01.txt": "nonsense"}, "trainlist01.txt, line 1: got 'nonsense', expected Class/v_"),
    ],
)
def test_split_lists_that_do_not_fit_are_refused(root, tmp_path, lists, message):
    put(root, *UCF_VIDEOS)
    (tmp_path / "lists").mkdir()
    for name, line in lists.items():
        text(tmp_path / "lists" / name, line)
    with pytest.raises(DatasetError, match=message):
        scan(root, tmp_path / "lists")
    with pytest.raises(DatasetError, match="name the folder of the lists"):
        scan(root, tmp_path / "none")


def test_what_lists_and_files_do_not_share_is_counted(root):
    put(root, *UCF_VIDEOS, "Juggling/v_Juggling_g01_c01.avi")
    ucf_lists(root / "ucfTrainTestlist")
    (root / UCF_VIDEOS[1]).unlink()
    (root / UCF_VIDEOS[0]).unlink()
    assert scan(root).notes == [
        "1 entries of testlist01.txt have no file, such as line 1: 'v_Archery_g01_c01'",
        "1 entries of testlist02.txt have no file, such as line 1: 'v_Archery_g02_c01'",
        "1 entries of trainlist01.txt have no file, such as line 1: 'v_Archery_g02_c01'",
        "1 entries of trainlist02.txt have no file, such as line 1: 'v_Archery_g01_c01'",
        "1 files are in no list of fold 1",
        "1 files are in no list of fold 2",
        "only 2 of 3 videos have a side (train, test or val)",
        "1 classes of classInd.txt have no video: Archery",
        "1 classes are not in classInd.txt: Juggling",
    ]


def test_lists_of_other_videos_are_remarked_and_not_used(root):
    put(root, *UCF_VIDEOS)
    text(root / "trainlist01.txt", "Other/v_Other_g01_c01.avi 1")
    dataset = scan(root)
    assert all(file.splits == {} for file in dataset.files)
    assert dataset.notes == [
        "none of the 1 entries of trainlist01.txt and its like has a file here, such as line 1: 'v_Other_g01_c01' "
        "(nearest: Archery/v_Archery_g01_c01.avi); the lists are not used"
    ]


def test_ucf101_without_lists_keeps_its_groups_and_says_what_is_missing(root):
    put(root, *UCF_VIDEOS)
    dataset = scan(root)
    assert (dataset.layout, dataset.files[0].group) == ("UCF101", "Archery/g01")
    assert dataset.notes == ["UCF101 without split lists: name their folder with --split-lists"]


def test_a_video_on_two_sides_of_a_fold_is_refused(root):
    put(root, *UCF_VIDEOS)
    text(root / "trainlist01.txt", f"{UCF_VIDEOS[0]} 1")
    text(root / "testlist01.txt", UCF_VIDEOS[0])
    with pytest.raises(DatasetError, match=r"test in testlist01\.txt and train in trainlist01\.txt"):
        scan(root)


def test_a_group_on_both_sides_is_reported_as_a_leak(root):
    put(root, *UCF_VIDEOS, "Archery/v_Archery_g01_c02.avi", "Archery/v_Archery_g02_c02.avi")
    text(
        root / "trainlist01.txt", "Archery/v_Archery_g01_c01.avi 1", "HandstandPushups/v_HandStandPushups_g01_c01.avi 2"
    )
    text(root / "testlist01.txt", "Archery/v_Archery_g01_c02.avi", "Archery/v_Archery_g02_c01.avi")
    dataset = scan(root)
    # g01 of another class is another source video
    assert dataset.leaks == {1: ["Archery/g01"]}
    assert any(note.startswith("leakage: 1 groups stand on both sides of fold 1") for note in dataset.notes)


def test_a_file_in_another_class_folder_follows_its_list(root):
    put(root, *UCF_VIDEOS[:2], "Other/v_HandStandPushups_g01_c01.avi")
    ucf_lists(root)
    dataset = scan(root)
    assert by_path(dataset)["Other/v_HandStandPushups_g01_c01.avi"].label == "HandstandPushups"
    assert "1 files lie in the folder of another class than their list says: the list is followed" in dataset.notes
