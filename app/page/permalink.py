"""Addresses that restore what the page shows: ``?video=ID&motion=0.7&like=ID,ID&label=Spin&hits=2&tab=why``.

A parameter that says nothing, or says it wrongly, has its usual value; what is wrong is told in words.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from app.serving.media import LIBRARY_ID, QUERY_ID
from app.session.queries import QueryHandle
from indexer.retrieval.bounds import BOUNDS, NUMBERS_ALLOWED, date_of, spans
from indexer.retrieval.chance import DEFAULT_RATE
from indexer.retrieval.composition import Examples
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from indexer.retrieval.speed import SPEEDS, Speed
from rspnet_core.config import PARTS
from rspnet_core.errors import InvalidSetting

DEFAULT_WEIGHTS, NO_FILTERS, NO_EXAMPLES = PartWeights(), Filters(), Examples[str]()
EXAMPLES = {"look": "look_of", "like": "like", "unlike": "unlike"}
"""Parameters by what their videos are to the question."""
NAMED_FILTERS = ("label", "split", "folder", "tag")
FILTERS = (*NAMED_FILTERS, *BOUNDS, "leave_out")
TABS = ("search", "why", "compare", "accuracy", "map", "library")
RATES = (0.01, 0.001, 0.0001)
"""Of false alarms, those that the page offers."""
_MOST_PAGES = 10**6
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_MOST_PROBLEMS = 12

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What the page shows, as an address says it."""

    video_id: str | None = None
    upload_id: str | None = None
    """Of a file that this visitor uploaded, while it is kept."""
    weights: PartWeights = DEFAULT_WEIGHTS
    filters: Filters = NO_FILTERS
    start_seconds: float | None = None
    end_seconds: float | None = None
    page: int = 1
    tab: str = "search"
    match_id: str | None = None
    """The hit that is explained."""
    others: Examples[str] = NO_EXAMPLES
    """Further examples of the question."""
    false_alarms: float = DEFAULT_RATE
    """One of ``RATES``."""
    other: str | None = None
    """Name of the library that is compared with."""
    speed: Speed | None = None
    """What is so comes first."""


def parse(query: str) -> tuple[Request, list[str]]:
    """The search in an address's query, and for each thing that is wrong with it a sentence. Never raises.

    A sentence names the parameter and what is allowed; it repeats nothing of the address, which anyone may have made.
    """
    problems: list[str] = []
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.removeprefix("?"), keep_blank_values=True):
        if name in given and name in _READERS:
            problems.append(f"{name}: got twice, allowed is once; the first is taken")
        given.setdefault(name, value)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name.startswith("__"):  # Gradio's own, such as __theme
            continue
        if name not in _READERS:
            problems.append(f"a part of it means nothing; allowed are {', '.join(_READERS)}")
            continue
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            problems.append(f"{name}: not understood, allowed {error}")
    return _request(values, problems), problems[:_MOST_PROBLEMS]


def _request(values: dict[str, Any], problems: list[str]) -> Request:
    """Put together what was understood; adds what is wrong with values beside each other."""
    shares = {part: values.get(part, getattr(DEFAULT_WEIGHTS, part)) for part in PARTS}
    if not any(shares.values()):
        problems.append(f"{', '.join(PARTS)}: got 0 for all of them, allowed is at least one above 0")
    start, end = values.get("start"), values.get("end")
    if start is not None and end is not None and start >= end:
        problems.append(f"end: got {end:g}, allowed are seconds after the start at {start:g}; the whole video is taken")
        start = end = None
    others = NO_EXAMPLES
    try:
        others = Examples(**{kind: values[name] for name, kind in EXAMPLES.items() if name in values})
    except InvalidSetting as error:
        problems.append(f"{', '.join(EXAMPLES)}: {error}; all of them are left out")
    return Request(
        video_id=values.get("video"),
        upload_id=values.get("upload") if "video" not in values else None,
        weights=PartWeights(**shares) if any(shares.values()) else DEFAULT_WEIGHTS,
        filters=_filters(values, problems),
        start_seconds=start,
        end_seconds=end,
        page=values.get("hits", 1),
        tab=values.get("tab", "search"),
        match_id=values.get("match"),
        others=others,
        false_alarms=values.get("false_alarms", DEFAULT_RATE),
        other=values.get("with"),
        speed=values.get("speed"),
    )


def _filters(values: dict[str, Any], problems: list[str]) -> Filters:
    """Those that go together: of two bounds that contradict each other, neither."""
    found = {name: values[name] for name in FILTERS if name in values}
    for measure in {bound.measure: None for bound in BOUNDS.values()}:
        ends = [name for name, bound in BOUNDS.items() if bound.measure == measure]
        try:
            spans({name: found.get(name) for name in ends})
        except InvalidSetting as error:
            problems.append(f"{', '.join(ends)}: {error}; both are left out")
            found = {name: value for name, value in found.items() if name not in ends}
    return Filters(**found)


def link(
    handle: QueryHandle,
    weights: PartWeights,
    filters: Filters,
    page: int,
    false_alarms: float = DEFAULT_RATE,
    speed: Speed | None = None,
) -> str | None:
    """The address for anyone, relative to the page; None for an uploaded file, which is its visitor's alone."""
    return None if handle.video_id is None else address(handle, weights, filters, page, false_alarms, speed)


def address(
    handle: QueryHandle,
    weights: PartWeights,
    filters: Filters,
    page: int,
    false_alarms: float = DEFAULT_RATE,
    speed: Speed | None = None,
) -> str:
    """The address for this visitor's browser, relative to the page; an upload's works while it is kept."""
    parameters = {"upload": handle.media_id} if handle.video_id is None else {"video": handle.video_id}
    for name, kind in EXAMPLES.items():
        if named := handle.others.of_kind(kind):
            parameters[name] = ",".join(named)
    for part in PARTS:
        value = getattr(weights, part)
        if value != getattr(DEFAULT_WEIGHTS, part):
            parameters[part] = _shortest(value)
    for name, seconds in (("start", handle.start_seconds), ("end", handle.end_seconds)):
        if seconds is not None:
            parameters[name] = _shortest(seconds)
    parameters |= {name: _text(value) for name in FILTERS if (value := getattr(filters, name)) is not None}
    if speed is not None:
        parameters["speed"] = speed
    if false_alarms != DEFAULT_RATE:
        parameters["false_alarms"] = _shortest(false_alarms)
    if page > 1:
        parameters["hits"] = str(page)
    return f"?{urlencode(parameters, errors='replace', safe=',')}"


def comparing(search: str, other: str) -> str:
    """An address whose Compare tab is open at the library ``other``."""
    return f"{search}&{urlencode({'tab': 'compare', 'with': other}, errors='replace')}"


def _text(value: str | float | date) -> str:
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str) else _shortest(value)


def _shortest(value: float) -> str:
    """As few digits as give the same number again."""
    return repr(float(value)).removesuffix(".0")


def _video(text: str) -> str:
    return _checked(text, LIBRARY_ID.fullmatch, "is the id of a video, 16 hexadecimal digits")


def _videos(text: str) -> tuple[str, ...]:
    allowed = "are ids of videos, 16 hexadecimal digits each, apart by commas, each once"
    ids = tuple(text.split(","))
    _checked(ids, lambda named: len(set(named)) == len(named) and all(map(LIBRARY_ID.fullmatch, named)), allowed)
    return ids


def _upload(text: str) -> str:
    return _checked(text, QUERY_ID.fullmatch, "is the id of an upload, q and 32 hexadecimal digits")


def _tab(text: str) -> str:
    return _checked(text, TABS.__contains__, f"are {', '.join(TABS)}")


def _word(text: str) -> str:
    return _checked(text, bool, "is a name that videos of this library have")


def _left_out(text: str) -> str:
    return _checked(text, "recording".__eq__, "is recording")


def _library(text: str) -> str:
    return _checked(text, bool, "is the name of a library to compare with")


def _share(text: str) -> float:
    return _number(text, 1.0, "are numbers from 0 to 1")


def _rate(text: str) -> float:
    allowed = f"are {', '.join(map(_shortest, RATES))}"
    return _checked(_number(text, 1.0, allowed), RATES.__contains__, allowed)


def _speed(text: str) -> str:
    return _checked(text, SPEEDS.__contains__, f"are {', '.join(SPEEDS)}")


def _seconds(text: str) -> float:
    return _number(text, math.inf, "are seconds from 0")


def _amount(text: str) -> float:
    return _number(text, math.inf, NUMBERS_ALLOWED)


def _page(text: str) -> int:
    allowed = f"are whole numbers from 1 to {_MOST_PAGES:,}"
    _checked(text, re.compile("[0-9]{1,7}").fullmatch, allowed)
    return _checked(int(text), lambda number: 1 <= number <= _MOST_PAGES, allowed)


def _number(text: str, high: float, allowed: str) -> float:
    _checked(text, _NUMBER.fullmatch, allowed)
    return _checked(float(text), lambda number: number <= high and math.isfinite(number), allowed)


def _checked(value: T, passes: Callable[[T], object], allowed: str) -> T:
    """The value; raises ValueError, which says what is allowed."""
    if not passes(value):
        raise ValueError(allowed)
    return value


_READERS: dict[str, Callable[[str], Any]] = {
    "video": _video,
    "upload": _upload,
    "start": _seconds,
    "end": _seconds,
    **dict.fromkeys(PARTS, _share),
    **dict.fromkeys(NAMED_FILTERS, _word),
    **{name: date_of if bound.takes_date else _amount for name, bound in BOUNDS.items()},
    "leave_out": _left_out,
    "look": _video,
    "like": _videos,
    "unlike": _videos,
    "speed": _speed,
    "false_alarms": _rate,
    "hits": _page,
    "tab": _tab,
    "with": _library,
    "match": _video,
}
"""By parameter: reads its text, or raises ValueError with what is allowed."""
