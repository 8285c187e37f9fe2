"""Rectangles around the areas of a map that lie above a threshold (paper, Figure 5), and how much they hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels; ``right`` and ``bottom`` are the first that lie outside."""

    left: int
    top: int
    right: int
    bottom: int

    def around(self, other: "Box") -> "Box":
        """The smallest box that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True)
class BoxShares:
    """How well boxes catch a map, in the manner of the pointing game: much energy in little area is a sharp map."""

    energy: float
    """Share (0 to 1) of the map's positive values that lies inside the boxes; 0 where the map has none."""
    area: float
    """Share (0 to 1) of the pixels that lies inside the boxes."""


@dataclass
class _Region:
    """A connected area while rows are read from top to bottom: its box, and its runs in the two last rows."""

    box: Box
    above: list[Box] = field(default_factory=list)
    here: list[Box] = field(default_factory=list)

    def touches(self, run: Box) -> bool:
        return any(run.left < other.right and other.left < run.right for other in self.above)


def boxes_around(mask: NDArray[np.bool_]) -> list[Box]:
    """Bounding boxes of the connected areas of a mask (H, W), cells joined by their sides; from the top down."""
    done: list[Box] = []
    regions: list[_Region] = []
    for y, row in enumerate(mask):
        for run in _runs(row, y):
            joined = _Region(run, here=[run])
            for region in [region for region in regions if region.touches(run)]:
                regions.remove(region)
                joined.box = joined.box.around(region.box)
                joined.above += region.above
                joined.here += region.here
            regions.append(joined)
        done += [region.box for region in regions if not region.here]
        regions = [_Region(region.box, above=region.here) for region in regions if region.here]
    return sorted(done + [region.box for region in regions], key=lambda box: (box.top, box.left))


def _runs(row: NDArray[np.bool_], y: int) -> list[Box]:
    edges = np.flatnonzero(np.diff(row, prepend=False, append=False))
    return [Box(int(left), y, int(right), y + 1) for left, right in list(pairwise(edges))[::2]]


def box_shares(values: NDArray[np.float32], boxes: Sequence[Sequence[Box]]) -> BoxShares:
    """How much of a map lies inside boxes; places in two boxes count once.

    Args:
        values: float32 (T, H, W), the map.
        boxes: those of each of the T frames.
    """
    inside = np.zeros(values.shape, bool)
    for frame, of_frame in zip(inside, boxes, strict=True):
        for box in of_frame:
            frame[box.top : box.bottom, box.left : box.right] = True
    positive = np.maximum(values, 0, dtype=np.float64)
    total = positive.sum()
    return BoxShares(energy=float(positive[inside].sum() / total) if total else 0.0, area=float(inside.mean()))
