"""Batches of random clips, decoded ahead by child processes, the same whatever the number of processes or restarts.

All randomness of a sample comes from (seed, epoch, video), and the order of an epoch from (seed, epoch): step n of a
run has the same clips when it is reached without a break, after a restart, or by several processes together.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rspnet_core.ahead import asked_ahead
from rspnet_core.errors import DatasetError, VideoError
from rspnet_core.video.clips.batch_part import BatchPart
from rspnet_core.video.reading.decode import RandomClips
from rspnet_core.video.reading.sandbox import DecodePool

_BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """Clips of one video, and the generator seed of what is still to be drawn for them."""

    clips: RandomClips
    video_id: int
    """Place of the video in the list of files."""
    draw_seed: tuple[int, ...]
    step: int
    row: int
    """Place of the video in the batch of its step, of all processes together."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A video of a batch that is to come."""

    path: Path
    seed: tuple[int, ...]
    """Of (seed, epoch, video)."""
    step: int
    row: int


Ask = Callable[[DecodePool, Wanted], "Future[RandomClips]"]
"""Asks the pool for the clips of a video; the same each time it is asked."""


@dataclass
class ClipLoader:
    """Makes the batches of steps 0, 1, 2, ... of a run. Use ``batches`` within the pool's context."""

    folder: Path
    paths: list[str]
    """Of the videos, relative to the folder."""
    ask: Ask
    batch_size: int
    """Videos a step, of all processes together; an epoch's last, incomplete batch is left out."""
    seed: int
    part: BatchPart = field(default_factory=BatchPart)
    max_unreadable: float = 0.01
    """Part of the videos that may turn out unreadable before the run stops."""
    on_unreadable: Callable[[str, str], None] = lambda path, reason: None
    """Told the path and the reason, once a video."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Path -> reason. Such a video is missing from its batch; nothing takes its place."""
    waited_seconds: float = 0.0
    """How long ``batches`` had to wait for decoding so far."""

    def __post_init__(self) -> None:
        """Raise DatasetError when there is not one whole batch, InvalidSetting when it has no equal parts."""
        self.part.rows(self.batch_size)
        if len(self.paths) < self.batch_size:
            raise DatasetError(
                f"{len(self.paths)} videos in {self.folder} are fewer than one batch of {self.batch_size}; "
                "give more videos or a smaller batch_size"
            )

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in an epoch."""
        return len(self.paths) // self.batch_size

    def batches(self, pool: DecodePool, first_step: int, num_steps: int) -> Iterator[list[Sample]]:
        """The batches of ``num_steps`` steps from ``first_step``. Raises DatasetError above ``max_unreadable``."""
        steps = range(first_step, first_step + num_steps)
        for _, asked in asked_ahead(steps, partial(self._ask, pool), _BATCHES_AHEAD):
            yield self._take(asked)

    def _ask(self, pool: DecodePool, step: int) -> list[tuple[Wanted, "Future[RandomClips]"]]:
        epoch, place = divmod(step, self.steps_per_epoch)
        order = self._order(epoch)[place * self.batch_size :].tolist()
        wanted = [
            Wanted(self.folder / self.paths[order[row]], (self.seed, epoch, order[row]), step, row)
            for row in self.part.rows(self.batch_size)
        ]
        return [(each, self.ask(pool, each)) for each in wanted]

    def _order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.paths))

    def _take(self, asked: list[tuple[Wanted, "Future[RandomClips]"]]) -> list[Sample]:
        samples = []
        started = time.perf_counter()
        for wanted, future in asked:
            video = wanted.seed[-1]
            try:
                samples.append(Sample(future.result(), video, (*wanted.seed, 1), wanted.step, wanted.row))
            except VideoError as error:
                self._skip(self.paths[video], str(error))
        self.waited_seconds += time.perf_counter() - started
        if not samples:
            raise DatasetError(
                f"no video of a batch can be read, such as {self.paths[asked[0][0].seed[-1]]}; check the files"
            )
        return samples

    def _skip(self, path: str, reason: str) -> None:
        if path in self.unreadable:
            return
        self.unreadable[path] = reason
        self.on_unreadable(path, reason)
        allowed = self.max_unreadable * len(self.paths)
        if len(self.unreadable) > allowed:
            raise DatasetError(
                f"{len(self.unreadable)} of {len(self.paths)} videos cannot be read, such as {path} ({reason}); "
                f"{self.max_unreadable:.1%} are allowed: mend or remove them, or raise --max-unreadable"
            )
