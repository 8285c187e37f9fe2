"""A miniature of every data set in its real layout."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.errors import DatasetError, RspnetError
from rspnet_core.video.datasets.dataset import Dataset, scan
from rspnet_core.video.datasets.kinetics_subset import smallest_classes, write_list
from rspnet_core.video.datasets.listed import listed_videos
from tests.conftest import SHARED
from tests.rspnet_core.video.datasets.dataset_trees import UCF_VIDEOS, put, text, ucf_lists

ACTIONS = SHARED / "videos" / "actions"


@pytest.fixture
def root(tmp_path) -> Path:
    """A data folder with nothing beside it."""
    folder = tmp_path / "beside" / "data"
    folder.mkdir(parents=True)
    return folder


def summary(dataset: Dataset) -> dict[str, tuple[str | None, dict[int, str]]]:
    return {file.path: (file.label, file.splits) for file in dataset.files}


@pytest.mark.parametrize(
    ("wrapper", "lists"),
    [
        ("", "data/ucfTrainTestlist"),
        ("videos/", "data/ucfTrainTestlist"),
        ("UCF-101/", "data"),
        ("", "ucfTrainTestlist"),  # beside the data folder
    ],
)
def test_ucf101(root, wrapper, lists):
    put(root, *(wrapper + video for video in UCF_VIDEOS))
    ucf_lists(root.parent / lists)
    dataset = scan(root)
    assert dataset.layout == "UCF101"
    assert summary(dataset) == {
        wrapper + UCF_VIDEOS[0]: ("Archery", {1: "test", 2: "train"}),
        wrapper + UCF_VIDEOS[1]: ("Archery", {1: "train", 2: "test"}),
        wrapper + UCF_VIDEOS[2]: ("HandstandPushups", {1: "test", 2: "train"}),
        wrapper + UCF_VIDEOS[3]: ("HandstandPushups", {1: "train", 2: "test"}),
    }
    assert [file.group for file in dataset.files][:2] == ["Archery/g01", "Archery/g02"]
    assert dataset.classes == ["Archery", "HandstandPushups"]
    assert dataset.families == {"Archery": "Sports", "HandstandPushups": "Body"}
    assert dataset.leaks == {}
    assert dataset.notes == []


def test_ucf101_files_in_one_folder_and_converted_to_another_format(root):
    put(root, *(Path(video).with_suffix(".mp4").name for video in UCF_VIDEOS))
    ucf_lists(root / "lists")
    assert [(file.label, file.splits[1]) for file in scan(root).files] == [
        ("Archery", "test"),
        ("Archery", "train"),
        ("HandstandPushups", "test"),
        ("HandstandPushups", "train"),
    ]


HMDB_NAMES = (
    "#437_How To [Ride]; A (Bike)!_ride_bike_f_cm_np1_ba_med_0",
    "#437_How To [Ride]; A (Bike)!_ride_bike_f_cm_np1_ba_med_1",
    "Caf\u00e9_ride_bike_u_nm_np2_le_goo_8",
)


@pytest.mark.parametrize("lists", ["data", "data/testTrainMulti_7030_splits", "testTrainMulti_7030_splits"])
def test_hmdb51(root, lists):
    decomposed = HMDB_NAMES[2].replace("\u00e9", "e\u0301")
    put(root, *(f"hmdb51_org/ride_bike/{name}.avi" for name in (*HMDB_NAMES[:2], decomposed)), "hmdb51_org/kiss/a.avi")
    for fold, sides in {1: "120", 2: "022", 3: "111"}.items():
        lines = (f"{name}.avi {side} " for name, side in zip(HMDB_NAMES, sides, strict=True))
        text(root.parent / lists / f"ride_bike_test_split{fold}.txt", *lines)
        text(root.parent / lists / f"kiss_test_split{fold}.txt", "a.avi 2 ")
    dataset = scan(root)
    assert dataset.layout == "HMDB51"
    assert dataset.classes == ["kiss", "ride_bike"]
    assert [file.splits for file in dataset.files] == [
        {1: "test", 2: "test", 3: "test"},
        {1: "train", 3: "train"},
        {1: "test", 2: "test", 3: "train"},
        {2: "test", 3: "train"},
    ]
    source = "ride_bike/#437_How To [Ride]; A (Bike)!_ride_bike"
    assert [file.group for file in dataset.files][:3] == [None, source, source]
    assert dataset.leaks == {1: [source]}
    assert len(dataset.notes) == 1


def test_hmdb51_names_that_are_not_utf8_match_lists_that_are_not(root):
    name = os.fsdecode(b"\xe9t\xe9_kiss_f_cm_np1_ba_med_0.avi")
    put(root, f"kiss/{name}")
    text(root / "kiss_test_split1.txt", f"{name} 2")
    (file,) = scan(root).files
    assert (file.splits, file.path) == ({1: "test"}, f"kiss/{name}")
    assert file.group == r"kiss/\udce9t\udce9_kiss"


KINETICS_HEADER = "label,youtube_id,time_start,time_end,split"


def test_kinetics_by_folders(root):
    put(
        root,
        "train/air drumming/a_000001_000011.mp4",
        "val/air drumming/b_000000_000010.mp4",
        "test/c_000002_000012.mp4",
    )
    dataset = scan(root)
    assert dataset.layout == "Kinetics"
    assert summary(dataset) == {
        "test/c_000002_000012.mp4": (None, {1: "test"}),
        "train/air drumming/a_000001_000011.mp4": ("air drumming", {1: "train"}),
        "val/air drumming/b_000000_000010.mp4": ("air drumming", {1: "val"}),
    }
    assert [file.group for file in dataset.files] == ["c", "a", "b"]


@pytest.mark.parametrize("folder", ["", "videos/", "air_drumming/", "train/air_drumming/"])
def test_kinetics_by_csv(root, folder):
    put(root, f"{folder}-a_b_000001_000011.mp4", f"{folder}-a_b_000050_000060.mp4")
    text(root / "train.csv", KINETICS_HEADER, "air drumming,-a_b,1,11,train", "air drumming,gone,1,11,train")
    text(root / "annotations" / "val.csv", KINETICS_HEADER, "air drumming,-a_b,50,60,val")
    dataset = scan(root)
    assert dataset.layout == "Kinetics"
    assert [(file.label, file.splits) for file in dataset.files] == [
        ("air drumming", {1: "train"}),
        ("air drumming", {1: "val"}),
    ]
    assert dataset.leaks == {1: ["-a_b"]}
    assert dataset.notes[0] == (
        "1 entries of train.csv have no file, such as line 3: 'gone_000001_000011' "
        f"(nearest: {folder}-a_b_000001_000011.mp4)"
    )


@pytest.mark.parametrize("prefix", ["something-something-v2-", ""])
def test_something_something_v2(root, prefix):
    put(root, *(f"20bn-something-something-v2/{number}.webm" for number in (1, 2, 3, 4)))
    template = "Putting [something similar] on [something]"
    for name, ids in {"train": "1", "validation": "2", "test": "3"}.items():
        records = [{"id": number, "label": "x", "template": template} for number in ids]
        (root / f"{prefix}{name}.json").write_text(json.dumps(records if name != "test" else [{"id": "3"}]))
    (root / f"{prefix}labels.json").write_text(json.dumps({"Putting something similar on something": "0"}))
    dataset = scan(root)
    assert dataset.layout == "Something-Something-V2"
    label = "Putting something similar on something"
    assert [(file.label, file.splits) for file in dataset.files] == [
        (label, {1: "train"}),
        (label, {1: "val"}),
        (None, {1: "test"}),
        (None, {}),
    ]
    assert dataset.notes == [
        "beside the layout, without class and side: 1 video, 20bn-something-something-v2/4.webm",
        "only 2 of 4 videos have a class",
        "only 3 of 4 videos have a side (train, test or val)",
    ]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["run/a.mp4", "walk/b.mp4"], ["run", "walk"]),
        (["videos/run/a.mp4", "videos/walk/b.mp4"], ["run", "walk"]),
        (["run/day 1/a.mp4", "run/day 2/b.mp4", "walk/c.mp4"], ["run", "run", "walk"]),
        (["run/a.mp4"], ["run"]),
        (["run/a.mp4", "top.mp4"], ["run", None]),
        (["plane/a.mp4", "train/b.mp4"], ["plane", "train"]),
        (["new\nline/a.mp4", os.fsdecode(b"caf\xe9/b.mp4")], [r"caf\udce9", r"new\nline"]),
    ],
)
def test_class_folders(root, names, labels):
    put(root, *names)
    dataset = scan(root)
    assert dataset.layout == "class folders"
    assert sorted((file.label for file in dataset.files), key=str) == sorted(labels, key=str)
    assert all(label.isprintable() for label in dataset.classes)
    assert [file.path for file in dataset.files] == sorted(names)


@pytest.mark.parametrize("folder", ["", "videos/"])
def test_a_flat_folder_has_no_labels(root, folder):
    put(root, f"{folder}a.mp4", f"{folder}b.mp4")
    dataset = scan(root)
    assert dataset.layout == "flat folder"
    assert dataset.classes == []
    assert [file.label for file in dataset.files] == [None, None]


def test_a_file_that_must_not_be_opened_is_listed_with_its_problem(root):
    put(root, *UCF_VIDEOS)
    ucf_lists(root)
    (root / UCF_VIDEOS[0]).unlink()
    os.mkfifo(root / UCF_VIDEOS[0])
    file = scan(root).files[0]
    assert (file.problem, file.label, file.splits[1]) == ("not a regular file", "Archery", "test")


def test_a_folder_without_videos_is_refused(root):
    text(root / "readme.txt", "nothing")
    with pytest.raises(DatasetError, match="no video files in"):
        scan(root)


FOLDERS = ["train", "val", "videos", "Archery", "brush_hair", "7", "-rf", "%d", "a\nb", "\udcff", "\x1b[31m", "e\u0301"]
FOLDERS += ["\u202egpj", " ", "...", "<b>", "'; --", "x" * 200, "ucfTrainTestlist", "splits"]
STEMS = ["v_Archery_g01_c01", "v_Archery_g02_c01", "a_brush_hair_u_nm_np2_le_goo_8", "-3B32lodo2M_000059_000069", "7"]
STEMS += ["a\nb", "\udcff", "v__g1_c1", "_g1_c1", "......"]
LISTS = [
    "trainlist01.txt",
    "testlist01.txt",
    "brush_hair_test_split1.txt",
    "a\nb_test_split1.txt",
    "k.csv",
    "train.csv",
]
LISTS += ["train.json", "something-something-v2-train.json", "classInd.txt", "classFamily.csv"]
LINES = [
    "Archery/v_Archery_g01_c01.avi 1",
    "a_brush_hair_u_nm_np2_le_goo_8.avi 2",
    "a.avi 0",
    "1 Archery",
    "class,family",
]
LINES += ["Archery,Sports", "label,youtube_id,time_start,time_end,split", "x,-3B32lodo2M,59,69,train", "\udcff", "\0"]
LINES += ['[{"id": "7", "template": "Holding [it]"}]', '[{"id": 7}]', "a\nb.avi 1", ""]
places = st.lists(st.sampled_from(FOLDERS), max_size=3).map(lambda parts: "".join(f"{part}/" for part in parts))
videos = st.builds("{}{}{}".format, places, st.sampled_from(STEMS), st.sampled_from([".avi", ".mp4", ".MP4", "", ".x"]))
lists = st.tuples(
    st.builds("{}{}".format, places, st.sampled_from(LISTS)), st.lists(st.sampled_from(LINES), max_size=4)
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(videos, max_size=6), st.lists(lists, max_size=4))
def test_any_tree_is_a_data_set_or_one_plain_error(videos, lists):
    assert_data_set_or_one_plain_error(videos, lists)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, derandomize=True)
@given(st.lists(videos, max_size=6), st.lists(lists, max_size=4))
def test_very_many_trees_are_data_sets_or_one_plain_error(videos, lists):
    assert_data_set_or_one_plain_error(videos, lists)


def assert_data_set_or_one_plain_error(videos, lists) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "beside" / "data"
        root.mkdir(parents=True)
        for video in videos:
            with suppress(FileExistsError, IsADirectoryError, NotADirectoryError):  # the name is taken
                put(root, video)
        for name, lines in lists:
            with suppress(FileExistsError, IsADirectoryError, NotADirectoryError):
                text(root / name, *lines)
        try:
            dataset = scan(root)
        except DatasetError as error:
            assert "\n" not in str(error)
            return
        paths = [file.path for file in dataset.files]
        assert paths and paths == sorted(set(paths))
        assert all(file.label is None or file.label.isprintable() for file in dataset.files)
        assert set(dataset.classes) == {file.label for file in dataset.files} - {None}
        assert not any("\n" in note for note in dataset.notes)
        assert_subset_comes_back(root)


def assert_subset_comes_back(data: Path) -> None:
    try:
        subset = smallest_classes(data, 1)
        write_list(subset, data / "chosen.txt")
    except RspnetError as error:
        assert "\n" not in str(error)
    else:
        assert listed_videos(data, [data / "chosen.txt"]) == subset.paths and subset.classes


@pytest.mark.skipif(not ACTIONS.is_dir(), reason="needs ../shared/videos/actions beside the repository")
@pytest.mark.parametrize(
    ("folder", "lists"), [(ACTIONS, None), (ACTIONS / "videos", None), (ACTIONS, ACTIONS / "ucfTrainTestlist")]
)
def test_real_videos_in_the_layout_of_ucf101(folder, lists):
    dataset = scan(folder, lists)
    sides = [file.splits.get(1) for file in dataset.files]
    assert (len(sides), sides.count("train"), sides.count("test")) == (791, 406, 204)
    assert len(dataset.classes) == len(dataset.families) == 17
    assert dataset.leaks == {}
    assert dataset.notes == [
        "181 files are in no list of fold 1",
        "only 610 of 791 videos have a side (train, test or val)",
    ]


@pytest.mark.parametrize("named", ["v_Archery_g01_c02", "v_Bowling_g01_c01", "plain"])
def test_uploads_have_no_class_and_change_nothing_of_the_data_set(root, named):
    put(root, *UCF_VIDEOS)
    ucf_lists(root)
    before = scan(root)
    uploads = [f"uploads/{named}.mp4", *(f"uploads/{number}.mp4" for number in range(2 * len(UCF_VIDEOS)))]
    put(root, *uploads)
    dataset = scan(root)
    assert {file.path: (file.label, file.group, file.splits) for file in dataset.files if file.path in uploads} == {
        path: (None, None, {}) for path in uploads
    }
    assert dataset.layout == "UCF101"
    assert [file for file in dataset.files if file.path not in uploads] == before.files
    assert (dataset.classes, dataset.missing) == (before.classes, before.missing)
    assert any("'uploads' are uploads" in note for note in dataset.notes)


def test_uploads_beside_one_class_folder_leave_it_a_class(root):
    put(root, "run/a.mp4", "walk/b.mp4", *(f"uploads/{number}.mp4" for number in range(9)), "walk/uploads/c.mp4")
    assert scan(root).classes == ["run", "walk"]
    assert summary(scan(root))["walk/uploads/c.mp4"] == ("walk", {})


def test_uploads_alone_are_a_data_folder(root):
    put(root, "uploads/a.mp4", "uploads/b.mp4")
    assert summary(scan(root, root)) == {"uploads/a.mp4": (None, {}), "uploads/b.mp4": (None, {})}
