"""Retrieval on a labelled split while an encoder is in training (section 4.3's protocol, by the backbone alone)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.models import EncoderModel
from rspnet_core.recognition.frozen import video_vector
from rspnet_core.recognition.labelled import LabelledVideos, labelled_videos
from rspnet_core.training.task import Judgement
from rspnet_core.video.clips.video_rows import video_rows
from rspnet_core.video.reading.sandbox import DecodePool


def first_hit_ranks(
    model: EncoderModel,
    videos: LabelledVideos,
    geometry: ClipGeometry,
    pool: DecodePool,
    normalisation: Normalisation | None = None,
) -> dict[str, int | None]:
    """For each test video, by path, the rank (from 1) of the nearest train video of its class; None without any.

    Unreadable videos are left out. The model is put back into training mode if that is where it was.
    """
    vector = video_vector(model, normalisation or Normalisation(), "max-mean")
    was_training = model.training
    model.eval()
    gallery, queries = (
        video_rows(videos.folder, [file.path for file in side], geometry, pool, vector)[0]
        for side in (videos.train, videos.test)
    )
    model.train(was_training)
    label_of = {file.path: file.label for file in (*videos.train, *videos.test)}
    labels = np.array([label_of[path] for path in sorted(gallery)])
    vectors = np.stack([gallery[path] for path in sorted(gallery)])
    ranks: dict[str, int | None] = {}
    for path, query in queries.items():
        hits = labels[np.argsort(-vectors @ query, kind="stable")] == label_of[path]
        ranks[path] = int(hits.argmax()) + 1 if hits.any() else None
    return ranks


def part_within(ranks: Iterable[int | None], k: int) -> float:
    """Top-k accuracy: the part (0 to 1) of the queries whose first hit is among the k nearest."""
    found = [rank is not None and rank <= k for rank in ranks]
    return sum(found) / len(found)


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """Labelled videos, and how often retrieval is measured on them."""

    data: Path
    every_epochs: int


def retrieval_judge(
    plan: RetrievalPlan, model: EncoderModel, geometry: ClipGeometry, fabric: Fabric, pool: DecodePool
) -> Callable[[int], Judgement]:
    """What to call after each epoch: every few epochs on rank 0 it measures retrieval, whose top-1 is the score.

    Raises DatasetError as ``labelled_videos`` does.
    """
    labelled = labelled_videos(plan.data)

    def judge(epoch: int) -> Judgement:
        if epoch % plan.every_epochs or not fabric.is_global_zero:
            return Judgement()
        with fabric.autocast():
            ranks = first_hit_ranks(model, labelled, geometry, pool).values()
        top_k = {k: round(part_within(ranks, k), 6) for k in (1, 5)}
        return Judgement({f"probe_top{k}": accuracy for k, accuracy in top_k.items()}, score=top_k[1])

    return judge
