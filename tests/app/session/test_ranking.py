"""Pages of a ranking: so many distinct videos each, copies under what they are copies of, none twice."""

from pathlib import Path

import pytest

from app.session import ranking
from app.session.opened import OpenedLibrary
from app.session.ranking import rank
from indexer.retrieval.search import PartWeights, folded
from tests.indexer.retrieval.test_distinct import library_of


def test_pages_are_those_of_one_search_and_end_with_the_library(tmp_path: Path) -> None:
    query = library_of(tmp_path, [0, 0, 0, *range(1, 5), 4, 4, *range(5, 10), 0])
    opened = OpenedLibrary(tmp_path, "cpu")
    asked = opened.library.embed(query)
    pages = [rank(opened, asked, PartWeights(), page=number, per_page=4) for number in (1, 2, 3, 4, 99)]
    assert [(page.page, page.num_pages) for page in pages] == [(1, 3), (2, 3), (3, 3), (3, 3), (3, 3)]
    heads = [hit.id for page in pages[:3] for hit, _ in folded(page.hits)]
    every = opened.library.search(query, top=15)
    assert heads == [hit.id for hit, _ in folded(every.hits)]
    assert len(heads) == len(set(heads)) == 10
    assert {hit.id for page in pages[:3] for hit in page.hits} <= {hit.id for hit in every}
    for top in (1, 4, 10, 11, 20):
        first = rank(opened, asked, PartWeights(), per_page=top).hits
        assert [hit.id for hit in first] == [hit.id for hit in opened.library.search(query, top=top)]
    opened.library.close()


def test_pages_far_down_are_told_from_copies_on_them_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = library_of(tmp_path, [0, 0, 0, *range(1, 10)])
    opened = OpenedLibrary(tmp_path, "cpu")
    asked = opened.library.embed(query)
    monkeypatch.setattr(ranking, "MOST_TOLD", 8)
    page = rank(opened, asked, PartWeights(), page=3, per_page=4)
    assert (page.page, page.num_pages) == (3, 3)
    every = opened.library.search(query, top=12)
    assert [hit.id for hit in page.hits] == [hit.id for hit in every][8:]
    opened.library.close()
