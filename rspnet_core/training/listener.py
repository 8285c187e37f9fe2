"""Whom a run tells how it goes."""

from typing import Any


class Listener:
    """Who is told how a run goes; this one keeps it to itself."""

    def started(self, lines: list[str], num_steps: int | None) -> None:
        """What will be done, in lines, and the number of steps, or of videos in a test; None where a clock decides."""

    def advance(self, figures: dict[str, Any]) -> None:
        """A line of figures."""

    def video(self) -> None:
        """One more video of a test is done."""

    def say(self, line: str) -> None:
        """Something to read, such as an unreadable video or a sign of collapse."""

    def unreadable(self, path: str, reason: str) -> None:
        """A video that is left out."""
        self.say(f"unreadable, left out: {path}: {reason}")
