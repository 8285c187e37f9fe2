from rspnet_core.text import printable, short


def test_ordinary_scripts_stay_as_they_are():
    assert printable("Büchler 動画 می\u200cروم 🎾") == "Büchler 動画 می\u200cروم 🎾"


def test_control_bidirectional_and_undecodable_characters_become_escapes():
    assert printable("a\x00b\u202ec\udcffd\n") == r"a\x00b\u202ec\udcffd\n"


def test_short_labels_stay_and_long_ones_end_with_an_ellipsis():
    assert short("a" * 28) == "a" * 28
    assert short("a" * 29) == "a" * 27 + "…"
