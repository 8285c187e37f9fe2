"""Clips that a task wants of each video beside c_i, c_j and c_k: sped up, reordered, turned, and laid out in time.

K clips a video, each of one *kind*: a speed and an order of its frames, ``speeds`` x ``orders``. How they lie, as parts
of a window that has room for the fastest of them, so that every kind is drawn of the same videos:

    together   |a---            all begin at one place, by one draw: the kind alone differs
               |b-------
    apart        |a---    |b--- each at a place and by a draw of its own
    in turn    |a---  |b---     one after another, half a clip between them; each by a draw of its own
    anyhow     |a---      |b--- two clips, overlapping, in order or against it (``Truth.relations``)

Everything is drawn from the generator alone, before it is known how long the videos are (``pretext.views``).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Order = Literal["forwards", "backwards", "shuffled"]
Picks = Literal["each", "any", "different"]
Layout = Literal["together", "apart", "in turn", "anyhow"]
RELATIONS = ("overlapping", "in order", "against it")
"""How the two clips of ``anyhow`` lie; ``Truth.relations`` are places in it."""
_GAP = 0.5
"""Between two clips that follow each other, in lengths of a clip of speed 1."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


class Truth(NamedTuple):
    """What was done to the clips of R videos, on the device: what a task may ask for."""

    kinds: Tensor
    """int64 (R, K): places in ``Variants.kinds``."""
    turns: Tensor
    """int64 (R, K): quarter turns against the clock, 0 to 3."""
    relations: Tensor
    """int64 (R,): places in ``RELATIONS``; 0 but for ``anyhow``."""
    twins: Tensor
    """int64 (R,): two videos of one number had all but their places drawn alike."""


class DrawnVariants(NamedTuple):
    """What was drawn for R videos."""

    views: Floats
    """(R, K, 4): fields of ``video.sampling.View``."""
    truth: Truth


@dataclass(frozen=True)
class Variants:
    """The clips that one task wants."""

    clips: int = 1
    """K, but for ``repeats``."""
    speeds: tuple[float, ...] = (1,)
    orders: tuple[Order, ...] = ("forwards",)
    picks: Picks = "any"
    """each: clip k is of kind k. any: of any. different: of any that no other clip of its video has."""
    layout: Layout = "apart"
    repeats: int = 1
    """Each clip is seen so many times, each time by a draw of its own: K is clips x repeats, all clips before their
    repetitions."""
    is_turned: bool = False
    """Each clip by 0 to 3 quarter turns."""
    in_twins: bool = False
    """Video r and video r + R / 2 have the same drawn, but for their places."""

    @property
    def kinds(self) -> list[tuple[float, Order]]:
        """Speed and order of each kind."""
        return [(speed, order) for speed in self.speeds for order in self.orders]

    @property
    def num_clips(self) -> int:
        """K."""
        return self.clips * self.repeats

    @property
    def window(self) -> float:
        """Lengths of a clip of speed 1 that a video must have."""
        fastest = max(self.speeds)
        if self.layout == "in turn":
            return self.clips * (fastest + _GAP) - _GAP
        return 2 * fastest + _GAP if self.layout == "anyhow" else fastest

    def drawn(self, rng: np.random.Generator, num: int) -> DrawnVariants:
        """Kinds, places and turns for R = ``num`` videos."""
        half = num // 2 if self.in_twins else num
        again = np.arange(num) % max(half, 1) if self.in_twins else np.arange(num)
        kinds = self._picked(rng, num)[again]
        speeds = np.array([speed for speed, _ in self.kinds], np.float64)[kinds]
        offsets, relations = self._laid_out(rng, speeds, again)
        places = rng.random((num, self.clips if self.layout == "apart" else 1))
        fields = (np.broadcast_to(part, speeds.shape) for part in (places, speeds, np.float64(self.window), offsets))
        views = np.stack(list(fields), axis=2)
        turns = rng.integers(4, size=(num, self.num_clips)) if self.is_turned else np.zeros((num, self.num_clips))
        truth = (np.tile(kinds, self.repeats), turns.astype(np.int64)[again], relations, again)
        return DrawnVariants(np.tile(views, (1, self.repeats, 1)), Truth(*map(torch.from_numpy, truth)))

    def frame_orders(self, rng: np.random.Generator, kinds: Places, frames_per_clip: int) -> Places:
        """Which frame of its clip is shown n-th: int64 (R, K, T), for kinds (R, K)."""
        straight = np.arange(frames_per_clip)
        found = np.where(self._has_order(kinds, "backwards"), straight[::-1], straight)
        shuffled = rng.random((*kinds.shape, frames_per_clip)).argsort(axis=2)
        return np.where(self._has_order(kinds, "shuffled"), shuffled, found)

    def _has_order(self, kinds: Places, order: Order) -> NDArray[np.bool_]:
        return np.array([each == order for _, each in self.kinds])[kinds][..., None]

    def _picked(self, rng: np.random.Generator, num: int) -> Places:
        """Kinds int64 (num, clips)."""
        count = len(self.kinds)
        if self.picks == "each":
            return np.tile(np.arange(self.clips), (num, 1))
        if self.picks == "different":
            return rng.random((num, count)).argsort(axis=1)[:, : self.clips]
        return rng.integers(count, size=(num, self.clips))

    def _laid_out(self, rng: np.random.Generator, speeds: Floats, again: Places) -> tuple[Floats, Places]:
        """Offsets (R, clips) in the window, and relations (R,)."""
        num = len(speeds)
        none = np.zeros(num, np.int64)
        if self.layout == "in turn":
            return np.cumsum(speeds + _GAP, axis=1) - speeds - _GAP, none
        if self.layout != "anyhow":
            return np.zeros_like(speeds), none
        relations = rng.integers(len(RELATIONS), size=num)[again]
        shift, is_second = rng.random(num)[again], (rng.random(num) < 0.5)[again]
        behind = speeds[:, ::-1] + (shift * (self.window - speeds.sum(axis=1)))[:, None]  # the other, and what is left
        within = (0.5 * shift * speeds.min(axis=1))[:, None]
        is_later = np.stack([relations == 2, relations == 1], axis=1)
        is_moved = np.stack([~is_second, is_second], axis=1) & (relations == 0)[:, None]
        return np.where(is_later, behind, np.where(is_moved, within, 0.0)), relations
