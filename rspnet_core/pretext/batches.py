"""From the frames of a step's videos to its batch on the device: cut, augmented, covered, and rendered motion beside.

Where the frames come from, a folder's decoders or a store, is told by ``folder.py`` and ``store.py``: a ``Feed``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import Normalisation
from rspnet_core.models import TwoHeadModel
from rspnet_core.pretext.operations import permute_tiles, reordered, turn
from rspnet_core.pretext.rendered import Renderer
from rspnet_core.pretext.variants import Truth
from rspnet_core.pretext.views import SEEN, Covers, Drawn, ViewBatch, ViewPlan
from rspnet_core.training.schedule import Schedule
from rspnet_core.training.task import Batches, Judgement, no_judgement
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draws

Apply = Callable[[Tensor, Draws, int, Normalisation], Tensor]
"""Carries out draws on uint8 clips, as ``augment.apply`` does."""


@dataclass(frozen=True)
class SeenVideos:
    """What was read of the videos of a step."""

    step: int
    rows: NDArray[np.int64]
    """int64 (n,): which of the plan's R videos; some may be unreadable, or another process's."""
    frames: Tensor
    """uint8 (C, n, T, S, S, 3) on the device, clips in the order of ``Drawn.views``: whole frames, squashed."""
    aspects: NDArray[np.float64]
    """(n,): width by height of the frames before they were squashed."""
    has_speeds: NDArray[np.bool_]
    """(n,)."""
    video_ids: NDArray[np.int64]
    """(n,)."""


@dataclass(frozen=True)
class BatchMaker:
    """Makes the batch of a step."""

    plan: ViewPlan
    clip_size: int
    renderer: Renderer | None = None
    """None renders nothing."""
    apply: Apply = augment.apply

    def batch(self, seen: SeenVideos, progress: float) -> ViewBatch:
        """The batch of what was read, when a part (0 to 1) of the run is over."""
        drawn, device, num = self.plan.drawn(seen.step), seen.frames.device, len(seen.rows)
        covers, places = self.plan.covers, _places(self.plan.clips_of_roles, num)
        truths = {role: Truth(*(part[seen.rows] for part in truth)) for role, truth in drawn.truths.items()}
        frames = self._frames(seen, drawn)
        draws = self.plan.draws(seen.step, seen.rows, seen.aspects)
        clips = self.apply(frames, draws, self.clip_size, Normalisation())
        if covers:
            _cover(clips, places, drawn, seen.rows, covers)
        for role, truth in truths.items():
            own = clips[places[role]]
            if truth.turns.any():
                turn(own, truth.turns.T.flatten().to(device))
            if "permuted" in self.plan.variants[role].operations:
                permute_tiles(own, truth.tiles.transpose(0, 1).flatten(0, 1).to(device))
        if self.renderer:
            places["rendered"] = slice(len(clips), len(clips) + self.renderer.num_clips)
            rng = np.random.default_rng((self.plan.seed, seen.step, 2))
            clips = torch.cat([clips, self.renderer.clips(rng, frames.flatten(0, 1), progress)])

        def here(values: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(values[seen.rows]).to(device)

        return ViewBatch(
            clips=clips,
            places=places,
            video_ids=torch.from_numpy(seen.video_ids).to(device),
            speed_places=here(drawn.speed_places),
            anchor_is_fast=here(drawn.anchor_is_fast),
            positive_is_fast=here(drawn.positive_is_fast),
            has_speeds=torch.from_numpy(seen.has_speeds).to(device),
            progress=progress,
            truths={role: Truth(*(part.to(device) for part in truth)) for role, truth in truths.items()},
        )

    def _frames(self, seen: SeenVideos, drawn: Drawn) -> Tensor:
        """The frames of all clips, role after role: read, again for those that a still will cover, and reordered."""
        read = list(seen.frames)
        triplet, others = read[: len(self.plan.seen)], read[len(self.plan.seen) :]
        if self.plan.covers:
            triplet.append(triplet[SEEN.index("slow")])
        for role, variants in self.plan.variants.items():
            own, others = others[: variants.num_clips], others[variants.num_clips :]
            orders = self.plan.frame_orders(seen.step, role, drawn.truths[role], seen.frames.shape[2])[seen.rows]
            triplet += [reordered(clip, orders[:, place]) for place, clip in enumerate(own)]
        return torch.cat(triplet)


@dataclass(frozen=True)
class Feed:
    """Where the batches of a run come from."""

    steps_per_epoch: int
    source: Callable[[BatchMaker, Schedule], Batches]
    judge: Callable[[TwoHeadModel], Callable[[int], Judgement]] = lambda model: no_judgement
    """What is found out about an encoder after each epoch."""


def _places(clips_of_roles: Mapping[str, int], num: int) -> dict[str, slice]:
    ends = np.cumsum([0, *clips_of_roles.values()]) * num
    return {role: slice(int(a), int(b)) for role, a, b in zip(clips_of_roles, ends, ends[1:], strict=False)}


def _cover(clips: Tensor, places: dict[str, slice], drawn: Drawn, rows: NDArray[np.int64], covers: Covers) -> None:
    """Mix a frame of the clip itself, or of the anchor of the next video, into all frames of each covered clip."""
    covered = clips[places["covered"]]
    source = covered if covers == "same" else clips[places["anchor"]].roll(-1, dims=0)
    num, _, frames_per_clip, _, _ = covered.shape
    which = torch.from_numpy((drawn.still_places[rows] * frames_per_clip).astype(np.int64)).to(clips.device)
    stills = source[torch.arange(num, device=clips.device), :, which][:, :, None]
    weights = torch.from_numpy(drawn.still_weights[rows]).to(clips)
    covered.lerp_(stills.expand_as(covered), weights.view(-1, 1, 1, 1, 1))
