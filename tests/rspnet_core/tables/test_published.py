"""The published figures are complete and are the ones that the paper prints."""

import re

import pytest
from pydantic import ValidationError

from rspnet_core.errors import InvalidSetting
from rspnet_core.tables.published import PublishedTable, published, published_table
from tests.conftest import SHARED

PAPER = SHARED / "reference" / "rspnet_paper.md"


def test_every_table_of_the_paper_is_there_with_all_its_rows():
    assert {table.number: len(table.rows) for table in published().tables} == {1: 18, 2: 24, 3: 9, 4: 8}


def test_retrieval_table_has_the_figures_of_the_paper():
    table = published_table(4)
    ours = {row.architecture: table.fractions(row) for row in table.rows if row.ours}
    assert ours["ResNet-18"] == {"1": 0.411, "5": 0.594, "10": 0.684, "20": 0.778, "50": 0.887}
    assert ours["C3D"]["50"] == 0.877


def test_an_unknown_table_is_refused():
    with pytest.raises(InvalidSetting, match=r"got 5, have \[1, 2, 3, 4\]"):
        published_table(5)


def test_a_row_must_have_a_figure_for_each_column():
    row = {"method": "x", "architecture": "y", "figures": (1.0,)}
    with pytest.raises(ValidationError, match="1 figures"):
        PublishedTable.model_validate({"number": 9, "title": "", "measure": "", "columns": ("a", "b"), "rows": (row,)})


@pytest.mark.skipif(not PAPER.is_file(), reason="the paper's text is not on this machine")
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_figures_are_those_printed_in_the_paper(number):
    after = PAPER.read_text(encoding="utf-8").split(f"Table {number}. ")[1]
    printed = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert printed
    figures = sorted(float(figure) for figure in re.findall(r"\b\d\d\.\d\b", printed.group()))
    assert sorted(figure for row in published_table(number).rows for figure in row.figures) == figures
