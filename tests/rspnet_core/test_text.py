import json

import pytest

from rspnet_core.text import as_line, counted, nearest, printable, short, told_apart


def test_ordinary_scripts_stay_as_they_are():
    assert printable("Büchler 動画 می\u200cروم 🎾") == "Büchler 動画 می\u200cروم 🎾"


def test_control_bidirectional_and_undecodable_characters_become_escapes():
    assert printable("a\x00b\u202ec\udcffd\n") == r"a\x00b\u202ec\udcffd\n"


def test_one_is_counted_as_one():
    assert [counted(number, "video") for number in (0, 1, 1234)] == ["0 videos", "1 video", "1,234 videos"]
    assert [counted(number, "class", "classes") for number in (1, 2)] == ["1 class", "2 classes"]


def test_short_labels_stay_and_long_ones_end_with_an_ellipsis():
    assert short("a" * 28) == "a" * 28
    assert short("a" * 29) == "a" * 27 + "…"


def test_every_text_of_a_document_becomes_printable_and_json_can_hold_it():
    document = {"a\n": ("b\udcff", ["c\u202e", 1, None]), 3: 0.5}
    assert json.loads(as_line(document)) == {"a\\n": ["b\\udcff", ["c\\u202e", 1, None]], "3": 0.5}


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/1.mp4", "a/2.mp4"], ["1.mp4", "2.mp4"]),
        (["x/cam1/day/1.mp4", "x/cam1/night/1.mp4", "x/cam1/day/2.mp4"], ["day/1.mp4", "night/1.mp4", "2.mp4"]),
        (["a/x/1.mp4", "b/x/1.mp4", "b/y/1.mp4"], ["a/x/1.mp4", "b/x/1.mp4", "y/1.mp4"]),
        (["1.mp4", "a/1.mp4", "b/a/1.mp4"], ["1.mp4", "a/1.mp4", "b/a/1.mp4"]),
        (["/one/d/1.mp4", "/two/d/1.mp4"], ["one/d/1.mp4", "two/d/1.mp4"]),
        (["a/1.mp4", "a/1.mp4"], ["1.mp4", "1.mp4"]),
        ([], []),
    ],
)
def test_files_of_one_name_show_as_much_of_the_folder_as_tells_them_apart(paths: list[str], names: list[str]):
    assert told_apart(paths) == names


def test_the_nearest_name_is_found_in_any_case():
    assert nearest("CAT", ["dog", "cat"]) == "cat"
    assert nearest("archrey", ["Archery", "Bowling"]) == "Archery"
    assert nearest("x", ["Archery", "Bowling"]) is None
