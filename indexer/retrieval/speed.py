"""Faster or slower than the query: the direction of a library's motion vectors that tells playback speed.

A search for what is faster adds the direction to its query: one doubling of speed counts as much as one standard
deviation of the scores of the library's pairs. Where it could be chance that speeds are told, it is refused.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.index.lock import unwritable
from rspnet_core.atomic import replace_text
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import short

FILE_NAME = "playback.json"
Speed = Literal["faster", "slower"]
SPEEDS: dict[Speed, float] = {"faster": 1.0, "slower": -1.0}


def check_speed(speed: Speed | None) -> None:
    """Raises InvalidSetting for another text."""
    if speed is not None and speed not in SPEEDS:
        raise InvalidSetting(f"speed: got {short(speed)!r}, allowed are {', '.join(SPEEDS)}")


@dataclass(frozen=True)
class Playback:
    """How well speeds are told apart, and along which direction."""

    fingerprint: str
    """Of the encoder."""
    direction: list[float]
    """Of the motion part, unit length; towards faster."""
    doubling: float
    """How far along it videos move at twice their speed, in the mean."""
    videos: int
    recordings: int
    """Videos of one recording succeed or fail together."""
    ranked: float
    """Share of the videos of which the faster one was told by the direction of other recordings."""
    interval: tuple[float, float]
    """95 % interval of ``ranked`` (Wilson, 1927), recordings counted."""

    @property
    def tells(self) -> bool:
        """Whether speeds are told apart better than by chance."""
        return self.interval[0] > 0.5 and self.doubling > 0

    def __str__(self) -> str:
        """For people, in one line."""
        low, high = self.interval
        return (
            f"tells a video from itself at twice the speed in {self.ranked:.0%} of {self.videos} videos of "
            f"{self.recordings} recordings (95 % interval {low:.0%} to {high:.0%})"
        )

    def push(self, speed: Speed) -> NDArray[np.float32]:
        """What moves a motion vector by one doubling, or halving, scaled to change an inner product by 1."""
        return np.array(self.direction, np.float32) * np.float32(SPEEDS[speed] / self.doubling)

    def write(self, folder: Path) -> None:
        """Keep it with the library in ``folder``. Raises LibraryError where that cannot be written."""
        try:
            replace_text(folder / FILE_NAME, json.dumps(asdict(self)) + "\n")
        except OSError as error:
            raise unwritable(folder, error) from error


def check_can_keep(folder: Path) -> None:
    """Before minutes of measuring, raise LibraryError where ``Playback.write`` would."""
    try:
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


def read_playback(folder: Path, fingerprint: str) -> Playback:
    """What was measured of this encoder. Raises InvalidSetting where nothing was, or where speeds are not told."""
    try:
        document: dict[str, Any] = json.loads((folder / FILE_NAME).read_text("utf-8"))
        known = Playback(**document | {"interval": tuple(document["interval"])})
    except (OSError, ValueError, TypeError, KeyError):
        known = None
    if known is None or known.fingerprint != fingerprint:
        raise InvalidSetting(
            "speed: whether this library's encoder tells speeds was not measured; run `rspnet-index playback` on it"
        )
    if not known.tells:
        raise InvalidSetting(f"speed: this library's encoder {known}, which may be chance")
    return known
