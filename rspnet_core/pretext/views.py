"""Which clips a step sees, planned in the parent by index arithmetic, and the batch that is made of them on the device.

Of each of R videos, with the release's pairing: c_j and c_k are cut from one window with one draw, so that within them
speed alone differs, and c_i comes from another window with a draw of its own:

    anchor   c_i, at 1x or 2x, anywhere
    slow     from one window, at 1x         frame  0  2  4  6
    fast     the same window, at 2x         frame  0     4     8    12
    covered  slow again, with another draw, and a still picture of another video mixed in

and the rendered clips of P programs in a ring (``tasks.programs``). Everything is drawn from (seed, step) alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import Augmentation, Normalisation
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draws, draw_many
from rspnet_core.video.making.programs import (
    Chance,
    Looks,
    Programs,
    draw_chance,
    draw_looks,
    draw_programs,
    render,
    smooth_pictures,
)
from rspnet_core.video.store.frame_store import FrameStore

Indices = NDArray[np.int64]
SPEEDS = (1, 2)
_MOST_STILL = 0.5
"""A still picture covers a clip by at most so much."""
_STILL_PROBABILITY = 0.7
_PICTURES = 64
"""Textures and backgrounds of a step; half of them are frames of the videos."""


@dataclass(frozen=True, slots=True)
class ViewBatch:
    """Clips on the device, role after role, and what goes with them."""

    clips: Tensor
    """float32 (n, 3, T, H, W), normalised."""
    places: dict[str, slice]
    """Role -> its clips: ``anchor``, ``slow``, ``fast``, ``covered`` (R each) and ``rendered`` (2 P)."""
    video_ids: Tensor
    """int64 (R,)."""
    anchor_is_fast: Tensor
    """bool (R,)."""
    positive_is_fast: Tensor
    """bool (R,): the positive of instance discrimination is the fast clip."""
    has_speeds: Tensor
    """bool (R,): the video is long enough for both speeds without a frame seen twice."""
    progress: float
    """Part of the run that is over, 0 to 1."""


class _Planned(NamedTuple):
    """Places of frames int64 (R, T) by role, and what else was drawn of R videos."""

    frames: dict[str, Indices]
    stills: Indices
    videos: Indices
    still_videos: Indices
    anchor_is_fast: NDArray[np.bool_]
    has_speeds: NDArray[np.bool_]


@dataclass(frozen=True)
class ViewPlan:
    """Makes the batch of a step out of a store of frames."""

    store: FrameStore
    """On the device that trains."""
    frames_per_clip: int
    frame_step: int
    """At 1x."""
    clip_size: int
    augmentation: Augmentation
    num_videos: int
    """R."""
    num_programs: int
    """P; 0 renders none."""
    fps: float
    seed: int

    def batch(self, step: int, progress: float) -> ViewBatch:
        """The batch of a step, when a part (0 to 1) of the run is over."""
        rng = np.random.default_rng((self.seed, step))
        planned = self.plan(rng, step)
        device = self.store.frames.device
        clips = self._cut(planned, rng)
        places = {role: slice(n * self.num_videos, (n + 1) * self.num_videos) for n, role in enumerate(planned.frames)}
        if self.num_programs:
            places["rendered"] = slice(len(clips), len(clips) + 2 * self.num_programs)
            clips = torch.cat([clips, self._rendered(rng, progress)])
        return ViewBatch(
            clips=clips,
            places=places,
            video_ids=torch.from_numpy(planned.videos).to(device),
            anchor_is_fast=torch.from_numpy(planned.anchor_is_fast).to(device),
            positive_is_fast=torch.from_numpy(rng.random(self.num_videos) < 0.5).to(device),
            has_speeds=torch.from_numpy(planned.has_speeds).to(device),
            progress=progress,
        )

    def plan(self, rng: np.random.Generator, step: int) -> _Planned:
        """Draw videos, places and speeds of a step."""
        videos = self._videos_of(step)
        listed = self.store.index.videos
        lengths = np.array([listed[video].frames for video in videos])
        firsts = np.array([listed[video].first for video in videos])
        reach = (self.frames_per_clip - 1) * self.frame_step
        anchor_is_fast = rng.random(len(videos)) < 0.5
        steps = np.where(anchor_is_fast, SPEEDS[1], SPEEDS[0]) * self.frame_step
        window = _starts(rng, lengths, reach * SPEEDS[1])
        frames = {
            "anchor": self._indices(firsts, lengths, _starts(rng, lengths, (self.frames_per_clip - 1) * steps), steps),
            "slow": self._indices(firsts, lengths, window, np.full_like(steps, self.frame_step)),
            "fast": self._indices(firsts, lengths, window, np.full_like(steps, SPEEDS[1] * self.frame_step)),
        }
        frames["covered"] = frames["slow"]
        others = rng.integers(len(listed), size=len(videos))
        stills = np.array([listed[other].first + rng.integers(listed[other].frames) for other in others])
        return _Planned(frames, stills, videos, others, anchor_is_fast, lengths > reach * SPEEDS[1])

    def _videos_of(self, step: int) -> Indices:
        """Each video once an epoch, in an order that depends on the epoch; the last batch is filled from the next."""
        num = len(self.store.index.videos)
        places = np.arange(step * self.num_videos, (step + 1) * self.num_videos)
        epochs = (places // num).tolist()
        orders = {epoch: np.random.default_rng((self.seed, 7, epoch)).permutation(num) for epoch in set(epochs)}
        return np.array([orders[epoch][place] for epoch, place in zip(epochs, places % num, strict=True)], np.int64)

    def _indices(self, firsts: Indices, lengths: Indices, starts: Indices, steps: Indices) -> Indices:
        """Of one clip a video, (R, T); a video that is shorter is looped."""
        within: Indices = starts[:, None] + steps[:, None] * np.arange(self.frames_per_clip)
        places: Indices = firsts[:, None] + within % lengths[:, None]
        return places

    def _cut(self, planned: _Planned, rng: np.random.Generator) -> Tensor:
        """The clips of all roles, (4 R, 3, T, size, size), normalised."""
        aspects = np.array([self.store.index.videos[video].aspect for video in planned.videos])
        still_aspects = np.array([self.store.index.videos[video].aspect for video in planned.still_videos])
        own, shared, covering = (draw_many(rng, self.augmentation, aspects) for _ in range(3))
        stills = self._augmented(planned.stills[:, None], draw_many(rng, self.augmentation, still_aspects))
        draws = Draws(*(torch.cat(parts) for parts in zip(own, shared, shared, covering, strict=True)))
        clips = self._augmented(np.concatenate(list(planned.frames.values())), draws)
        covers = rng.random(self.num_videos) < _STILL_PROBABILITY
        weights = torch.from_numpy(np.where(covers, rng.uniform(0, _MOST_STILL, self.num_videos), 0.0))
        clips[-self.num_videos :].lerp_(
            stills.expand(-1, -1, self.frames_per_clip, -1, -1), weights.to(clips).view(-1, 1, 1, 1, 1)
        )
        return clips

    def _augmented(self, indices: Indices, draws: Draws) -> Tensor:
        return augment.apply(self.store.clips(indices), draws, self.clip_size, Normalisation())

    def _rendered(self, rng: np.random.Generator, progress: float) -> Tensor:
        """Clips (2 P, 3, T, size, size) of the ring, coloured and normalised; the harder, the later in the run."""
        device = self.store.frames.device
        drawn = torch.Generator().manual_seed(int(rng.integers(2**62)))
        num_clips = 2 * self.num_programs
        clip = torch.arange(num_clips)
        program, look = clip // 2, ((clip + 1) // 2) % self.num_programs
        programs = _taken(draw_programs(self.num_programs, drawn), program, device)
        looks = _taken(draw_looks(self.num_programs, _PICTURES, drawn), look, device)
        chance = _taken(draw_chance(num_clips, drawn, min(1.0, 0.3 + progress)), clip, device)
        frames = rng.integers(len(self.store.frames), size=_PICTURES // 2)
        side = self.store.index.side
        found = self.store.clips(frames[:, None])[:, 0].permute(0, 3, 1, 2).float() / 255
        pictures = torch.cat([found, smooth_pictures(_PICTURES - len(found), side, drawn, device)])
        times = torch.arange(self.frames_per_clip, device=device) * (self.frame_step / self.fps)
        clips = _renderer(device)(Programs(*programs), Looks(*looks), Chance(*chance), times, pictures, self.clip_size)
        colours = draw_many(rng, self.augmentation, np.ones(num_clips))
        whole = torch.zeros(num_clips), torch.zeros(num_clips), torch.ones(num_clips), torch.ones(num_clips)
        return augment.coloured(clips, Draws(*whole, *colours[4:]), Normalisation())


@cache
def _renderer(device: torch.device) -> Callable[..., Tensor]:
    """On a GPU compiled: dozens of passes over the pixels of each part become one."""
    return torch.compile(render, dynamic=False) if device.type == "cuda" else render


def _starts(rng: np.random.Generator, lengths: Indices, reach: Indices | int) -> Indices:
    """A first frame a video from which ``reach`` more frames are there; 0 where the video is too short."""
    starts: Indices = rng.integers(np.maximum(lengths - reach, 1))
    return starts


def _taken(drawn: tuple[Tensor, ...], places: Tensor, device: torch.device) -> list[Tensor]:
    return [part[places].to(device, non_blocking=True) for part in drawn]
