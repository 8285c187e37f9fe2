from dataclasses import fields
from datetime import UTC, timedelta, timezone
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.page import permalink
from app.session.opened import Filters
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.retrieval.composition import Examples
from indexer.retrieval.search import PartWeights
from indexer.retrieval.speed import SPEEDS, Speed
from tests.app.conftest import Served

PARAMETERS = [
    "video",
    "upload",
    "backbone",
    "motion",
    "appearance",
    "start",
    "end",
    "hits",
    "label",
    "split",
    "folder",
    "min_seconds",
    "max_seconds",
    "min_mb",
    "max_mb",
    "since",
    "until",
    "added_since",
    "leave_out",
    "look",
    "like",
    "unlike",
    "speed",
    "false_alarms",
    "tab",
    "with",
    "match",
]
GOOD = {"video": "0" * 16, "motion": "0.5", "hits": "2", "start": "1", "end": "2", "label": "Spin", "tab": "map"}
ODD = {
    "video": ["", "x", "<script>", "../../etc/passwd", "\0", "\u0660" * 16, "A" * 16, "0" * 5000],
    "upload": ["", "q", "0" * 16, "Q" + "0" * 32],
    "tab": ["", "nowhere", "Search", "search "],
    **{key: [""] for key in ["label", "split", "folder", "with"]},
    **{
        key: ["", "x", "nan", "inf", "-1", "1.1", "1_0", " 1", "١", "9" * 5000]
        for key in ["backbone", "motion", "appearance"]
    },
    **{
        key: ["", "x", "nan", "inf", "1e999", "-1", "1_0", "١"]
        for key in ["start", "end", "min_seconds", "max_seconds", "min_mb", "max_mb"]
    },
    **{
        key: ["", "x", "0", "2026", "2026-02-30", "2026-3-1", "01.03.2026", "2026-03-01T25:00", "<b>", "\0", "9" * 5000]
        for key in ["since", "until", "added_since"]
    },
    "speed": ["", "any", "Faster", "<b>"],
    "false_alarms": ["", "x", "0", "1", "0.5", "0.0010001", "-0.001", "nan", "1_0", "٠"],
    "hits": ["", "0", "-4", "1e99", "1.5", "x", "1000001", "\u0661", "9" * 5000],
    "match": ["", "x", "0" * 17],
    "leave_out": ["", "group", "Recording", "1"],
    "look": ["", "x", "0" * 17],
    **{key: ["", "x", ",", "0" * 16 + ",", ",".join(["0" * 16] * 2), "0" * 17] for key in ["like", "unlike"]},
}


def test_links_say_what_they_restore(services: Services) -> None:
    handle = services.stored(services.videos(limit=1)[0].id, 0.5, None)
    weights, filters = PartWeights(backbone=0.25, motion=0.7), Filters(label="a&b=c", folder="x/ü")
    asked, problems = permalink.parse(permalink.link(handle, weights, filters, 3))
    assert asked == permalink.Request(handle.video_id, None, weights, filters, 0.5, None, 3)
    assert problems == []


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_wrong_value_is_named_and_the_rest_is_searched(name: str) -> None:
    rest = {other: value for other, value in GOOD.items() if other != name and {name, other} != {"start", "end"}}
    expected, none = permalink.parse(urlencode(rest))
    assert none == []
    for value in ODD[name]:
        asked, problems = permalink.parse(urlencode(rest | {name: value}))
        assert asked == expected, value
        assert len(problems) == 1 and problems[0].startswith(f"{name}: not understood, allowed "), value
        assert len(problems[0]) < 200


def test_what_is_wrong_only_beside_another_is_told() -> None:
    asked, problems = permalink.parse(
        "?video=0000000000000000&start=3&end=2&backbone=0&video=1111111111111111&lable=Spin"
    )
    assert asked == permalink.Request("0" * 16)
    told = "\n".join(problems)
    assert len(problems) == 4
    for text in ("end: got 2", "video: got twice", "backbone, motion, appearance: got 0", "a part of it means nothing"):
        assert text in told


def test_bounds_that_contradict_each_other_are_left_out_and_told() -> None:
    asked, problems = permalink.parse(
        "?video=0000000000000000&min_seconds=9&max_seconds=8&since=2026-03-01&until=2026-02-01&max_mb=5&label=Spin"
    )
    assert asked == permalink.Request("0" * 16, filters=Filters(label="Spin", max_mb=5))
    assert problems == [
        "min_seconds, max_seconds: min_seconds 9 is above max_seconds 8; no video could pass both; both are left out",
        "since, until: since 2026-03-01 is above until 2026-02-01; no video could pass both; both are left out",
    ]


def test_examples_that_do_not_go_together_are_left_out_and_told() -> None:
    one, other = "1" * 16, "2" * 16
    asked, problems = permalink.parse(f"?video={'0' * 16}&look={one}&like={other}")
    assert asked == permalink.Request("0" * 16)
    assert len(problems) == 1 and problems[0].startswith("look, like, unlike: the look of a second video goes with")
    many = ",".join(f"{number:016x}" for number in range(16))
    asked, problems = permalink.parse(f"?video={one}&like={many}")
    assert asked.others == Examples()
    assert "at most 16; all of them are left out" in problems[0]


def test_every_address_is_served(served: Served) -> None:
    """Gradio answers some of its own parameters with an error; those of old links are renamed."""
    reserved = {
        name: ["2", "", "<b>", "\0", "x" * 300] for name in ("page", "session_hash", "deep_link", "upload_id", "view")
    }
    with httpx.Client(base_url=served.url, follow_redirects=True) as client:
        for row in zip_longest(*ODD.values()):  # one value of each name beside the others
            asked = {name: value for name, value in zip(ODD, row, strict=True) if value is not None}
            assert client.get("/?" + urlencode({"video": "0" * 16} | asked)).status_code == 200, asked
        for name, values in reserved.items():
            for value in values:
                answer = client.get("/?" + urlencode({"video": "0" * 16, name: value}))
                assert answer.status_code == 200, (name, value)
        assert client.get("/?page=2&video=" + "0" * 16).url.query == b"hits=2&video=" + b"0" * 16
        assert client.head("/?page=2").status_code == 200
        assert client.get("/?video=%ff%00&page=%zz&=&&page").status_code == 200


def restored(handle: QueryHandle, weights: PartWeights, filters: Filters, page: int, *others: Any) -> permalink.Request:
    address = permalink.address(handle, weights, filters, page, *others)
    assert address.isascii() and address.isprintable() and " " not in address
    asked, problems = permalink.parse(address)
    assert problems == []
    return asked


def test_the_moment_of_a_long_film_comes_back_exactly() -> None:
    handle = QueryHandle("film", "0" * 16, "/film.mp4", "0" * 16, 12345.678, 12346.12)
    asked = restored(handle, PartWeights(), Filters(), 1)
    assert (asked.start_seconds, asked.end_seconds) == (12345.678, 12346.12)


def test_an_address_names_the_library_that_is_compared_with() -> None:
    handle = QueryHandle("film", "0" * 16, "/film.mp4", "0" * 16)
    search = permalink.address(handle, PartWeights(motion=0.5), Filters(label="Spin"), 1)
    asked, problems = permalink.parse(permalink.comparing(search, "energy & <b>ü"))
    assert problems == []
    assert (asked.tab, asked.other, asked.weights.motion, asked.filters.label) == (
        "compare",
        "energy & <b>ü",
        0.5,
        "Spin",
    )


def test_an_upload_has_an_address_for_its_visitor_and_no_link() -> None:
    handle = QueryHandle("mine", "q" + "0" * 32, "/mine.mp4", None, 1.0, None)
    assert permalink.link(handle, PartWeights(), Filters(), 1) is None
    asked = restored(handle, PartWeights(), Filters(), 2)
    assert (asked.upload_id, asked.video_id, asked.start_seconds, asked.page) == (handle.media_id, None, 1.0, 2)


share = st.floats(0, 1)
weights = (
    st.tuples(share, share, share).filter(any).map(lambda s: PartWeights(backbone=s[0], motion=s[1], appearance=s[2]))
)
words = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(seconds=1))])
dates = st.none() | st.dates() | st.datetimes(timezones=zones)
low = st.sampled_from([None, 0.0, 5e-324, 1 / 3])
high = st.sampled_from([None, 0.5, 60.0, 1e300])
filters = st.builds(
    Filters,
    label=words,
    split=words,
    folder=words,
    min_seconds=low,
    max_seconds=high,
    min_mb=low,
    max_mb=high,
    since=dates,
) | st.builds(Filters, until=dates, added_since=dates, leave_out=st.sampled_from([None, "recording"]))
seconds = st.sampled_from([(None, None), (1.5, None), (None, 0.25), (0.1, 1e9), (5e-324, 1 / 3)])
ids = st.from_regex("[0-9a-f]{16}", fullmatch=True)
some = st.lists(ids, max_size=4, unique=True).map(tuple)
examples = st.builds(Examples, like=some, unlike=some) | st.builds(Examples, look_of=st.none() | ids)
queries = st.builds(
    lambda video, span, others: QueryHandle("n", video, "/v", video, *span, others=others), ids, seconds, examples
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    queries, weights, filters, st.integers(1, 10**6), st.sampled_from(permalink.RATES), st.sampled_from([None, *SPEEDS])
)
def test_every_link_restores_its_search(
    handle: QueryHandle, weights: PartWeights, filters: Filters, page: int, false_alarms: float, speed: Speed | None
) -> None:
    expected = permalink.Request(
        handle.video_id,
        None,
        weights,
        filters,
        handle.start_seconds,
        handle.end_seconds,
        page,
        others=handle.others,
        false_alarms=false_alarms,
        speed=speed,
    )
    assert restored(handle, weights, filters, page, false_alarms, speed) == expected


numbers = st.floats().map(str) | st.integers().map(str) | st.sampled_from(["1_0", "9" * 5000, "\u0663", " 1 ", "1e999"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.sampled_from(PARAMETERS) | st.text(st.characters(exclude_categories=["Cs"])),
        st.text(st.characters(exclude_categories=["Cs"])) | numbers,
    )
)
def test_any_address_is_understood_or_told(parameters: dict[str, str]) -> None:
    asked, problems = permalink.parse(urlencode(parameters))
    usual = permalink.Request()
    changed = [field.name for field in fields(asked) if getattr(asked, field.name) != getattr(usual, field.name)]
    assert 1 <= asked.page <= 10**6
    assert all(value is None or 0 <= value < float("inf") for value in (asked.start_seconds, asked.end_seconds))
    assert all(len(problem) < 400 and problem.isprintable() for problem in problems)
    assert not changed or set(parameters) & set(PARAMETERS)
