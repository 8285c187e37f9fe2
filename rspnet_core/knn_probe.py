"""Retrieval on a labelled split while an encoder is in training (section 4.3's protocol, by the backbone alone)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.models import Encoder
from rspnet_core.recognition.frozen import video_vector
from rspnet_core.recognition.labelled import LabelledVideos, labelled_videos
from rspnet_core.recognition.predict import each_video
from rspnet_core.video.sandbox import DecodePool


def retrieval_accuracy(
    model: Encoder, videos: LabelledVideos, geometry: ClipGeometry, pool: DecodePool, ks: Sequence[int] = (1, 5)
) -> dict[int, float]:
    """Part (0 to 1) of the test videos with one of their class among the k nearest train videos, for each k.

    Unreadable videos are left out. The model is put back into training mode if that is where it was.
    """
    vector = video_vector(model, Normalisation(), "max-mean")
    was_training = model.training
    model.eval()
    sides = []
    for files in (videos.train, videos.test):
        rows, _ = each_video(videos.folder, files, geometry, pool, vector)
        readable = [file for file in files if file.path in rows]
        sides.append((np.stack([rows[file.path] for file in readable]), np.array([file.label for file in readable])))
    model.train(was_training)
    (gallery, gallery_labels), (queries, labels) = sides
    order = (-queries @ gallery.T).argsort(axis=1, kind="stable")
    hits = gallery_labels[order] == labels[:, None]
    return {k: float(hits[:, :k].any(axis=1).mean()) for k in ks}


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Labelled videos, and how often retrieval is measured on them."""

    data: Path
    every_epochs: int


def make_probe(
    plan: ProbePlan, model: Encoder, geometry: ClipGeometry, fabric: Fabric, pool: DecodePool
) -> Callable[[int], dict[str, float]]:
    """What to call after each epoch: figures of ``retrieval_accuracy`` every few epochs on rank 0, else nothing.

    Raises DatasetError as ``labelled_videos`` does.
    """
    labelled = labelled_videos(plan.data)

    def probe(epoch: int) -> dict[str, float]:
        if epoch % plan.every_epochs or not fabric.is_global_zero:
            return {}
        with fabric.autocast():
            found = retrieval_accuracy(model, labelled, geometry, pool)
        return {f"probe_top{k}": round(part, 6) for k, part in found.items()}

    return probe
