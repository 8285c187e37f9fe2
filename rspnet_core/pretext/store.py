"""Batches out of a store of frames: nothing is decoded, and nothing waited for where the device holds all frames."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rspnet_core.ahead import asked_ahead
from rspnet_core.config import ViewSampling
from rspnet_core.errors import DatasetError
from rspnet_core.pretext.batches import BatchMaker, Feed, SeenVideos
from rspnet_core.pretext.view_recipe import ViewRecipe
from rspnet_core.pretext.views import ViewBatch
from rspnet_core.training.schedule import Schedule
from rspnet_core.training.session import Session
from rspnet_core.video.clips.batch_part import BatchPart
from rspnet_core.video.sampling import view_positions, windows_fit
from rspnet_core.video.store.frame_store import FrameStore, open_store


@dataclass(frozen=True)
class StoreReader:
    """Cuts the clips of a step by index."""

    store: FrameStore
    """Whose clips are on the device that trains."""
    sampling: ViewSampling
    """``fps`` and ``frame_size`` are the store's own."""
    maker: BatchMaker
    part: BatchPart = field(default_factory=BatchPart)
    """Which of a step's videos are cut here."""

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places of these videos in the plan's batch, int64 (n,). Raises InvalidSetting as ``BatchPart.rows`` does."""
        return np.array(self.part.rows(self.maker.plan.num_videos), np.int64)

    def batch(self, step: int, progress: float) -> ViewBatch:
        """The batch of a step, when a part (0 to 1) of the run is over."""
        return self.maker.batch(self.seen(step), progress)

    def seen(self, step: int) -> SeenVideos:
        """The frames of a step's videos."""
        videos = self._videos_of(step)
        indices = self.indices(step)
        listed = self.store.index.videos
        num, clips, frames_per_clip = indices.shape
        frames = self.store.clips(indices.swapaxes(0, 1).reshape(-1, frames_per_clip))
        return SeenVideos(
            step=step,
            rows=self.rows,
            frames=frames.view(clips, num, *frames.shape[1:]),
            aspects=np.array([listed[video].aspect for video in videos]),
            has_speeds=self._fits(step) & np.all(np.diff(indices, axis=2) > 0, axis=(1, 2)),
            video_ids=videos,
        )

    def indices(self, step: int) -> NDArray[np.int64]:
        """Places among the store's frames, int64 (n, C, T)."""
        videos = [self.store.index.videos[video] for video in self._videos_of(step)]
        lengths = np.array([video.frames for video in videos])[:, None]
        firsts = np.array([video.first for video in videos])[:, None, None]
        sampling, views = self.sampling, self.maker.plan.drawn(step).views[self.rows]
        positions = view_positions(
            lengths, views, sampling.frames_per_clip, step=sampling.frame_step, stretches=sampling.stretches
        )
        indices: NDArray[np.int64] = firsts + positions.astype(np.int64)
        return indices

    def _fits(self, step: int) -> NDArray[np.bool_]:
        """Bool (n,): a video is long enough for all of its clips."""
        lengths = np.array([self.store.index.videos[video].frames for video in self._videos_of(step)])
        views, sampling = self.maker.plan.drawn(step).views[self.rows], self.sampling
        fits = windows_fit(lengths[:, None], views, sampling.frames_per_clip, step=sampling.frame_step)
        return np.asarray(fits.all(axis=1))

    def _videos_of(self, step: int) -> NDArray[np.int64]:
        """Each video once an epoch, in an order that depends on the epoch; the last batch is filled from the next."""
        num, plan = len(self.store.index.videos), self.maker.plan
        places = step * plan.num_videos + self.rows
        epochs = (places // num).tolist()
        orders = {epoch: np.random.default_rng((plan.seed, 7, epoch)).permutation(num) for epoch in set(epochs)}
        return np.array([orders[epoch][place] for epoch, place in zip(epochs, places % num, strict=True)], np.int64)


@dataclass
class StoreSource:
    """``training.task.Batches`` of a store."""

    reader: StoreReader
    schedule: Schedule
    waited_seconds: float = 0.0
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> Sequence[str]:
        """The videos of the store."""
        return self.reader.store.paths

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which each video is seen about once."""
        return _steps_per_epoch(self.reader.store, self.reader.maker.plan.num_videos)

    def batches(self, first_step: int, num_steps: int) -> Iterator[tuple[Any, int]]:
        """Each batch with its number of videos, until the schedule is over."""
        for seen in self._seen(range(first_step, first_step + num_steps)):
            progress = self.schedule.progress(seen.step)
            if progress >= 1:
                return
            yield self.reader.maker.batch(seen, progress), len(self.reader.rows)

    def _seen(self, steps: range) -> Iterator[SeenVideos]:
        """The frames of steps; where they are copied to the device, those of the next step meanwhile."""
        if self.reader.store.copied_to is None:
            yield from map(self.reader.seen, steps)
            return
        with ThreadPoolExecutor(1) as executor:
            for _, reading in asked_ahead(steps, lambda step: executor.submit(self.reader.seen, step), 1):
                began = time.perf_counter()
                seen = reading.result()
                self.waited_seconds += time.perf_counter() - began
                yield seen


def store_feed(session: Session, folder: Path, recipe: ViewRecipe) -> Feed:
    """Of a store that ``rspnet-train cache`` wrote; each process holds all of it, or copies what its GPU cannot hold.

    Raises DatasetError where it is damaged, or does not fit, InvalidSetting where processes cannot share a batch.
    """
    fabric = session.fabric
    part = BatchPart(fabric.global_rank, fabric.world_size)
    part.rows(recipe.batch_size)
    with fabric.rank_zero_first(local=True):  # which decodes the frames where nobody has yet
        store = open_store(folder)
    _check(store, recipe, folder)
    on_device = store.on(fabric.device)
    if on_device.copied_to:
        session.note(
            f"the store's frames take {store.frames.numel() / 1e9:.1f} GB, too much for {fabric.device}: they stay on "
            "the disk, and each batch is copied; a smaller --side or --fps of `rspnet-train cache` may fit"
        )

    def source(maker: BatchMaker, schedule: Schedule) -> StoreSource:
        return StoreSource(StoreReader(on_device, recipe.sampling, maker, part), schedule)

    return Feed(_steps_per_epoch(store, recipe.batch_size), source)


def _steps_per_epoch(store: FrameStore, batch_size: int) -> int:
    return -(-len(store.index.videos) // batch_size)


def _check(store: FrameStore, recipe: ViewRecipe, folder: Path) -> None:
    if store.index.fps != recipe.fps:
        held, wanted = (fps or "as recorded" for fps in (store.index.fps, recipe.fps))
        raise DatasetError(
            f"frames a second: {folder} holds {held}, the recipe wants {wanted}; "
            "write the store anew with --fps, or give --set fps=..."
        )
    if len(store.index.videos) < recipe.batch_size:
        raise DatasetError(
            f"{len(store.index.videos)} videos in {folder} are fewer than one batch of {recipe.batch_size}; "
            "give more videos or a smaller batch_size"
        )
    longest = max(video.frames for video in store.index.videos)
    reach = (recipe.frames_per_clip - 1) * recipe.frame_step
    for name, variants in recipe.view_plan().variants.items():
        if longest <= (needed := math.ceil(variants.window * reach)):
            raise DatasetError(
                f"{name} needs videos of more than {needed} frames, the longest of {folder} has {longest}; "
                "set a smaller frame_step or frames_per_clip, or lower speeds"
            )
    if recipe.slowest * recipe.frame_step < 1:
        raise DatasetError(
            f"speed {recipe.slowest:g} x frame_step {recipe.frame_step} is below one frame of {folder}; "
            "set a larger frame_step, or write the store anew with more --fps"
        )
