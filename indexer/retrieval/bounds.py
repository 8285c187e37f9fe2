"""Bounds on what is known of videos: how long they are, how large their files, of which dates. Both ends included."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from indexer.catalogue.selection import LARGEST_INT, Measure, Span
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import short

Value = float | date
"""Seconds, megabytes of 1,000,000 bytes, or a date: a whole day of UTC, or as a ``datetime`` a moment."""
_DATES_ALLOWED = "are days such as 2026-03-01, or moments such as 2026-03-01T12:30 (UTC) and 2026-03-01T12:30+02:00"
NUMBERS_ALLOWED = "are numbers from 0"
_BYTES_PER_MB = 1_000_000
_CLOCK_SECONDS = 1e-6
"""Of containers, and the last digit that is told: 6 frames at 25 a second last 0.24000000000000002 seconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHATS = {
    "duration_seconds": "durations",
    "size_bytes": "sizes",
    "modified_ns": "dates of files",
    "added_ns": "dates of adding",
}
_DATES = {"modified_ns", "added_ns"}


@dataclass(frozen=True)
class Bound:
    """One end of what is allowed of a measure."""

    measure: Measure
    is_least: bool
    words: str
    """What a video that passes is."""

    @property
    def takes_date(self) -> bool:
        """Whether its value is a date, else it is a number."""
        return self.measure in _DATES

    def said(self, value: Value) -> str:
        """The bound in words: at least 5 s long."""
        return self.words.format(_plain(value))

    def in_catalogue(self, value: Value) -> float:
        """The value in the catalogue's unit, no larger than it can compare with."""
        if isinstance(value, date):
            return _nanoseconds(value, at_end=not self.is_least)
        if self.measure == "size_bytes":
            return round(min(value * _BYTES_PER_MB, LARGEST_INT))
        slack = -_CLOCK_SECONDS / 2 if self.is_least else _CLOCK_SECONDS / 2
        return float(min(value, LARGEST_INT)) + slack


BOUNDS = {
    "min_seconds": Bound("duration_seconds", True, "at least {} s long"),
    "max_seconds": Bound("duration_seconds", False, "at most {} s long"),
    "min_mb": Bound("size_bytes", True, "at least {} MB large"),
    "max_mb": Bound("size_bytes", False, "at most {} MB large"),
    "since": Bound("modified_ns", True, "dated {} or later"),
    "until": Bound("modified_ns", False, "dated {} or earlier"),
    "added_since": Bound("added_ns", True, "added {} or later"),
}
"""By the name of the filter."""


def read_date(name: str, value: str | date | None) -> date | None:
    """The day, or the ``datetime``, that ISO 8601 text means; what is no text as it is. Raises InvalidSetting."""
    if not isinstance(value, str):
        return value
    try:
        return date_of(value)
    except ValueError as error:
        raise InvalidSetting(f"{name}: got {short(value, 40)!r}, allowed {error}") from None


def date_of(text: str) -> date:
    """The day, or the ``datetime``, that ISO 8601 text means; ValueError for other text says what is allowed."""
    for kind in (date, datetime):
        with suppress(ValueError):
            return kind.fromisoformat(text)
    raise ValueError(_DATES_ALLOWED)


def spans(values: Mapping[str, Value | None]) -> dict[Measure, Span]:
    """What the filters of these names bound, in the catalogue's units.

    Raises:
        InvalidSetting: a number that is none or below 0, or a lower end above the upper one.
    """
    given = {name: value for name in BOUNDS if (value := values.get(name)) is not None}
    found: dict[Measure, Span] = {}
    for name, value in given.items():
        if not isinstance(value, date) and not 0 <= value < float("inf"):
            raise InvalidSetting(f"{name}: got {_plain(value)}, allowed {NUMBERS_ALLOWED}")
        measure, end = BOUNDS[name].measure, BOUNDS[name].in_catalogue(value)
        least, most = found.get(measure, (None, None))
        found[measure] = least, most = (end, most) if BOUNDS[name].is_least else (least, end)
        if least is not None and most is not None and least > most:
            both = [f"{each} {_plain(given[each])}" for each in given if BOUNDS[each].measure == measure]
            raise InvalidSetting(f"{' is above '.join(both)}; no video could pass both")
    return found


def _plain(value: Value) -> str:
    return value.isoformat() if isinstance(value, date) else f"{value:.15g}"


def said_extent(measure: Measure, extent: tuple[float, float] | None) -> str:
    """What there is of a measure, in words."""
    if extent is None:
        return f"{_WHATS[measure]} are not known here"
    if measure in _DATES:
        low, high = (_EPOCH + timedelta(microseconds=each // 1000) for each in extent)
        first, last = (each.replace(tzinfo=None).isoformat(timespec="seconds") for each in (low, high))
        return f"{_WHATS[measure]} here are {first}Z to {last}Z"
    per, unit = (_BYTES_PER_MB, "MB") if measure == "size_bytes" else (1, "s")
    least, most = (f"{round(each / per, 6):.15g}" for each in extent)
    return f"{_WHATS[measure]} here are {least} to {most} {unit}"


def _nanoseconds(value: date, *, at_end: bool) -> int:
    """From 1970 to this moment, or to the first or the last nanosecond of this day."""
    if isinstance(value, datetime):
        return _bounded((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH)
    start = datetime.combine(value, time(), UTC) - _EPOCH
    return _bounded(start + timedelta(days=1), less=1) if at_end else _bounded(start)


def _bounded(since: timedelta, less: int = 0) -> int:
    nanoseconds = since // timedelta(microseconds=1) * 1000 - less
    return max(-LARGEST_INT, min(nanoseconds, LARGEST_INT))
