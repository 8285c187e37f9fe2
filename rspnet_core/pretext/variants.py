"""Clips that a task wants of each video beside c_i, c_j and c_k: sped up, altered, and laid out in time.

K clips a video, each of one *kind*: a speed and an operation on its frames (``operations.py``), ``speeds`` x
``operations``. How they lie, as parts of a window that has room for every kind, so that all are drawn of equal videos:

    together   |a---            all begin at one place, by one draw: the kind alone differs
               |b-------
    apart        |a---    |b--- each at a place and by a draw of its own
    in turn    |a---  |b---     one after another, half a clip between them; each by a draw of its own
    in blocks  |a---|b---       one right after another, cropped and flipped alike; colours are each one's own
    anyhow     |a---      |b--- two clips, overlapping, in order or against it (``Truth.relations``)

Everything is drawn from the generator alone, before it is known how long the videos are (``pretext.views``).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.pretext.operations import Names, Operation, Places, quarter_turns, tile_orders

Picks = Literal["each", "any", "different", "middle"]
Layout = Literal["together", "apart", "in turn", "in blocks", "anyhow"]
RELATIONS = ("overlapping", "in order", "against it")
"""How the two clips of ``anyhow`` lie; ``Truth.relations`` are places in it."""
_GAP = 0.5
"""Between two clips that follow each other, in lengths of a clip of speed 1."""
_NEXT = 0.2
"""The same of blocks: enough that no frame is in two of them where clips reach over five frames or more."""

Floats = NDArray[np.float64]


class Truth(NamedTuple):
    """What was done to the clips of R videos, on the device: what a task may ask for."""

    kinds: Tensor
    """int64 (R, K): places in ``Variants.kinds``."""
    turns: Tensor
    """int64 (R, K): quarter turns against the clock, 0 to 3."""
    tiles: Tensor
    """int64 (R, K, 4): which tile is shown in each of four places, row by row."""
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
    operations: tuple[Operation, ...] = ("forwards",)
    picks: Picks = "any"
    """each: clip k is of kind k. any: of any. different: of any that no other clip of its video has. middle: the one in
    the middle is of any, the others are of the first."""
    layout: Layout = "apart"
    repeats: int = 1
    """Each clip is seen so many times, each time by a draw of its own: K is clips x repeats, all clips before their
    repetitions."""
    is_turned: bool = False
    """Each clip by 0 to 3 quarter turns."""
    in_twins: bool = False
    """Video r and video r + R / 2 have the same drawn, but for their places."""

    @property
    def kinds(self) -> list[tuple[float, Operation]]:
        """Speed and operation of each kind."""
        return [(speed, operation) for speed in self.speeds for operation in self.operations]

    @property
    def num_clips(self) -> int:
        """K."""
        return self.clips * self.repeats

    @property
    def window(self) -> float:
        """Lengths of a clip of speed 1 that a video must have."""
        fastest = max(self.speeds)
        if self.layout in {"in turn", "in blocks"}:
            return self.clips * (fastest + self._gap) - self._gap + self._remote
        return 2 * fastest + _GAP if self.layout == "anyhow" else fastest

    def drawn(self, rng: np.random.Generator, num: int) -> DrawnVariants:
        """Kinds, places, turns and tiles for R = ``num`` videos."""
        half = num // 2 if self.in_twins else num
        again = np.arange(num) % max(half, 1) if self.in_twins else np.arange(num)
        kinds = self._picked(rng, num)[again]
        speeds = np.array([speed for speed, _ in self.kinds], np.float64)[kinds]
        offsets, relations = self._laid_out(rng, speeds, kinds, again)
        places = rng.random((num, self.clips if self.layout == "apart" else 1))
        fields = (np.broadcast_to(part, speeds.shape) for part in (places, speeds, np.float64(self.window), offsets))
        views = np.stack(list(fields), axis=2)
        kinds = np.tile(kinds, self.repeats)
        operations = self.operations_of(kinds)
        turns = rng.integers(4, size=kinds.shape) if self.is_turned else quarter_turns(rng, operations)
        truth = (kinds, turns[again], tile_orders(rng, operations)[again], relations, again)
        return DrawnVariants(np.tile(views, (1, self.repeats, 1)), Truth(*map(torch.from_numpy, truth)))

    def operations_of(self, kinds: Places) -> Names:
        """The operation of each clip, as ``kinds``."""
        return np.array([operation for _, operation in self.kinds])[kinds]

    @property
    def _gap(self) -> float:
        return _NEXT if self.layout == "in blocks" else _GAP

    @property
    def _remote(self) -> float:
        """Room for a remote clip, and what lies between it and the others."""
        return max(self.speeds) + _GAP if "remote" in self.operations else 0.0

    def _picked(self, rng: np.random.Generator, num: int) -> Places:
        """Kinds int64 (num, clips)."""
        count = len(self.kinds)
        if self.picks == "each":
            return np.tile(np.arange(self.clips), (num, 1))
        if self.picks == "different":
            return rng.random((num, count)).argsort(axis=1)[:, : self.clips]
        if self.picks == "middle":
            kinds = np.zeros((num, self.clips), np.int64)
            kinds[:, self.clips // 2] = rng.integers(count, size=num)
            return kinds
        return rng.integers(count, size=(num, self.clips))

    def _laid_out(
        self, rng: np.random.Generator, speeds: Floats, kinds: Places, again: Places
    ) -> tuple[Floats, Places]:
        """Offsets (R, clips) in the window, and relations (R,)."""
        num = len(speeds)
        none = np.zeros(num, np.int64)
        if self.layout in {"in turn", "in blocks"}:
            return self._in_turn(rng, speeds, kinds), none
        if self.layout != "anyhow":
            return np.zeros_like(speeds), none
        relations = rng.integers(len(RELATIONS), size=num)[again]
        shift, is_second = rng.random(num)[again], (rng.random(num) < 0.5)[again]
        behind = speeds[:, ::-1] + (shift * (self.window - speeds.sum(axis=1)))[:, None]  # the other, and what is left
        within = (0.5 * shift * speeds.min(axis=1))[:, None]
        is_later = np.stack([relations == 2, relations == 1], axis=1)
        is_moved = np.stack([~is_second, is_second], axis=1) & (relations == 0)[:, None]
        return np.where(is_later, behind, np.where(is_moved, within, 0.0)), relations

    def _in_turn(self, rng: np.random.Generator, speeds: Floats, kinds: Places) -> Floats:
        """Offsets (R, clips); a remote clip's room lies behind all others or before them."""
        offsets = np.cumsum(speeds + self._gap, axis=1) - speeds - self._gap
        if not self._remote:
            return offsets
        is_before = (rng.random(len(speeds)) < 0.5)[:, None]
        beyond = np.where(is_before, 0.0, self.window - speeds)
        return np.where(self.operations_of(kinds) == "remote", beyond, offsets + is_before * self._remote)
