"""Figures of a row from its tests, and the table as people read it."""

import pytest

from rspnet_core.tables.rows import rows_of
from rspnet_core.tables.table import markdown, measured, table_document


def test(fold: int, right: str) -> dict[str, object]:
    """Four videos of two recordings; those whose letter is in ``right`` are."""
    return {
        "fold": fold,
        "predictions": [
            {"path": name, "group": name in "ab", "label": "x", "predicted": "x" if name in right else "y"}
            for name in "abcd"
        ],
    }


def test_a_row_is_the_mean_over_seeds_and_folds() -> None:
    found = measured([[test(1, "ab"), test(2, "abc")], [test(1, "abcd"), test(2, "")]], (1,))
    assert found["seeds"] == [{"1": (0.5 + 0.75) / 2}, {"1": 0.5}]
    assert found["top_k"]["1"] == pytest.approx((0.625 + 0.5) / 2)
    low, high = found["intervals"]["1"]
    assert low <= found["top_k"]["1"] <= high
    assert found["videos"] == 8


def test_intervals_draw_recordings_of_the_mean_over_seeds() -> None:
    found = measured([[test(1, "ab")], [test(1, "ab")]], (1,))
    assert found["intervals"]["1"] == (0.0, 1.0)  # one recording is right, the other is not, whatever the seed
    opposite = measured([[test(1, "ab")], [test(1, "cd")]], (1,))
    assert opposite["intervals"]["1"] == (0.5, 0.5)


def test_ranks_of_first_hits_are_counted_within_k() -> None:
    queries = [{"path": str(rank), "group": None, "label": "x", "first_hit_rank": rank} for rank in (1, 2, 5, 6, None)]
    found = measured([[{"fold": 1, "queries": queries}]], (1, 5, 10))
    assert found["top_k"] == {"1": 0.2, "5": 0.6, "10": 0.8}


def test_the_table_shows_published_figures_as_such_and_rows_that_were_not_run() -> None:
    rows = rows_of(3, ["c3d"])
    figures = measured([[test(1, "abc")]], (1,))
    document = table_document(3, {row: {"reason": row.needs} if row.needs else figures for row in rows})
    text = markdown(document)
    assert "Something-V2†" in text and "† published" in text
    scratch, supervised, ours = text.splitlines()[2:5]
    assert scratch.startswith("| w/o pre-training | C3D | 75.0 (") and scratch.endswith("| 75.0 | 45.8 |")
    assert "not run: weights of C3D" in supervised and supervised.endswith("| 47.0 |")
    assert ours.endswith("| 75.0 | 47.8 |")
    assert len({line.count("|") for line in text.splitlines()[:5]}) == 1


test.__test__ = False  # type: ignore[attr-defined] # a document, not a test
