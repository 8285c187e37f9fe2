"""Retrieval on a labelled split while an encoder is in training (section 4.3's protocol, by the backbone alone)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.errors import DatasetError
from rspnet_core.models import TwoHeadModel
from rspnet_core.models.pooling import pool_features
from rspnet_core.similarity_maps import clip_features
from rspnet_core.video.datasets import VideoFile, scan
from rspnet_core.video.sandbox import DecodePool, DecodeRequest

_TOP = (1, 5)


@dataclass(frozen=True)
class LabelledSplit:
    """Videos of split 1: those of ``test`` search among those of ``train``."""

    folder: Path
    train: list[VideoFile]
    test: list[VideoFile]


def labelled_split(data: Path, fold: int = 1) -> LabelledSplit:
    """The labelled videos of an official split. Raises DatasetError where a side is empty."""
    sides: dict[str, list[VideoFile]] = {"train": [], "test": []}
    for file in scan(data).files:
        if file.label is not None and file.problem is None and file.splits.get(fold) in sides:
            sides[file.splits[fold]].append(file)
    if not all(sides.values()):
        counts = ", ".join(f"{len(files)} {side}" for side, files in sides.items())
        raise DatasetError(f"{data}: got {counts} videos in split {fold}; a probe needs labelled videos on both sides")
    return LabelledSplit(data, sides["train"], sides["test"])


def retrieval_accuracy(
    model: TwoHeadModel, split: LabelledSplit, geometry: ClipGeometry, pool: DecodePool
) -> dict[str, float]:
    """``probe_top1`` and ``probe_top5``: part (0 to 1) of the test videos with one of their class among the nearest.

    Unreadable videos are left out. The model is put back into training mode if that is where it was.
    """
    was_training = model.training
    model.eval()
    gallery, gallery_labels = _embed(model, split.folder, split.train, geometry, pool)
    queries, labels = _embed(model, split.folder, split.test, geometry, pool)
    model.train(was_training)
    order = (queries @ gallery.T).argsort(dim=1, descending=True, stable=True).cpu().numpy()
    hits = gallery_labels[order] == labels[:, None]
    return {f"probe_top{k}": round(float(hits[:, :k].any(axis=1).mean()), 6) for k in _TOP}


@torch.no_grad()
def _embed(
    model: TwoHeadModel,
    folder: Path,
    files: list[VideoFile],
    geometry: ClipGeometry,
    pool: DecodePool,
) -> tuple[Tensor, np.ndarray]:
    """Unit vectors float32 (n, C) and labels (n,) of the readable ones of ``files``, in a fixed order."""
    label_of = {str(folder / file.path): file.label for file in files}
    vectors: dict[str, Tensor] = {}
    for result in pool.map(DecodeRequest(path, geometry) for path in label_of):
        if result.clips is not None:
            features = clip_features(model, result.clips.frames, Normalisation())
            pooled = F.normalize(pool_features(features, "max-mean"), dim=1)
            vectors[str(result.request.path)] = F.normalize(pooled.mean(dim=0), dim=0)
    paths = sorted(vectors)
    if not paths:
        raise DatasetError(f"no labelled video of {folder} can be read")
    return torch.stack([vectors[path] for path in paths]), np.array([label_of[path] for path in paths])


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Labelled videos, and how often retrieval is measured on them."""

    data: Path
    every_epochs: int


def make_probe(
    plan: ProbePlan, model: TwoHeadModel, geometry: ClipGeometry, fabric: Fabric, pool: DecodePool
) -> Callable[[int], dict[str, float]]:
    """What to call after each epoch: figures of ``retrieval_accuracy`` every few epochs on rank 0, else nothing.

    Raises DatasetError as ``labelled_split`` does.
    """
    labelled = labelled_split(plan.data)

    def probe(epoch: int) -> dict[str, float]:
        if epoch % plan.every_epochs or not fabric.is_global_zero:
            return {}
        with fabric.autocast():
            return retrieval_accuracy(model, labelled, geometry, pool)

    return probe
