"""Testing encoders on labelled folders, as ``rspnet-train evaluate`` and ``probe`` do it: weights in, documents out."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import EncoderModel
from rspnet_core.recognition.document import document
from rspnet_core.recognition.frozen import FrozenKind, predict_frozen
from rspnet_core.recognition.labelled import LabelledVideos, labelled_videos
from rspnet_core.recognition.predict import predict
from rspnet_core.recognition.predictions import Predictions
from rspnet_core.recognition.retrieval import first_hit_ranks
from rspnet_core.recognition.scores import measure
from rspnet_core.training.fabric import choose_machine, default_workers
from rspnet_core.training.listener import Listener
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.weights.sources import load_encoder


def evaluate(
    data: Path,
    weights: Sequence[str],
    *,
    split_lists: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    listener: Listener | None = None,
    backbone: str | None = None,
) -> list[dict[str, Any]]:
    """Documents of fine-tuned encoders, each tested on the fold that it was trained on, in the order of folds.

    A document is that of ``recognition.document`` with ``fold``, ``encoder``, ``data`` and ``notes``. ``backbone``
    names the encoders' code where it lies outside of the package.

    Raises:
        WeightsError, InvalidSetting: weights that cannot be read, have no classifier, or are of one fold twice.
        DatasetError: lists, classes or videos that do not fit.
    """
    loaded = sorted((load_encoder(each, backbone) for each in weights), key=lambda found: found[1].fold or 1)
    folds = [spec.fold or 1 for _, spec in loaded]
    if len(set(folds)) < len(folds):
        raise InvalidSetting(f"got weights of the folds {folds}; give one of each fold, or one alone")
    return [
        _tested(encoder, spec, labelled_videos(data, fold, split_lists), predict, device, workers, listener)
        for fold, (encoder, spec) in zip(folds, loaded, strict=True)
    ]


def evaluate_frozen(
    data: Path,
    weights: str | None,
    kind: FrozenKind,
    *,
    fold: int = 1,
    split_lists: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
    listener: Listener | None = None,
    backbone: str | None = None,
) -> list[dict[str, Any]]:
    """One document, of frozen features of any encoder; see ``recognition.frozen``. Raises as ``evaluate``.

    Without ``weights``, ``backbone`` names an encoder that brings its own or needs none.
    """
    encoder, spec = load_encoder(weights, backbone)
    videos = labelled_videos(data, fold, split_lists)
    return [_tested(encoder, spec, videos, partial(predict_frozen, kind=kind), device, workers, listener)]


def retrieve(
    data: Path,
    weights: str,
    *,
    fold: int = 1,
    split_lists: Path | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> dict[str, Any]:
    """The paper's retrieval (section 4.3) by any encoder's backbone: for each test video, the rank of its first hit.

    Raises as ``evaluate``.
    """
    encoder, spec = load_encoder(weights, None)
    videos = labelled_videos(data, fold, split_lists)
    fabric = choose_machine(device, "auto").fabric
    with DecodePool(workers or default_workers(fabric)) as pool, fabric.autocast():
        ranks = first_hit_ranks(encoder.to(fabric.device), videos, spec.geometry, pool, spec.normalisation)
    return {
        "fold": fold,
        "data": data.resolve().name,
        "encoder": _about(spec),
        "queries": [
            {"path": file.path, "label": file.label, "group": recording, "first_hit_rank": ranks[file.path]}
            for file, recording in zip(videos.test, videos.recordings(videos.test), strict=True)
            if file.path in ranks
        ],
    }


def _about(spec: EncoderSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", include={"backbone", "source", "trained", "geometry", "sha256"})


def _tested(
    encoder: EncoderModel,
    spec: EncoderSpec,
    videos: LabelledVideos,
    judge: Callable[..., Predictions],
    device: str,
    workers: int | None,
    listener: Listener | None,
) -> dict[str, Any]:
    """What ``judge`` predicts, as a document."""
    listener = listener or Listener()
    fabric = choose_machine(device, "auto").fabric
    listener.started([f"note: {note}" for note in videos.notes], len(videos.test))
    with DecodePool(workers or default_workers(fabric)) as pool, fabric.autocast():
        predictions = judge(encoder.to(fabric.device), spec, videos, pool, on_video=listener.video)
    for path, reason in predictions.unreadable.items():
        listener.unreadable(path, reason)
    return document(measure(predictions, videos.families)) | {
        "fold": videos.fold,
        "layout": videos.layout,
        "data": videos.folder.resolve().name,
        "train_videos": len(videos.train),
        "missing": videos.missing_test,
        "notes": videos.notes,
        "encoder": _about(spec),
    }
