"""Many keys, a few at a time: databases take statements of limited length."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

KEYS_PER_STATEMENT = 500

Item = TypeVar("Item")


def chunks(items: Iterable[Item], size: int = KEYS_PER_STATEMENT) -> Iterator[list[Item]]:
    """Lists of at most ``size`` items, lazily."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
