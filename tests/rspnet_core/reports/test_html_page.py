"""What all reports share: escaping, names made safe, and a page that is whole or not there."""

import pytest
from jinja2 import UndefinedError

from rspnet_core.errors import RspnetError
from rspnet_core.reports.html_page import environment, write_page
from rspnet_core.text import printable_texts


def test_templates_escape_texts_and_refuse_a_name_that_is_not_given():
    page = environment("rspnet_core.reports").from_string("{{ name }}")
    assert page.render(name="<b>&") == "&lt;b&gt;&amp;"
    with pytest.raises(UndefinedError):
        page.render()


def test_every_text_of_a_document_becomes_printable():
    document = {"a\n": ["b\udcff", ("c\u202e", 1, None)], "d": {"e": 0.5}}
    assert printable_texts(document) == {"a\\n": ["b\\udcff", ["c\\u202e", 1, None]], "d": {"e": 0.5}}


def test_a_page_replaces_the_one_before_and_leaves_nothing_else(tmp_path):
    for text in ("first", "second"):
        assert write_page(tmp_path / "new", text).read_text("utf-8") == text
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]


def test_a_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RspnetError, match="choose another folder"):
        write_page(tmp_path / "file", "text")
