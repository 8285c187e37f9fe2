"""Retrieval by any encoder: on a labelled split (section 4.3's protocol), and on its train side while training.

Which epoch of a run is the best is a choice, so it is made on the train side: the test side stays for what is reported.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import DatasetError
from rspnet_core.models import EncoderModel
from rspnet_core.models.features import clip_features
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
    gallery, queries = (
        _rows(model, videos.folder, [file.path for file in side], geometry, pool, vector)
        for side in (videos.train, videos.test)
    )
    label_of = {file.path: file.label for file in (*videos.train, *videos.test)}
    labels = np.array([label_of[path] for path in sorted(gallery)])
    vectors = np.stack([gallery[path] for path in sorted(gallery)])
    return {path: _rank(-vectors @ query, labels == label_of[path]) for path, query in queries.items()}


def train_side_ranks(
    model: EncoderModel, videos: LabelledVideos, geometry: ClipGeometry, pool: DecodePool
) -> dict[str, list[int | None]]:
    """For each part of the model's vectors, the rank of each train video's first hit among those of other recordings.

    A video of an unknown recording leaves itself out alone. Unreadable videos are left out; the model is put back into
    training mode if that is where it was.
    """

    def vector(clips: NDArray[np.uint8]) -> Tensor:
        return model.vectors(clip_features(model, clips, Normalisation()), "max-mean").video

    rows = _rows(model, videos.folder, [file.path for file in videos.train], geometry, pool, vector)
    files = [file for file in videos.train if file.path in rows]
    vectors = np.stack([rows[file.path] for file in files])
    labels = np.array([file.label for file in files])
    names = zip(files, videos.recordings(files), strict=True)
    recordings = np.array([recording or file.path for file, recording in names])
    ranks: dict[str, list[int | None]] = {}
    start = 0
    for part, size in model.part_sizes.items():
        own = vectors[:, start : start + size]
        start += size
        others = [recordings != recording for recording in recordings]
        ranks[part] = [
            _rank(-own[other] @ query, labels[other] == label)
            for query, label, other in zip(own, labels, others, strict=True)
        ]
    return ranks


def _rows(
    model: EncoderModel,
    folder: Path,
    paths: list[str],
    geometry: ClipGeometry,
    pool: DecodePool,
    vector: Callable[[NDArray[np.uint8]], Tensor],
) -> dict[str, NDArray[np.float32]]:
    """Vectors of the readable videos, in eval mode."""
    was_training = model.training
    model.eval()
    rows, _ = video_rows(folder, paths, geometry, pool, vector)
    model.train(was_training)
    return rows


def _rank(distances: NDArray[np.float32], is_hit: NDArray[np.bool_]) -> int | None:
    """Place (from 1) of the nearest hit; None without any."""
    hits = is_hit[np.argsort(distances, kind="stable")]
    return int(hits.argmax()) + 1 if hits.any() else None


def part_within(ranks: Sequence[int | None], k: int) -> float:
    """Top-k accuracy: the part (0 to 1) of the queries whose first hit is among the k nearest."""
    return sum(rank is not None and rank <= k for rank in ranks) / len(ranks)


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """Labelled videos, and how often retrieval is measured on their train side."""

    data: Path
    every_epochs: int


def retrieval_judge(
    plan: RetrievalPlan, model: EncoderModel, geometry: ClipGeometry, fabric: Fabric, pool: DecodePool
) -> Callable[[int], Judgement]:
    """What to call after each epoch: every few epochs on rank 0 it measures retrieval on the train side.

    The backbone's top-1 is the score, the other parts' are figures beside it. Raises DatasetError as
    ``labelled_videos`` does, and where no class has two recordings.
    """
    labelled = labelled_videos(plan.data)
    recordings = zip(labelled.train, labelled.recordings(labelled.train), strict=True)
    if len({(file.label, recording or file.path) for file, recording in recordings}) == len(labelled.classes):
        raise DatasetError(
            f"--probe {plan.data}: each class of its train side has one recording, so no video finds its class in "
            "another; give a labelled folder with more"
        )

    def judge(epoch: int) -> Judgement:
        if epoch % plan.every_epochs or not fabric.is_global_zero:
            return Judgement()
        with fabric.autocast():
            ranks = train_side_ranks(model, labelled, geometry, pool)
        backbone = ranks.pop("backbone")
        top_k = {f"probe_top{k}": round(part_within(backbone, k), 6) for k in (1, 5)}
        of_heads = {f"probe_{part}_top1": round(part_within(found, 1), 6) for part, found in ranks.items()}
        return Judgement(top_k | of_heads, score=top_k["probe_top1"])

    return judge
