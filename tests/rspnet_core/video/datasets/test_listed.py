"""Lists as people write them: every command understands the same ones, and says what it does not."""

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.errors import DatasetError, VideoError
from rspnet_core.video.datasets import listed_videos, scan
from rspnet_core.video.datasets.names import Names
from rspnet_core.video.reading.sniff import container_of
from tests.rspnet_core.video.datasets.dataset_trees import UCF_VIDEOS, put

FIRST, SECOND = UCF_VIDEOS[0], UCF_VIDEOS[3]


def ucf(tmp_path: Path, content: bytes | str, *videos: str) -> tuple[Path, Path]:
    """A data folder and its trainlist01.txt."""
    root = tmp_path / "beside" / "data"
    put(root, *(videos or UCF_VIDEOS))
    path = root / "trainlist01.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root, path


LINES = f"{FIRST} 1\n{SECOND} 2\n"
WAYS: dict[str, bytes] = {
    "plain": LINES.encode(),
    "crlf": LINES.replace("\n", "\r\n").encode(),
    "cr": LINES.replace("\n", "\r").encode(),
    "bom": b"\xef\xbb\xbf" + LINES.encode(),
    "utf-16": LINES.encode("utf-16"),
    "utf-16-be with a mark": b"\xfe\xff" + LINES.encode("utf-16-be"),
    "utf-16-le without a mark": LINES.encode("utf-16-le"),
    "utf-16-be without a mark": LINES.encode("utf-16-be"),
    "tabs": LINES.replace(" ", "\t").encode(),
    "runs of spaces": LINES.replace(" ", "    ").replace("\n", "   \n").encode(),
    "commas": LINES.replace(" ", ", ").encode(),
    "no numbers": LINES.replace(" 1", "").replace(" 2", "").encode(),
    "double quotes": f'"{FIRST}" 1\n"{SECOND}",2\n'.encode(),
    "single quotes": f"'{FIRST}' 1\n'{SECOND}'\t2\n".encode(),
    "labels as words": f"{FIRST} Archery, at a target\n{SECOND}\tHandstand Pushups\n".encode(),
    "comments": f"# train\n\n#\n{FIRST} 1  # the first\n   # more\n{SECOND} 2\n".encode(),
    "backslashes": LINES.replace("/", "\\").encode(),
    "absolute": f"/data/sets/UCF-101/{FIRST} 1\n/data/sets/UCF-101/{SECOND} 2\n".encode(),
    "a drive": f"D:\\sets\\UCF-101\\{FIRST} 1\r\nD:/sets/{SECOND} 2\r\n".encode(),
    "dots": f"./{FIRST} 1\n../UCF-101/{SECOND} 2\n".encode(),
    "another suffix": LINES.replace(".avi", ".mp4").encode(),
    "no suffix": LINES.replace(".avi", "").encode(),
    "a leading folder more": f"UCF-101/{FIRST} 1\nUCF-101/{SECOND} 2\n".encode(),
    "no folder": f"{Path(FIRST).name} 1\n{Path(SECOND).name} 2\n".encode(),
    "another case": LINES.upper().encode(),
}


@pytest.mark.parametrize("nested", ["", "UCF-101/"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_write_a_list_is_read_by_build_and_by_list(tmp_path: Path, way: str, nested: str) -> None:
    root, path = ucf(tmp_path, WAYS[way], *(nested + video for video in UCF_VIDEOS))
    said: list[str] = []
    assert listed_videos(root, [path], said.append) == [nested + FIRST, nested + SECOND]
    assert said == []
    assert [file.path for file in scan(root).files if file.splits == {1: "train"}] == [nested + FIRST, nested + SECOND]
    assert way == "another case" or scan(root).classes == ["Archery", "HandstandPushups"]


def test_an_absolute_path_below_the_data_folder_is_the_file_there(tmp_path: Path) -> None:
    root, path = ucf(tmp_path, "", "a.mp4", "data/a.mp4")
    path.write_text(f"{root}/a.mp4\n")
    assert listed_videos(root, [path]) == ["a.mp4"]


def test_a_name_that_is_there_letter_by_letter_is_that_file(tmp_path: Path) -> None:
    names = ["a\\b.mp4", "c 7.mp4", "'d'.mp4", "#e.mp4", "f.avi 1.mp4", "g, h.mp4"]
    root, path = ucf(tmp_path, "".join(f"{name}\n" for name in names), *names)
    assert listed_videos(root, [path]) == sorted(names)


CSVS = (
    'label,youtube_id,time_start,time_end,split\n"run, and walk",-a_b,1,11,train\nrun,c,2.0,12,train\n',
    "Youtube_id\ttime_start\tTime_End\n-a_b\t1\t11\nc\t2\t12\n",
    "\ufeff# of Kinetics\n\nyoutube_id;time_start;time_end\r\n-a_b;1;11\r\nc;2;12\r\n",
)


@pytest.mark.parametrize("content", CSVS)
def test_official_csvs_name_videos_too(tmp_path: Path, content: str) -> None:
    videos = ["run/-a_b_000001_000011.mp4", "run/c_000002_000012.mp4", "walk/d_000003_000013.mp4"]
    root = tmp_path / "data"
    put(root, *videos)
    path = tmp_path / "k.csv"
    path.write_bytes(content.encode())
    assert listed_videos(root, [path]) == videos[:2]


def test_official_jsons_and_lists_of_a_class_name_videos_too(tmp_path: Path) -> None:
    root, _ = ucf(tmp_path, "", "1.webm", "2.webm", "kiss/a.avi", "hug/a.avi")
    path = tmp_path / "train.json"
    path.write_text(json.dumps([{"id": "2", "template": "Holding [it]"}]))
    assert listed_videos(root, [path]) == ["2.webm"]
    path = tmp_path / "kiss_test_split1.txt"
    path.write_text("a.avi 1\n")
    assert listed_videos(root, [path]) == ["kiss/a.avi"]


def test_lines_that_match_nothing_are_counted_and_shown_with_the_nearest_name(tmp_path: Path) -> None:
    root, _ = ucf(tmp_path, LINES)
    path = tmp_path / "mine.txt"
    path.write_text(f"{FIRST}\nArchery/v_Archery_g09_c01.avi 1\nnothing like it\n")
    said: list[str] = []
    assert listed_videos(root, [path], said.append) == [FIRST]
    assert said == [
        f"2 of the 3 lines of {path} name no video of {root}, such as line 2: 'Archery/v_Archery_g09_c01.avi 1' "
        "(nearest: Archery/v_Archery_g02_c01.avi)"
    ]


def test_a_list_of_which_nothing_matches_is_an_error_even_beside_one_that_does(tmp_path: Path) -> None:
    root, path = ucf(tmp_path, LINES)
    other = tmp_path / "other.txt"
    other.write_text("Archery/w_Archery_g01_c01.avi\nb.avi\n")
    with pytest.raises(DatasetError, match=r"2 of the 2 lines of .*other\.txt name no video .* line 1: .*\(nearest: "):
        listed_videos(root, [path, other])
    other.write_text("# nothing\n")
    with pytest.raises(DatasetError, match="it is empty"):
        listed_videos(root, [path, other])


def test_a_line_that_may_mean_two_files_is_an_error_that_names_both(tmp_path: Path) -> None:
    root, path = ucf(tmp_path, "a.avi\n", "cat/a.avi", "dog/a.avi")
    with pytest.raises(DatasetError, match=r"line 1: 'a.avi' may mean cat/a.avi or dog/a.avi; write the folders"):
        listed_videos(root, [path])


def test_a_file_in_another_folder_is_another_file(tmp_path: Path) -> None:
    root, path = ucf(tmp_path, "cat/1.avi\n", "dog/1.avi")
    with pytest.raises(DatasetError, match="name no video"):
        listed_videos(root, [path])


def test_videos_that_must_not_be_opened_are_left_out_and_said(tmp_path: Path) -> None:
    root, path = ucf(tmp_path, LINES)
    (root / FIRST).unlink()
    (root / FIRST).symlink_to("nowhere")
    said: list[str] = []
    assert listed_videos(root, [path], said.append) == [SECOND]
    assert said == [f"1 videos must not be opened, such as {FIRST}: symbolic link leads to no file"]


parts = st.text(st.characters(codec="utf-8", exclude_characters="/\0\n\r"), min_size=1, max_size=6)
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(paths, min_size=1, max_size=5, unique=True), paths)
def test_a_file_finds_itself_and_nothing_finds_what_is_not_there(files: list[str], name: str) -> None:
    names = Names(files, Path("/data"))
    assert all(names.find(path) == [path] and names.find(f"/data/{path}") == [path] for path in files)
    assert set(names.find(name)) <= set(files)
    assert names.nearest(name) in {None, *files}


PIECES = [
    FIRST,
    SECOND,
    "Archery/",
    ".avi",
    " ",
    "\t",
    ",",
    '"',
    "'",
    "#",
    "# ",
    "\\",
    "\n",
    "\r",
    "\0",
    "\ufeff",
    "\u2028",
]
PIECES += [
    "1",
    "99999999999999999999",
    "-",
    "..",
    "/",
    "C:\\",
    "\udcff",
    "label,youtube_id,time_start,time_end,split\n",
]
contents = (
    st.binary(max_size=120)
    | st.lists(st.sampled_from(PIECES), max_size=30).map(lambda some: "".join(some).encode("utf-8", "surrogateescape"))
    | st.text(max_size=60).map(lambda some: some.encode("utf-16"))
)


def assert_read_or_refused_by_line(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "beside" / "data"
        put(root, *UCF_VIDEOS)
        for name in ("list.txt", "list.csv", "list.json"):
            path = Path(folder) / name
            path.write_bytes(content)
            said: list[str] = []
            try:
                assert set(listed_videos(root, [path], said.append)) <= set(UCF_VIDEOS)
            except DatasetError as error:
                assert str(error).isprintable()
                assert "line " in str(error) or "it is empty" in str(error)
            assert all(note.isprintable() for note in said)
        (root / "trainlist01.txt").write_bytes(content)
        with suppress(VideoError):
            container_of(root / "trainlist01.txt")
            return  # begins like a video: it is one more
        try:
            assert len(scan(root).files) == len(UCF_VIDEOS)
        except DatasetError as error:
            assert str(error).isprintable() and "trainlist01.txt" in str(error)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(contents)
def test_any_bytes_are_read_or_refused_by_line(content: bytes) -> None:
    assert_read_or_refused_by_line(content)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None, derandomize=True)
@given(contents)
def test_very_many_bytes_are_read_or_refused_by_line(content: bytes) -> None:
    assert_read_or_refused_by_line(content)
