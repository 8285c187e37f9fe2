"""Names as text: a file name may hold any bytes, a screen and a page may not."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

_JOINERS = "\u200c\u200d"
"""Zero-width characters that belong to ordinary words in several scripts."""


def printable(text: str) -> str:
    r"""``text`` with control, bidirectional and undecodable characters as escapes such as ``\n`` and ``\udcff``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_texts(value: Any) -> Any:
    """``value`` with each text in it, keys too, made safe to show."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(key)): printable_texts(item) for key, item in value.items()}
    return [printable_texts(item) for item in value] if isinstance(value, list | tuple) else value


def as_line(document: Any) -> str:
    """A JSON document as commands print it: one line of ASCII, whose texts are printable."""
    return json.dumps(printable_texts(document))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``name`` was most likely meant to be, in any case; None when none is near."""
    by_folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def told_apart(paths: Sequence[str]) -> list[str]:
    """The file names of ``paths``, each with as many of its folders as tell it from the others that are called so.

    >>> told_apart(["a/day/1.mp4", "a/night/1.mp4", "a/night/2.mp4"])
    ['day/1.mp4', 'night/1.mp4', '2.mp4']
    """
    parts = {path: path.strip("/").split("/") for path in paths}
    names: dict[str, str] = {}
    length = 1
    while parts:
        shown = {path: "/".join(own[-length:]) for path, own in parts.items()}
        times = Counter(shown.values())
        done = {path for path, own in parts.items() if times[shown[path]] == 1 or length >= len(own)}
        names |= {path: shown[path] for path in done}
        parts = {path: own for path, own in parts.items() if path not in done}
        length += 1
    return [names[path] for path in paths]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """How many there are, as ``1 video`` or ``1,234 videos``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def short(label: str, most: int = 28) -> str:
    """``label`` cut to ``most`` characters, the last one an ellipsis where something was cut."""
    return label if len(label) <= most else label[: most - 1] + "…"
