"""Ctrl-C and SIGTERM between two steps rather than within one."""

import signal
from typing import Any, Self


class StopBetweenSteps:
    """Turn the first Ctrl-C or SIGTERM into a wish, so that no step is cut in half; the second one is immediate."""

    asked = False

    def __enter__(self) -> Self:
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in self._before:
            signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
