"""Work that others do meanwhile, asked for a little before its results are needed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def asked_ahead(items: Iterable[Item], ask: Callable[[Item], Answer], num: int) -> Iterator[tuple[Item, Answer]]:
    """Each item, in order, with what ``ask`` returned for it (a future, say); ``num`` items more are asked for by then.

    So at most ``num`` + 1 answers are held here.
    """
    waiting: deque[tuple[Item, Answer]] = deque()
    for item in items:
        waiting.append((item, ask(item)))
        if len(waiting) > num:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()
