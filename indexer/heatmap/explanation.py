"""What explains a pair of videos: the maps of both heads in one clip of each, and how all their clips compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.heatmap.titles import TITLES
from rspnet_core.errors import InvalidSetting
from rspnet_core.explain.regions import Box, BoxShares, box_shares, boxes_around

DEFAULT_THRESHOLD = 0.5


@dataclass(frozen=True)
class Side:
    """One video of an explained pair."""

    name: str
    clip: int
    """Position of the explained clip among the video's clips."""
    spans_seconds: NDArray[np.float64]
    """(num_clips, 2): start and end of every clip of the video."""
    frames: NDArray[np.uint8]
    """(T, H, W, 3), RGB: the explained clip as the encoder sees it, before normalisation."""
    maps: Mapping[str, NDArray[np.float32]]
    """Head to (T, H, W): the contribution of every place to the cosine; its mean is the cosine less the bias's part."""

    @property
    def span_seconds(self) -> tuple[float, float]:
        """Start and end of the explained clip."""
        start, end = self.spans_seconds[self.clip]
        return float(start), float(end)


@dataclass(frozen=True)
class PairExplanation:
    """Maps of both heads in the best pair of clips of two videos, and how all their clips compare."""

    query: Side
    match: Side
    cosines: Mapping[str, float]
    """Head to the cosine of the explained pair of clips."""
    similarities: Mapping[str, NDArray[np.float32]]
    """Head to the cosines (clips of the query, clips of the match)."""
    titles: Mapping[str, str] = field(default_factory=lambda: TITLES)
    """What people call each head."""

    def scale(self, head: str) -> tuple[float, float]:
        """Ends of the head's colour scale, one for both videos and all frames.

        It goes from the lowest contribution of the pair to the highest, but not below 0: places that speak against
        the similarity look like those that say nothing.
        """
        values = [side.maps[head] for side in (self.query, self.match)]
        return max(0.0, float(min(map(np.min, values)))), float(max(map(np.max, values)))

    def strength(self, side: Side, head: str) -> NDArray[np.float32]:
        """The head's maps of ``query`` or ``match`` on its colour scale: float32 (T, H, W), 0 to 1."""
        low, high = self.scale(head)
        if high <= low:  # nothing stands out
            return np.zeros_like(side.maps[head])
        return np.asarray(np.clip((side.maps[head] - low) / (high - low), 0, 1), dtype=np.float32)

    def boxes(self, side: Side, head: str, threshold: float) -> list[list[Box]]:
        """Rectangles of each frame around the areas at or above ``threshold`` (0 to 1 of the colour scale).

        Raises InvalidSetting for another threshold.
        """
        check_threshold(threshold)
        return [boxes_around(frame >= threshold) for frame in self.strength(side, head)]

    def shares(self, side: Side, head: str, threshold: float) -> BoxShares:
        """How much of the map's energy, and of the clip's area, those rectangles hold over all frames."""
        return box_shares(side.maps[head], self.boxes(side, head, threshold))


def check_threshold(threshold: float) -> None:
    """Raise InvalidSetting unless ``threshold`` is a place on the colour scale."""
    if not 0 <= threshold <= 1:
        raise InvalidSetting(f"threshold: got {threshold}, allowed is 0 to 1 (of the colour scale)")
