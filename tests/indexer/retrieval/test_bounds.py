"""Bounds on length, size and date: exactly those that a plain filter over the rows lets through."""

import os
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalogue.catalogue import Catalogue, Outcome, VideoEntry
from indexer.retrieval.bounds import BOUNDS, read_date, spans
from indexer.retrieval.filters import Filters, keys_that_pass
from indexer.retrieval.library import Library
from rspnet_core.errors import InvalidSetting, NothingMatches
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.scenes import Look, render
from tests.conftest import Once
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.storage import filled, make_entry, make_vectors

VECTORS = make_vectors()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_NS = 86_400 * 10**9
NEW_YEAR_NS = 20_454 * DAY_NS
"""2026-01-01 in UTC."""

some_seconds = st.sampled_from([0.0, 0.24, 6 * 0.04, 0.333333, 0.333334, 2.5, 60.0])
some_bytes = st.sampled_from([0, 999_999, 1_000_000, 1_000_001, 2_300_000, 2**62])
some_times = st.sampled_from(
    [NEW_YEAR_NS + more for more in (-DAY_NS, -1, 0, 1, 43_200 * 10**9, DAY_NS - 1, DAY_NS)] + [0, 2**62, -DAY_NS]
)
videos = st.lists(
    st.tuples(st.none() | some_seconds, some_bytes, some_times, st.sampled_from(["X", "Y"])), min_size=1, max_size=8
)
seconds = st.none() | some_seconds | st.sampled_from([1e300])
megabytes = st.none() | st.sampled_from([0, 1, 1.000001, 2.3, 1e300])
days = st.dates(date(2025, 12, 30), date(2026, 1, 3)) | st.sampled_from([date.min, date.max])
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9, minutes=30))])
moments = st.builds(
    lambda day, hour, zone: datetime(day.year, day.month, day.day, hour, tzinfo=zone), days, st.integers(0, 23), zones
)
dates = st.none() | days | moments
wanted = st.fixed_dictionaries(
    {
        "label": st.none() | st.just("X"),
        "min_seconds": seconds,
        "max_seconds": seconds,
        "min_mb": megabytes,
        "max_mb": megabytes,
        "since": dates,
        "until": dates,
    }
)


def passes(entry: VideoEntry, asked: dict[str, Any]) -> bool:
    """What the words of the filters say, row by row."""
    long, large, changed = entry.duration_seconds, entry.size_bytes, entry.modified_ns
    checks = {
        "label": lambda label: entry.label == label,
        "min_seconds": lambda least: long is not None and round(long, 6) >= least,
        "max_seconds": lambda most: long is not None and round(long, 6) <= most,
        "min_mb": lambda least: large >= least * 1e6,
        "max_mb": lambda most: large <= most * 1e6,
        "since": lambda first: _place(changed, first) >= _place(first, first),
        "until": lambda last: _place(changed, last) <= _place(last, last),
    }
    return all(checks[name](value) for name, value in asked.items() if value is not None)


def _place(at: int | date, of: date) -> Any:
    """A moment, or the day of it, as ``of`` is one or the other, in UTC."""
    if isinstance(of, datetime):
        utc = of if of.tzinfo else of.replace(tzinfo=UTC)
        return at if isinstance(at, int) else (utc - EPOCH) // timedelta(microseconds=1) * 1000
    return (EPOCH + timedelta(microseconds=at // 1000)).date() if isinstance(at, int) else at


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path_factory.mktemp("bounds") / "catalogue.sqlite", write=True) as catalogue:
        filled(catalogue, 0)
        yield catalogue


@settings(max_examples=200, deadline=None, derandomize=True)
@given(videos, wanted)
def test_the_filter_equals_a_plain_one_over_the_rows(
    catalogue: Catalogue, rows: list[tuple[float | None, int, int, str]], asked: dict[str, Any]
) -> None:
    catalogue.drop([row.id for row in list(catalogue.videos())])
    entries = [
        make_entry(f"{n}", duration_seconds=long, size_bytes=size, modified_ns=changed, label=label)
        for n, (long, size, changed, label) in enumerate(rows)
    ]
    catalogue.commit([Outcome(entry=entry, vectors=VECTORS) for entry in entries])
    expected = sorted(entry.key for entry in entries if passes(entry, asked))
    try:
        filters = Filters(**asked)
    except InvalidSetting:
        assert expected == []
        return
    try:
        keys = keys_that_pass(catalogue, filters)
    except NothingMatches as error:
        assert expected == [] and "\n" not in str(error)
    else:
        assert keys is None if filters == Filters() else keys.tolist() == expected


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"min_seconds": -1}, "min_seconds: got -1, allowed are numbers from 0"),
        ({"max_mb": float("nan")}, "max_mb: got nan, allowed are numbers from 0"),
        ({"min_mb": float("inf")}, "min_mb: got inf"),
        ({"min_seconds": 5, "max_seconds": 3}, "min_seconds 5 is above max_seconds 3; no video could pass both"),
        ({"since": date(2026, 3, 2), "until": date(2026, 3, 1)}, "since 2026-03-02 is above until 2026-03-01"),
    ],
)
def test_bounds_that_cannot_be_are_refused(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Filters(**asked)
    assert says in str(caught.value)


def test_one_day_from_its_first_to_its_last_nanosecond_is_no_contradiction() -> None:
    day = date(2026, 3, 1)
    (first, last) = spans(Filters(since=day, until=day).bounds)["modified_ns"]
    assert first is not None and last == first + DAY_NS - 1
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    (first, last) = spans(Filters(since=moment, until=moment.astimezone(timezone(timedelta(hours=5)))).bounds)[
        "modified_ns"
    ]
    assert first == last


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-02-30", "01.03.2026", "2026-03-01T25:00", "\udcff", "٢٠٢٦-٠٣-٠١", "9" * 999],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^since: got .{2,60}, allowed are days such as 2026-03-01, or moments"):
        read_date("since", text)


def test_texts_are_days_or_moments() -> None:
    assert read_date("since", "2026-03-01") == date(2026, 3, 1)
    assert read_date("since", "2026-03-01T12:30") == datetime(2026, 3, 1, 12, 30)
    assert read_date("since", "2026-03-01T12:30+02:00") == datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
    assert read_date("since", None) is None


def test_every_bound_is_a_filter() -> None:
    assert set(BOUNDS) == {field.name for field in fields(Filters)} - {"label", "split", "folder", "tag", "leave_out"}


@pytest.fixture(scope="module")
def shelf(once: Once) -> Path:
    """A video of 6 frames of New Year 2026, one of 30 of a day later, at 25 frames a second."""

    def build(folder: Path) -> None:
        for number, frames in enumerate((6, 30)):
            path = folder / "cat" / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            look = Look.of_group(number, seed=3)
            write_video(path, render("Spin", look, playback_speed=1, phase=0.3, num_frames=frames, fps=25), fps=25)
            os.utime(path, ns=(NEW_YEAR_NS + number * DAY_NS,) * 2)
        assert rspnet_index("build", folder, "--backbone", "energy").returncode == 0

    return once("shelf", build)


def test_searches_obey_bounds(shelf: Path) -> None:
    with Library.open(shelf, device="cpu") as library:
        query = shelf / "cat/0.mp4"

        def found(**bounds: Any) -> list[str]:
            return sorted(Path(hit.path).name for hit in library.search(query, **bounds))

        assert found(min_seconds=0) == ["0.mp4", "1.mp4"]
        assert found(min_seconds=0.5) == found(since="2026-01-02") == ["1.mp4"]
        assert found(max_seconds=0.24) == found(until=date(2026, 1, 1)) == ["0.mp4"]
        assert found(since="2026-01-01T02:00+02:00", until="2026-01-01T00:00") == ["0.mp4"]
        today = datetime.now(UTC).date()
        assert found(added_since=today) == found(added_since=str(today)) == ["0.mp4", "1.mp4"]
        with pytest.raises(InvalidSetting, match="since: got 'soon'"):
            found(since="soon")


def test_the_command_says_what_is_wrong_in_one_line(shelf: Path) -> None:
    for arguments, says in {
        ("--min-seconds", "900"): "no video is at least 900 s long: durations here are 0.24 to 1.2 s",
        ("--min-mb", "500"): "no video is at least 500 MB large: sizes here are 0.0",
        ("--until", "2025-06-01"): "no video is dated 2025-06-01 or earlier: "
        "dates of files here are 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z",
        ("--added-since", "2999-01-01"): "no video is added 2999-01-01 or later: dates of adding here are 20",
        ("--since", "2026-01-02", "--max-seconds", "1"): "no video is at most 1 s long and dated 2026-01-02 or later "
        "at once, though each has some; leave one of them out",
        ("--label", "cat", "--min-seconds", "1", "--max-mb", "0"): "no video is at most 0 MB large",
        ("--since", "2026-1-1"): "since: got '2026-1-1', allowed are days such as 2026-03-01",
        ("--min-seconds", "nan"): "min_seconds: got nan, allowed are numbers from 0",
    }.items():
        done = rspnet_index("search", shelf / "cat/0.mp4", "--index", shelf, *arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
        assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--min-seconds", "0.5", "--min-mb", "0", "--max-mb", "1"), ["cat/1.mp4"]),
        (("--max-seconds", "0.24", "--added-since", "2000-01-01"), ["cat/0.mp4"]),
        (("--since", "2026-01-02"), ["cat/1.mp4"]),
        (("--until", "2026-01-01"), ["cat/0.mp4"]),
    ],
)
def test_exports_obey_bounds(shelf: Path, tmp_path: Path, arguments: tuple[str, ...], expected: list[str]) -> None:
    assert rspnet_index("export", tmp_path, "--index", shelf, *arguments).returncode == 0
    assert pq.read_table(tmp_path / "videos.parquet")["path"].to_pylist() == expected
    assert len(np.load(tmp_path / "vectors.npy")) == len(expected)
