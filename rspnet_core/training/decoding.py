"""A run whose clips are decoded while it trains: a session that holds the decoders.

with decoding_session(OUT, recipe, ...) as session:
    loader = session.loader(DATA, paths, ask)
    return session.train(Training(task, session.source(loader, make_batch, schedule), ...))
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rspnet_core.training.fabric import default_workers
from rspnet_core.training.listener import Listener
from rspnet_core.training.recipe import TrainRecipe
from rspnet_core.training.schedule import Schedule
from rspnet_core.training.session import Session, open_session
from rspnet_core.training.source import BatchSource
from rspnet_core.video.clips.batch_part import BatchPart
from rspnet_core.video.clips.loader import Ask, ClipLoader, Sample
from rspnet_core.video.reading.sandbox import DecodePool


@dataclass(frozen=True)
class DecodingSession(Session):
    """See ``decoding_session``."""

    pool: DecodePool
    max_unreadable: float

    def loader(self, data: Path, paths: list[str], ask: Ask) -> ClipLoader:
        """Of this process's part of the batches, whose clips ``ask`` asks for; raises as ``ClipLoader`` does."""
        recipe, part = self.recipe, BatchPart(self.fabric.global_rank, self.fabric.world_size)
        told = self.listener.unreadable
        return ClipLoader(data, paths, ask, recipe.batch_size, recipe.seed, part, self.max_unreadable, told)

    def source(self, loader: ClipLoader, make_batch: Callable[[list[Sample]], Any], schedule: Schedule) -> BatchSource:
        """The loader's batches, which ``make_batch`` puts on the device, augmented, as the task takes them."""
        return BatchSource(loader, self.pool, make_batch, schedule)


@contextmanager
def decoding_session(
    out: Path,
    recipe: TrainRecipe,
    *,
    resume: bool,
    device: str,
    workers: int | None,
    max_unreadable: float,
    listener: Listener | None,
) -> Iterator[DecodingSession]:
    """Open a session, and hold the decoders until the run is over; raises as ``open_session`` does.

    Args:
        out: the run's folder.
        recipe: all settings of the run.
        resume: go on from the folder's last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: decoding processes; None is one on a CPU, and one a core but one on a GPU.
        max_unreadable: part of the videos that may be unreadable, 0 to 1.
        listener: told how it goes; None tells nobody.
    """
    opened = open_session(out, recipe, resume=resume, device=device, listener=listener)
    with DecodePool(workers or default_workers(opened.fabric)) as pool:
        yield DecodingSession(**vars(opened), pool=pool, max_unreadable=max_unreadable)
