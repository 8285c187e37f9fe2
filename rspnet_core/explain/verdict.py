"""What is found where parts of a clip are hidden, and the verdict on its heat map."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

Verdict = Literal["true", "no better than chance", "too small to tell", "too few places to tell"]
CURVE_SHARES = tuple(step / 8 for step in range(9))
"""Of the clip, hidden or shown in the order of the map."""
SIGNIFICANCE = 0.05
"""How often a map that knows nothing is called true."""


@dataclass(frozen=True)
class Faithfulness:
    """What hiding a clip's important area does to its similarity to another clip, by one head."""

    cosine: float
    """Of the two clips as they are."""
    drop: float
    """How far the cosine falls when the area that the map ranks highest is hidden; negative when it rises."""
    random_drops: tuple[float, ...]
    """The same for random areas of equal size and shape."""
    area_share: float
    """Share of the clip that was hidden, in whole cells of the feature map."""
    noise_floor: float
    """The furthest that the cosine goes when every pixel is changed by at most one level at random."""
    deletion: tuple[float, ...]
    """The cosine with the first share of the clip hidden, in the map's order, at each of CURVE_SHARES."""
    insertion: tuple[float, ...]
    """The same with nothing but that share shown."""

    @property
    def chance(self) -> float:
        """How often a random area would do as well: the share of all areas, the map's own too, that drop as far."""
        return (1 + sum(drop >= self.drop for drop in self.random_drops)) / (1 + len(self.random_drops))

    @property
    def verdict(self) -> Verdict:
        """``true`` where a random area does as well in at most SIGNIFICANCE of cases, by drops above the noise."""
        if max(abs(drop) for drop in (self.drop, *self.random_drops)) <= self.noise_floor:
            return "too small to tell"
        if (1 + len(self.random_drops)) * SIGNIFICANCE < 1:
            return "too few places to tell"
        return "true" if self.drop > self.noise_floor and self.chance <= SIGNIFICANCE else "no better than chance"

    @property
    def deletion_area(self) -> float:
        """Mean of the deletion curve: low where hiding little of what the map marks costs much."""
        return float(np.trapezoid(self.deletion, CURVE_SHARES))

    @property
    def insertion_area(self) -> float:
        """Mean of the insertion curve: high where showing little of what the map marks is enough."""
        return float(np.trapezoid(self.insertion, CURVE_SHARES))

    @property
    def random_drop_mean(self) -> float:
        """Mean of ``random_drops``."""
        return float(np.mean(self.random_drops))

    @property
    def random_drop_interval(self) -> tuple[float, float]:
        """The range that holds the middle 95 % of ``random_drops``."""
        low, high = np.quantile(self.random_drops, (0.025, 0.975))
        return float(low), float(high)

    @property
    def beaten_share(self) -> float:
        """Share of random areas whose drop is smaller: 1 is a faithful map, 0.5 says no more than chance."""
        return float(np.mean(np.array(self.random_drops) < self.drop))

    @property
    def beaten_interval(self) -> tuple[float, float]:
        """95 % interval of ``beaten_share``, as it is of some random areas (Wilson, 1927)."""
        draws, z = len(self.random_drops), NormalDist().inv_cdf(0.975)
        centre = (self.beaten_share + z * z / (2 * draws)) / (1 + z * z / draws)
        spread = self.beaten_share * (1 - self.beaten_share) / draws + z * z / (4 * draws * draws)
        reach = z * float(np.sqrt(spread)) / (1 + z * z / draws)
        return max(centre - reach, 0.0), min(centre + reach, 1.0)
