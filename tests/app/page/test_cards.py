"""Results as cards: how rare a score is, and from where on none is."""

import re
from dataclasses import replace

import pytest

from app.page.tabs import cards
from app.session.ranking import RankedPage
from app.session.services import Services
from indexer.retrieval.chance import Chance
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights


@pytest.fixture
def ranked(services: Services) -> RankedPage:
    handle = services.stored(services.videos(limit=1)[0].id)
    return services.rank(handle, PartWeights(), Filters())


def order(page: RankedPage, chance: Chance) -> str:
    """The cards and the line between them, as ``h`` and ``-``."""
    html = cards.results(replace(page, chance=chance), can_explain=True)
    return "".join("h" if kind == "card" else "-" for kind in re.findall(r'<li class="(card|line)"', html))


def test_a_line_stands_where_hits_begin_to_be_usual(ranked: RankedPage) -> None:
    scores = [hit.score for hit in ranked.hits]
    assert len(scores) == 12
    assert scores[0] > scores[1]
    assert order(ranked, Chance(0.001, scores[1], 500)) == "h-hhhhhhhhhhh"
    assert order(ranked, Chance(0.001, 2.0, 500)) == "-hhhhhhhhhhhh"
    assert order(ranked, Chance(0.001, -2.0, 500)) == "h" * 12
    assert order(ranked, Chance(0.001, None, 5)) == "h" * 12


def test_where_no_line_can_be_drawn_the_page_says_so(ranked: RankedPage) -> None:
    untold = "Too few pairs to tell which score 1 in 10,000 unrelated pairs of this library would exceed."
    html = cards.results(replace(ranked, chance=Chance(0.0001, None, 5)), can_explain=True)
    assert html.endswith(f'</ol><p class="muted">{untold}</p>')
    assert "finds 98.7% of the ten" in cards.results(replace(ranked, recall=0.987), can_explain=True)
    assert "exact" not in cards.results(replace(ranked, recall=1.0), can_explain=True)
    assert "Too few" not in cards.results(replace(ranked, chance=Chance(0.0001, -2.0, 5)), can_explain=True)


def test_a_card_says_of_how_many_pairs_it_is_closer(ranked: RankedPage) -> None:
    html = cards.results(ranked, can_explain=True)
    shares = [float(share) for share in re.findall(r"closer than ([0-9.]+)% of pairs", html)]
    bars = [float(width) for width in re.findall(r'pairs<span class="bar" style="--share:([0-9.]+)%"', html)]
    assert len(shares) == len(bars) == 12
    assert (shares[0], bars[0]) == (100.0, 100.0)
    assert shares == sorted(shares, reverse=True)
    assert bars == sorted(bars, reverse=True)
    assert bars[-1] < 60


def test_copies_are_folded_under_the_hit_that_they_are_copies_of(ranked: RankedPage) -> None:
    first, second, third, fourth, *others = ranked.hits
    hits = [first, second, replace(third, copy_of=second.id), replace(fourth, copy_of="query"), *others]
    html = cards.results(replace(ranked, hits=hits), can_explain=True)
    shown = re.findall(r'<li class="card" data-id="(\w+)"', html)
    assert shown == [first.id, second.id, *(hit.id for hit in others)]
    assert re.findall(r'class="badge rank" aria-hidden="true">(\d+)<', html)[:4] == ["1", "2", "3", "4"]
    assert re.findall(r'<span class="chip copy">([^<]*)</span>', html) == ["the query or its copy"]
    of_query, of_second = re.findall(r'<details class="copies">.*?</details>', html)
    assert f'data-id="{fourth.id}"' in of_query
    assert f'data-id="{third.id}"' in of_second
    assert "<summary>1 copy of it</summary>" in of_second
