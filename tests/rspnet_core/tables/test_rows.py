"""Rows of the paper's tables: all of them, with their published figures."""

import pytest

from rspnet_core.errors import InvalidSetting
from rspnet_core.tables.published import published_table
from rspnet_core.tables.rows import ARCHITECTURES, rows_of
from rspnet_core.tables.table import published_of


def test_table_1_has_six_settings_of_three_networks_all_published() -> None:
    rows = rows_of(1, [])
    assert len(rows) == len({row.name for row in rows}) == 18
    quoted = [published_of(1, row) for row in rows]
    assert {id(row) for row in quoted} == {id(row) for row in published_table(1).rows}
    best = next(row for row in rows if (row.objectives, row.backbone) == (("rsp", "avid"), "c3d"))
    found = published_of(1, best)
    assert found is not None and found.figures == (71.5, 36.3)


@pytest.mark.parametrize("table", [2, 3, 4])
def test_the_papers_own_rows_are_found(table: int) -> None:
    ours = [row for row in rows_of(table, []) if row.objectives]
    for row in ours:
        found = published_of(table, row)
        assert found is not None and found.ours
        assert found.architecture == ARCHITECTURES[row.backbone]
        assert found.note is None  # of the two S3D-G rows that of 200 epochs


def test_supervised_weights_of_kinetics_stand_beside_those_of_kinetics() -> None:
    supervised = [row for row in rows_of(2, ["s3dg"]) if row.supervised_weights]
    found = published_of(2, supervised[0])
    assert found is not None and found.pretraining == "Kinetics-400"
    assert [row.needs != "" for row in rows_of(3, ["c3d"])] == [False, True, False]


def test_rows_that_a_table_does_not_have_are_named() -> None:
    with pytest.raises(InvalidSetting, match="table 3 has no rows of tsm18, it has resnet18, c3d, s3dg"):
        rows_of(3, ["tsm18"])
    with pytest.raises(InvalidSetting, match="--table 5: the paper has the tables 1, 2, 3, 4"):
        rows_of(5, [])
