"""Fields of the filters and chips: what is typed is obeyed, what cannot be is told, and a chip takes it away."""

import re
from datetime import UTC, date, datetime
from typing import Any

import gradio as gr
import pytest

from app.page.tabs.filters import chips, field_values, filter_fields, filters_of
from app.session.services import Services
from indexer.retrieval.bounds import BOUNDS
from indexer.retrieval.filters import Filters
from rspnet_core.errors import InvalidSetting

SOME = Filters(
    label="<b>",
    min_seconds=2.5,
    max_mb=0,
    since=datetime(2026, 3, 1, 12, tzinfo=UTC),
    until=date(2026, 4, 1),
    added_since=date(2026, 5, 1),
    leave_out="recording",
)


def test_every_filter_has_a_field_that_shows_it(services: Services) -> None:
    with gr.Blocks():
        made = filter_fields(services)
    unset = field_values(Filters())
    assert set(made) == set(unset) >= set(BOUNDS)
    assert {name: field.value for name, field in made.items()} == unset
    for filters in (Filters(), SOME):
        assert filters_of(field_values(filters)) == filters


def test_each_filter_is_a_chip_that_takes_it_away() -> None:
    html = chips(SOME)
    assert re.findall(r'data-id="(\w+)"[^>]*>([^<]*)<span', html) == [
        ("label", "Class: &lt;b&gt;"),
        ("min_seconds", "At least 2.5 s long"),
        ("max_mb", "At most 0 MB large"),
        ("since", "Dated 2026-03-01T12:00:00+00:00 or later"),
        ("until", "Dated 2026-04-01 or earlier"),
        ("added_since", "Added 2026-05-01 or later"),
        ("leave_out", "Without its recording"),
    ]
    assert 'aria-label="Remove the filter At least 2.5 s long"' in html
    assert chips(Filters()) == ""


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"since": "March"}, "since: got 'March', allowed are days such as 2026-03-01"),
        ({"min_seconds": "-1"}, "min_seconds: got -1, allowed are numbers from 0"),
        ({"max_seconds": "2,5"}, "max_seconds: got '2,5', allowed are numbers from 0"),
        ({"max_seconds": "nan"}, "max_seconds: got nan, allowed are numbers from 0"),
        ({"min_mb": "3", "max_mb": " 2 "}, "min_mb 3 is above max_mb 2"),
    ],
)
def test_what_is_typed_wrongly_is_told(typed: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting, match=says):
        filters_of(field_values(Filters()) | typed)
