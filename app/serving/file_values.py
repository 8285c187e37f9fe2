"""What a JSON document names on the server: any object with a ``path``, however deep it lies."""

import json
from collections.abc import Callable
from typing import Any

DEEPEST = 64
"""No event of the page nests its values deeper than a few levels."""


class NotADocument(ValueError):
    """A body that is no JSON document, or one nested too deep."""


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object of a request's body; NotADocument for anything else."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotADocument from error
    if not isinstance(document, dict):
        raise NotADocument
    return document


def names_foreign_file(document: Any, is_own: Callable[[str], bool]) -> bool:
    """Whether some object in it has a ``path`` that is not the sender's. NotADocument for one nested too deep."""
    level = [document]
    for _ in range(DEEPEST):
        objects = [value for value in level if isinstance(value, dict)]
        paths = (value["path"] for value in objects if value.get("path") is not None)
        if not all(isinstance(path, str) and is_own(path) for path in paths):
            return True
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return False
    raise NotADocument


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
