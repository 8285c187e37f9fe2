"""Batches out of a folder of videos, whose clips are decoded ahead by child processes.

ViewPlan --places and speeds--> decoders --uint8 clips--> BatchMaker, on the device --> ViewBatch
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from rspnet_core.config import ViewSampling
from rspnet_core.models import TwoHeadModel
from rspnet_core.pretext.batches import BatchMaker, Feed, SeenVideos
from rspnet_core.pretext.view_recipe import ViewRecipe
from rspnet_core.pretext.views import Drawn, ViewBatch, ViewPlan
from rspnet_core.recognition.retrieval import RetrievalPlan, retrieval_judge
from rspnet_core.training.decoding import DecodingSession
from rspnet_core.training.schedule import Schedule
from rspnet_core.training.source import BatchSource
from rspnet_core.training.task import Judgement, no_judgement
from rspnet_core.video.clips.loader import Ask, Sample, Wanted
from rspnet_core.video.datasets.listed import listed_videos
from rspnet_core.video.reading.decode import RandomClips
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.sampling import View


def folder_feed(
    session: DecodingSession,
    data: Path,
    list_files: list[Path],
    recipe: ViewRecipe,
    retrieval: RetrievalPlan | None = None,
) -> Feed:
    """Of the videos of a folder that are listed, or of all.

    Raises DatasetError where there are fewer than a batch, InvalidSetting where processes cannot share a batch.
    """
    ask = ask_for_views(recipe.view_plan(), recipe.sampling)
    loader = session.loader(data, listed_videos(data, list_files, session.note), ask)

    def source(maker: BatchMaker, schedule: Schedule) -> BatchSource:
        to_device = partial(make_batch, maker=maker, schedule=schedule, device=session.fabric.device)
        return session.source(loader, to_device, schedule)

    def judge(model: TwoHeadModel) -> Callable[[int], Judgement]:
        if retrieval is None:
            return no_judgement
        return retrieval_judge(retrieval, model, recipe.embedding_geometry, session.fabric, session.pool)

    return Feed(loader.steps_per_epoch, source, judge)


def ask_for_views(plan: ViewPlan, sampling: ViewSampling) -> Ask:
    """Asks for the clips that a plan draws."""
    return partial(_ask, sampling, lru_cache(maxsize=8)(plan.drawn))


def _ask(
    sampling: ViewSampling, drawn: Callable[[int], Drawn], pool: DecodePool, wanted: Wanted
) -> "Future[RandomClips]":
    views = [View(*view) for view in drawn(wanted.step).views[wanted.row].tolist()]
    return pool.views(wanted.path, sampling, views)


def seen_videos(samples: Sequence[Sample], device: torch.device) -> SeenVideos:
    """What the loader read of a step, on the device."""
    frames = torch.from_numpy(np.stack([sample.clips.frames for sample in samples], axis=1))  # (C, n, T, S, S, 3)
    return SeenVideos(
        step=samples[0].step,
        rows=np.array([sample.row for sample in samples]),
        frames=frames.to(device, non_blocking=True),
        aspects=np.array([sample.clips.aspect for sample in samples]),
        has_speeds=np.array([sample.clips.advances for sample in samples]),
        video_ids=np.array([sample.video_id for sample in samples]),
    )


def make_batch(samples: Sequence[Sample], maker: BatchMaker, schedule: Schedule, device: torch.device) -> ViewBatch:
    """The batch of what the loader read of a step."""
    return maker.batch(seen_videos(samples, device), schedule.progress(samples[0].step))
