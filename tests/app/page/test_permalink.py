from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.page import permalink
from app.session.opened import Filters
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.retrieval.search import PartWeights


def test_links_say_what_they_restore(services: Services) -> None:
    handle = services.stored(services.videos(limit=1)[0].id, 0.5, None)
    weights, filters = PartWeights(backbone=0.25, motion=0.7), Filters(label="a&b=c", folder="x/ü")
    address = permalink.link(handle, weights, filters, 3)
    asked = permalink.parse(dict(parse_qsl(address.removeprefix("?"))))
    assert asked == permalink.Request(handle.video_id, weights, filters, 0.5, None, 3)


@pytest.mark.parametrize(
    "parameters",
    [{"motion": "x"}, {"motion": "nan", "page": "-4"}, {"backbone": "0"}, {"page": "1e99", "start": "inf"}],
)
def test_links_with_nonsense_have_the_usual_values(parameters: dict[str, str]) -> None:
    asked = permalink.parse(parameters | {"video": "0" * 16})
    assert asked.weights == PartWeights()
    assert 1 <= asked.page <= 10**6
    assert asked.start_seconds is None


def restored(handle: QueryHandle, weights: PartWeights, filters: Filters, page: int) -> permalink.Request | None:
    address = permalink.link(handle, weights, filters, page)
    assert address is not None and address.isascii() and address.isprintable() and " " not in address
    return permalink.parse(dict(parse_qsl(address.removeprefix("?"), keep_blank_values=True)))


def test_the_moment_of_a_long_film_comes_back_exactly() -> None:
    handle = QueryHandle("film", "0" * 16, "/film.mp4", "0" * 16, 12345.678, 12346.12)
    asked = restored(handle, PartWeights(), Filters(), 1)
    assert asked is not None and (asked.start_seconds, asked.end_seconds) == (12345.678, 12346.12)


share = st.floats(0, 1)
weights = (
    st.tuples(share, share, share).filter(any).map(lambda s: PartWeights(backbone=s[0], motion=s[1], appearance=s[2]))
)
words = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
filters = st.builds(Filters, label=words, split=words, folder=words)
seconds = st.none() | st.floats(0, 1e9)
queries = st.from_regex("[0-9a-f]{16}", fullmatch=True).flatmap(
    lambda video: st.builds(QueryHandle, st.just("n"), st.just(video), st.just("/v"), st.just(video), seconds, seconds)
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(queries, weights, filters, st.integers(1, 10**6))
def test_every_link_restores_its_search(handle: QueryHandle, weights: PartWeights, filters: Filters, page: int) -> None:
    expected = permalink.Request(handle.video_id, weights, filters, handle.start_seconds, handle.end_seconds, page)
    assert restored(handle, weights, filters, page) == expected


names = st.sampled_from(
    ["video", "backbone", "motion", "appearance", "start", "end", "page", "label", "split", "folder"]
)
numbers = st.floats().map(str) | st.integers().map(str) | st.sampled_from(["1_0", "9" * 5000, "\u0663", " 1 ", "1e999"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(names | st.text(), st.text() | numbers))
def test_any_address_is_a_search_or_none(parameters: dict[str, str]) -> None:
    asked = permalink.parse(parameters)
    assert (asked is None) == (not parameters.get("video"))
    if asked is not None:
        assert 1 <= asked.page <= 10**6
        assert all(value is None or 0 <= value < float("inf") for value in (asked.start_seconds, asked.end_seconds))
