"""What a build did."""

from dataclasses import dataclass, field
from typing import Any

_NAMED = 5
"""Files that a note names."""


@dataclass(frozen=True)
class Failure:
    """A file that is in the folder and cannot be indexed."""

    path: str
    """Relative to the data folder."""
    reason: str


@dataclass
class BuildReport:
    """What a build did; ``interrupted`` when it was asked to stop before the end."""

    layout: str
    notes: list[str]
    total: int
    indexed: int = 0
    reused: int = 0
    skipped: int = 0
    dropped: int = 0
    failed: list[Failure] = field(default_factory=list)
    partial: list[Failure] = field(default_factory=list)
    """Indexed files that were cut, with what they declare and what was found."""
    passed_over: list[Failure] = field(default_factory=list)
    """Files that hold no video after all: sound, subtitles."""
    moved: list[str] = field(default_factory=list)
    """A line for each data folder that is gone or has moved."""
    tracks: list[str] = field(default_factory=list)
    """Files that hold several video tracks, and which of them is indexed."""
    interrupted: bool = False
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """The numbers that the catalogue keeps of a build."""
        names = ("total", "indexed", "reused", "skipped", "dropped")
        return {name: getattr(self, name) for name in names} | {"failed": len(self.failed)}

    @property
    def last_notes(self) -> list[str]:
        """Lines on what a build finds out while it runs."""
        if not self.tracks:
            return self.moved
        some = ", ".join(self.tracks[:_NAMED]) + (", ..." if len(self.tracks) > _NAMED else "")
        return [*self.moved, f"{len(self.tracks)} files hold several video tracks, one is indexed: {some}"]

    def to_json(self) -> dict[str, Any]:
        """The document that ``rspnet-index build --json`` prints."""
        return {
            **self.counts(),
            "failed": [{"path": failure.path, "reason": failure.reason} for failure in self.failed],
            "partial": [{"path": file.path, "reason": file.reason} for file in self.partial],
            "passed_over": [{"path": file.path, "reason": file.reason} for file in self.passed_over],
            "seconds": round(self.seconds, 3),
            "videos_per_second": round(self.videos_per_second, 3),
            "layout": self.layout,
            "notes": [*self.notes, *self.last_notes],
            "interrupted": self.interrupted,
        }

    @property
    def videos_per_second(self) -> float:
        """Newly embedded videos a second of the whole build."""
        return self.indexed / self.seconds if self.seconds else 0.0
