"""From which score on a hit is more than chance, and how often chance may pass for more: the rate of false alarms."""

from dataclasses import dataclass

from rspnet_core.errors import InvalidSetting

DEFAULT_RATE = 0.001
"""Share of unrelated pairs that may score above the line of what is unusual."""


@dataclass(frozen=True)
class Chance:
    """From which score on a hit is more than chance."""

    rate: float
    """Share of unrelated pairs that may score higher."""
    score: float | None
    """They exceed it no more often than that; None where there are too few pairs to tell."""
    unrelated_pairs: int
    """Pairs of different classes; where no two videos have different ones, all pairs. Where the question is made of
    several videos: of such questions and a video."""

    def __str__(self) -> str:
        """For people, in one line."""
        pairs = f"{one_in(self.rate)} unrelated pairs of this library"
        if self.score is None:
            return f"too few pairs to tell which score {pairs} would exceed"
        return f"{pairs} scores above {self.score:.3f}"

    def exceeded_by(self, score: float) -> bool:
        """Whether a hit of that score is unusual; where nothing can be told, none is."""
        return self.score is not None and score > self.score


def check_rate(rate: float) -> float:
    """The rate of false alarms. Raises InvalidSetting where it is not above 0 and below 1."""
    if not 0 < rate < 1:
        raise InvalidSetting(f"false alarms: got {rate:g}, allowed is above 0 and below 1, as 0.001 for 1 in 1,000")
    return rate


def one_in(rate: float) -> str:
    """0.001 as ``1 in 1,000``."""
    return f"1 in {1 / rate:,.0f}"
