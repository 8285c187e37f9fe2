"""Which clips a step sees: all that is drawn, for a folder of videos as for a store of frames.

Of each of R videos, two speeds, three clips, and who plays which part:

    anchor   c_i, at one of the two speeds
    slow     at the lower speed       one of these is c_j, which plays as fast as c_i, the other is c_k
    fast     at the higher speed
    covered  slow again, with another draw, and a still picture mixed in; only where it is asked for

and, where tasks want them, clips of other kinds (``variants.py``), a role for each such task.

With the pairing of the authors' release slow and fast are cut from one window with one draw, so that speed alone
differs between them; independently, each clip has a place and a draw of its own (the paper):

    release      slow    frame  0  2  4  6               independent   slow         3  5  7  9
                 fast    frame  0     4     8    12                    fast   1     5     9     13

Everything is drawn from (seed, step) alone, before it is known how long the videos are: a place is a part of where a
clip may start (``video.sampling.View``).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import Augmentation
from rspnet_core.pretext.operations import frame_orders
from rspnet_core.pretext.variants import DrawnVariants, Truth, Variants
from rspnet_core.video.clips.draws import Draws, draw_many

Pairing = Literal["release", "independent"]
Covers = Literal["other", "same"]
"""Whose still covers a clip: that of another video, or of its own (BE)."""
SEEN = ("anchor", "slow", "fast")
"""The clips that are read of a video, in this order."""
_MOST_STILL = 0.5
"""A still picture covers a clip by at most so much."""
_STILL_PROBABILITY = 0.7


@dataclass(frozen=True, slots=True)
class ViewBatch:
    """Clips on the device, role after role, and what goes with them."""

    clips: Tensor
    """float32 (n, 3, T, H, W), normalised."""
    places: dict[str, slice]
    """Role -> its clips: ``anchor``, ``slow``, ``fast``, ``covered`` (R each), those of each task's variants (K x R,
    the first of all videos before the second) and ``rendered`` (2 P)."""
    video_ids: Tensor
    """int64 (R,)."""
    speed_places: Tensor
    """int64 (R, 2): places in the recipe's ``speeds`` of those of ``slow`` and ``fast``."""
    anchor_is_fast: Tensor
    """bool (R,): c_j, which plays as fast as c_i, is the fast clip."""
    positive_is_fast: Tensor
    """bool (R,): the positive of instance discrimination is the fast clip."""
    has_speeds: Tensor
    """bool (R,): no clip shows a frame twice, as those of a video do that is too short for its speeds."""
    progress: float
    """Part of the run that is over, 0 to 1."""
    truths: Mapping[str, Truth] = field(default_factory=dict)
    """Role of a task's variants -> what was done to them."""

    def of(self, role: str) -> Tensor:
        """The clips of a role."""
        return self.clips[self.places[role]]

    @property
    def anchor_speeds(self) -> Tensor:
        """int64 (R,): places of the speeds s_i in the recipe's ``speeds``."""
        return self.speed_places.gather(1, self.anchor_is_fast.long()[:, None])[:, 0]


class Drawn(NamedTuple):
    """What was drawn for R videos."""

    views: NDArray[np.float64]
    """(R, C, 4): fields of ``View`` for each clip that is read, ``SEEN`` before the tasks' variants."""
    speed_places: NDArray[np.int64]
    """(R, 2)."""
    anchor_is_fast: NDArray[np.bool_]
    positive_is_fast: NDArray[np.bool_]
    still_weights: NDArray[np.float64]
    """(R,): how much of ``covered`` is the still."""
    still_places: NDArray[np.float64]
    """(R,): 0 to below 1, the still among the frames of its clip."""
    truths: dict[str, Truth]


@dataclass(frozen=True)
class ViewPlan:
    """Draws what each step sees."""

    num_videos: int
    """R."""
    speeds: tuple[float, ...]
    pairing: Pairing
    augmentation: Augmentation
    seed: int
    covers: Covers | None = None
    """None makes no covered clips."""
    variants: Mapping[str, Variants] = field(default_factory=dict)
    """Role -> clips that a task wants."""
    has_triplet: bool = True
    """False reads none of ``SEEN``: no task looks at them."""

    @property
    def seen(self) -> tuple[str, ...]:
        """Those of ``SEEN`` that are read."""
        return SEEN if self.has_triplet else ()

    @property
    def clips_of_roles(self) -> dict[str, int]:
        """Role -> its clips of each video, in the order of a batch."""
        own = (*self.seen, *(["covered"] if self.covers else []))
        return dict.fromkeys(own, 1) | {role: variants.num_clips for role, variants in self.variants.items()}

    def drawn(self, step: int) -> Drawn:
        """Places and speeds of a step."""
        rng = np.random.default_rng((self.seed, step))
        num = self.num_videos
        pairs = np.argsort(rng.random((num, len(self.speeds))), axis=1)[:, :2]
        slow_first = np.array(self.speeds)[pairs].argsort(axis=1)
        pairs = np.take_along_axis(pairs, slow_first, axis=1)
        slow, fast = np.array(self.speeds, np.float64)[pairs].T
        anchor_is_fast, positive_is_fast = rng.random((2, num)) < 0.5
        own = np.where(anchor_is_fast, fast, slow)
        places = rng.random((3, num))
        if self.pairing == "release":
            triplet = [(places[0], own, own), (places[1], slow, fast), (places[1], fast, fast)]
        else:
            triplet = [(places[0], own, own), (places[1], slow, slow), (places[2], fast, fast)]
        covers = rng.random(num) < _STILL_PROBABILITY
        weights = np.where(covers, rng.uniform(0, _MOST_STILL, num), 0.0)
        still_places = rng.random(num)
        views = np.zeros((num, len(SEEN), 4))
        views[..., :3] = np.array(triplet).transpose(2, 0, 1)
        others = {role: self._varied(step, role) for role in self.variants}
        views = np.concatenate([views[:, : len(self.seen)], *(each.views for each in others.values())], axis=1)
        truths = {role: each.truth for role, each in others.items()}
        return Drawn(views, pairs, anchor_is_fast, positive_is_fast, weights, still_places, truths)

    def _varied(self, step: int, role: str) -> DrawnVariants:
        return self.variants[role].drawn(self._generator(step, 3, role), self.num_videos)

    def _generator(self, step: int, purpose: int, role: str) -> np.random.Generator:
        """By the role's name, so that what is drawn for one task hangs on no other."""
        return np.random.default_rng((self.seed, step, purpose, zlib.crc32(role.encode())))

    def frame_orders(self, step: int, role: str, truth: Truth, frames_per_clip: int) -> NDArray[np.int64]:
        """Which frame of its clip is shown n-th in the variants of a role: int64 (R, K, T)."""
        rng = self._generator(step, 4, role)
        return frame_orders(rng, self.variants[role].operations_of(truth.kinds.numpy()), frames_per_clip)

    def draws(self, step: int, rows: NDArray[np.int64], aspects: NDArray[np.float64]) -> Draws:
        """How the clips of some videos of a step are augmented, role after role.

        Args:
            step: of the run.
            rows: which of the R videos, int64 (n,).
            aspects: float64 (n,) of their frames.
        """
        rng = np.random.default_rng((self.seed, step, 1))
        of_all = np.ones(self.num_videos)
        of_all[rows] = aspects  # a draw takes as many numbers whatever the aspect: that of a video hangs on no other
        own, second, third, covering = (draw_many(rng, self.augmentation, of_all) for _ in range(4))
        roles = [own, second, second if self.pairing == "release" else third, covering]
        used = (roles if self.covers else roles[:3]) if self.has_triplet else []
        for role, variants in self.variants.items():
            rng, num = self._generator(step, 5, role), variants.num_clips
            shared = draw_many(rng, self.augmentation, of_all)
            is_shared = variants.layout == "together"
            drawn = [shared if is_shared else draw_many(rng, self.augmentation, of_all) for _ in range(num)]
            used += [shared.coloured_as(each) for each in drawn] if variants.layout == "in blocks" else drawn
        return Draws(*(torch.cat([part[rows] for part in parts]) for parts in zip(*used, strict=True)))
