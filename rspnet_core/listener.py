"""Whom a run tells how it goes."""

from typing import Any


class Listener:
    """Who is told how a run goes; this one keeps it to itself."""

    def started(self, lines: list[str], num_steps: int) -> None:
        """What will be done, in lines, and the number of steps."""

    def advance(self, figures: dict[str, Any]) -> None:
        """A line of figures."""

    def say(self, line: str) -> None:
        """Something to read, such as an unreadable video or a sign of collapse."""
