from rspnet_core.text import printable


def test_ordinary_scripts_stay_as_they_are():
    assert printable("Büchler 動画 می\u200cروم 🎾") == "Büchler 動画 می\u200cروم 🎾"


def test_control_bidirectional_and_undecodable_characters_become_escapes():
    assert printable("a\x00b\u202ec\udcffd\n") == r"a\x00b\u202ec\udcffd\n"
