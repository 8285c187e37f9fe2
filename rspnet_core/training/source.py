"""From the loader's samples to a run's batches, with the time that the run waited for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rspnet_core.training.schedule import Schedule
from rspnet_core.video.clips.loader import ClipLoader, Sample
from rspnet_core.video.reading.sandbox import DecodePool


@dataclass
class BatchSource:
    """``training.task.Batches`` of a loader."""

    loader: ClipLoader
    pool: DecodePool
    make_batch: Callable[[list[Sample]], Any]
    """Puts the samples of a step on the device, augmented."""
    schedule: Schedule
    waited_seconds: float = 0.0

    @property
    def paths(self) -> Sequence[str]:
        """The loader's."""
        return self.loader.paths

    @property
    def unreadable(self) -> Mapping[str, str]:
        """The loader's."""
        return self.loader.unreadable

    @property
    def steps_per_epoch(self) -> int:
        """The loader's."""
        return self.loader.steps_per_epoch

    def batches(self, first_step: int, num_steps: int) -> Iterator[tuple[Any, int]]:
        """Each batch with its number of videos, until the schedule is over."""
        for samples in self.loader.batches(self.pool, first_step, num_steps):
            self.waited_seconds += self.loader.waited_seconds
            self.loader.waited_seconds = 0.0
            if self.schedule.progress(samples[0].step) >= 1:
                return
            yield self.make_batch(samples), len(samples)
