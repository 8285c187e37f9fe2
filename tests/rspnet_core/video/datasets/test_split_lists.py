import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.errors import DatasetError
from rspnet_core.video.datasets.list_text import name_and_rest, read_lines
from rspnet_core.video.datasets.names import stem_of
from rspnet_core.video.datasets.split_lists import (
    Entry,
    read_class_numbers,
    read_families,
    read_hmdb51,
    read_kinetics,
    read_something_something,
    read_ucf101,
)


def write(folder: Path, name: str, text: str | bytes) -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / name


def names_of(path: Path) -> list[str]:
    return [name_and_rest(line.text)[0] for line in read_lines(path)]


def test_ucf101_lines_of_either_system(tmp_path):
    train = write(tmp_path, "trainlist01.txt", "\ufeffArchery/v_Archery_g08_c01.avi 3\r\n\r\n")
    test = write(tmp_path, "testlist02.txt", "My Class/v_My Class_g01_c01.avi\nHandstandPushups\\v_H_g1_c1.avi\n")
    other = write(tmp_path, "extra_unlabelled.txt", "anything")
    assert read_ucf101([train, test, other]) == [
        Entry("v_Archery_g08_c01", 1, "train", "Archery", "trainlist01.txt"),
        Entry("v_My Class_g01_c01", 2, "test", "My Class", "testlist02.txt"),
        Entry("v_H_g1_c1", 2, "test", "HandstandPushups", "testlist02.txt"),
    ]


def test_hmdb51_names_with_odd_characters(tmp_path):
    name = "#437_How To [Ride]; A (Bike)!é_ride_bike_f_cm_np1_ba_med_0"
    listed = write(
        tmp_path, "ride_bike_test_split3.txt", f"{name}.avi 1 \nb.avi 2 \nc.avi 0 \n".encode() + b"\xe9.avi 2\n"
    )
    assert read_hmdb51([listed]) == [
        Entry(f"ride_bike/{name}", 3, "train", "ride_bike", listed.name),
        Entry("ride_bike/b", 3, "test", "ride_bike", listed.name),
        Entry("ride_bike/c", 3, None, "ride_bike", listed.name),
        Entry("ride_bike/\udce9", 3, "test", "ride_bike", listed.name),
    ]


def test_kinetics_csv_with_and_without_a_split_column(tmp_path):
    both = write(
        tmp_path,
        "kinetics.csv",
        'label,youtube_id,time_start,time_end,split\n"passing, in game",-3B32lodo2M,59,69,train\n'
        "yoga,a,0,10.0,validate\n",
    )
    test = write(tmp_path, "kinetics-400_test.csv", "youtube_id,time_start,time_end\nb,1,11\n")
    other = write(tmp_path, "numbers.csv", "a,b\n1,2\n")
    assert read_kinetics([both, test, other]) == [
        Entry("-3B32lodo2M_000059_000069", 1, "train", "passing, in game", "kinetics.csv"),
        Entry("a_000000_000010", 1, "val", "yoga", "kinetics.csv"),
        Entry("b_000001_000011", 1, "test", None, "kinetics-400_test.csv"),
    ]


def test_something_something_templates_lose_their_brackets(tmp_path):
    records = [{"id": "78687", "label": "holding potato", "template": "Holding [something] next to [something]"}]
    train = write(tmp_path, "something-something-v2-train.json", json.dumps(records))
    test = write(tmp_path, "test.json", '[{"id": "7"}]')
    foreign = write(tmp_path, "train.json", '{"images": []}')
    assert read_something_something([train, test, foreign]) == [
        Entry("78687", 1, "train", "Holding something next to something", train.name),
        Entry("7", 1, "test", None, "test.json"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("trainlist01.txt", "A/v_A_g01_c01.avi 1\nA/ 1\n", read_ucf101),
        ("kiss_test_split1.txt", "a.avi 1\na.avi\n", read_hmdb51),
        ("kiss_test_split1.txt", "a.avi 1\na.avi 3\n", read_hmdb51),
        ("k.csv", "label,youtube_id,time_start,time_end,split\nx,a,zero,10,train\n", read_kinetics),
        ("k.csv", "label,youtube_id,time_start,time_end,split\nx,a,inf,10,train\n", read_kinetics),
        ("k.csv", "label,youtube_id,time_start,time_end\nx,a,0,10\n", read_kinetics),
        ("classInd.txt", "1 Archery\nArchery\n", read_class_numbers),
        ("families.csv", "class,family\nArchery,\n", read_families),
    ],
)
def test_a_line_that_does_not_fit_is_named(tmp_path, name, text, read):
    path = write(tmp_path, name, text)
    with pytest.raises(DatasetError, match=rf"{name}, line 2: got .*, expected"):
        read(path if read is read_families else [path])


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "[1]", "[" * 100_000, '[{"id": [[]]}]', '[{"id": null}]'])
def test_a_damaged_official_json_is_refused(tmp_path, text):
    with pytest.raises(DatasetError, match="no json list"):
        read_something_something([write(tmp_path, "something-something-v2-train.json", text)])


def test_families(tmp_path):
    assert read_families(write(tmp_path, "a.csv", "family,class\nYoga, Lotus\n")) == {"Lotus": "Yoga"}
    with pytest.raises(DatasetError, match=r"needs a first line with the columns class, family"):
        read_families(write(tmp_path, "b.csv", "name,family\nLotus,Yoga\n"))
    with pytest.raises(DatasetError, match=r"Lotus is in Yoga and in Home"):
        read_families(write(tmp_path, "c.csv", "class,family\nLotus,Yoga\nLotus,Home\n"))
    with pytest.raises(DatasetError, match="no such file; name a list or csv"):
        read_families(tmp_path / "none.csv")


def test_a_lists_name_is_one_line_in_messages(tmp_path):
    listed = write(tmp_path, "two\nlines_test_split1.txt", "a.avi 1\n")
    assert read_hmdb51([listed])[0].source == "two\\nlines_test_split1.txt"
    with pytest.raises(DatasetError, match=r"two\\nlines_test_split1.txt, line 1: got"):
        read_hmdb51([write(tmp_path, listed.name, "a.avi\n")])


def test_the_videos_that_a_list_names(tmp_path):
    lines = "A/a.avi 3\nA/b c.avi\t12 \nA/d 5.avi\n7\nA/ 1 2\n"
    listed = write(tmp_path, "list.txt", lines)
    assert names_of(listed) == ["A/a.avi", "A/b c.avi", "A/d 5.avi", "7", "A/ 1"]


@pytest.mark.timeout(30)
def test_a_long_line_of_blanks_is_read_at_once(tmp_path):
    blanks = " " * 1_000_000
    assert names_of(write(tmp_path, "list.txt", f"x{blanks}y\nz{blanks}3\n")) == [f"x{blanks}y", "z"]


@pytest.mark.parametrize(
    ("name", "stem"), [("a.avi", "a"), ("a.b.mp4", "a.b"), ("Mr.Bean_run", "Mr.Bean_run"), (".avi", ".avi"), ("a", "a")]
)
def test_stem_of(name, stem):
    assert stem_of(name) == stem


names = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"], blacklist_characters="/\\"), min_size=1
).map(lambda text: f"v{text}x".replace("\x85", ""))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(names, st.sampled_from(["0", "1", "2"])), unique_by=lambda pair: pair[0], min_size=1))
def test_every_hmdb51_name_comes_back(lines):
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"{name}.avi {side} \n" for name, side in lines)
        entries = read_hmdb51([write(Path(folder), "kiss_test_split1.txt", text)])
    sides = {"0": None, "1": "train", "2": "test"}
    assert [(entry.key, entry.side) for entry in entries] == [(f"kiss/{name}", sides[side]) for name, side in lines]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(names, names, st.sampled_from(["", " 7"])), min_size=1))
def test_every_ucf101_name_comes_back(lines):
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"{label}/{name}.avi{number}\n" for label, name, number in lines)
        entries = read_ucf101([write(Path(folder), "trainlist01.txt", text)])
    assert [(entry.label, entry.key) for entry in entries] == [(label, name) for label, name, _ in lines]


WORDS = ["label", "youtube_id", "time_start", "time_end", "split", "class", "family", "id", "template", "train", "val"]
WORDS += ["1", "-1e9", "nan", *'[]{}":, \n\0\udcff\ufeff\u2028', "A/v_A_g01_c01.avi"]
contents = (
    st.binary(max_size=200)
    | st.text('[]{}",:\n\r0123abe ./_', max_size=200).map(str.encode)
    | st.lists(st.sampled_from(WORDS), max_size=60).map(lambda words: "".join(words).encode("utf-8", "surrogateescape"))
)


@settings(max_examples=100, deadline=None)
@given(contents)
def test_any_bytes_give_entries_or_a_dataset_error(content):
    assert_entries_or_a_dataset_error(content)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, derandomize=True)
@given(contents)
def test_very_many_contents_give_entries_or_a_dataset_error(content):
    assert_entries_or_a_dataset_error(content)


def assert_entries_or_a_dataset_error(content: bytes) -> None:
    readers: list[tuple[str, Callable[[list[Path]], list[Entry]]]] = [
        ("trainlist01.txt", read_ucf101),
        ("kiss_test_split1.txt", read_hmdb51),
        ("something-something-v2-train.json", read_something_something),
        ("k.csv", read_kinetics),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, read in readers:
            header = b"label,youtube_id,time_start,time_end,split\n" if name == "k.csv" else b""
            path = write(Path(folder), name, header + content)
            try:
                assert all(isinstance(entry, Entry) for entry in read([path]))
            except DatasetError as error:
                assert str(error).isprintable()
        for read_one in (read_families, names_of, lambda path: read_class_numbers([path])):
            for name in ("classInd.txt", "k.csv"):
                try:
                    read_one(write(Path(folder), name, content))
                except DatasetError as error:
                    assert str(error).isprintable()
