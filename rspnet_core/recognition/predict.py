"""A fold's test videos through a fine-tuned encoder: ten clips each, the mean of their softmax."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.models import EncoderModel, class_logits
from rspnet_core.models.features import clip_features
from rspnet_core.recognition.labelled import LabelledVideos
from rspnet_core.recognition.predictions import Predictions
from rspnet_core.video.clips.video_rows import Row, video_rows
from rspnet_core.video.datasets.dataset import VideoFile
from rspnet_core.video.reading.sandbox import DecodePool


def predict(
    encoder: EncoderModel,
    spec: EncoderSpec,
    videos: LabelledVideos,
    pool: DecodePool,
    on_video: Callable[[], None] = lambda: None,
) -> Predictions:
    """What the encoder's classifier says of the test side.

    Args:
        encoder: in eval mode, on the device to use.
        spec: its classes, clips and pixel statistics.
        videos: of a fold; the one that the classifier was trained on, where that is known.
        pool: decodes.
        on_video: called after each video.

    Raises:
        InvalidSetting: no classifier, or one that was trained on another fold's train side.
        DatasetError: classes that the classifier does not know; no test video can be read.
    """
    classifier = encoder.classifier
    if classifier is None:
        raise InvalidSetting(f"{spec.source} has no classifier; fine-tune it first, or measure it with `probe`")
    if spec.fold not in (None, videos.fold):
        raise InvalidSetting(
            f"{spec.source} was trained on fold {spec.fold}, whose train side holds test videos of fold {videos.fold}; "
            f"evaluate it on fold {spec.fold}"
        )
    if unknown := sorted({file.label for file in videos.test if file.label} - set(spec.classes)):
        raise DatasetError(
            f"{len(unknown)} classes of the test are not among the classifier's {len(spec.classes)}, such as "
            f"{unknown[0]!r}; give the data set that it was trained on"
        )

    def probabilities(clips: NDArray[np.uint8]) -> Tensor:
        features = clip_features(encoder, clips, spec.normalisation)
        return class_logits(features, classifier).softmax(dim=1).mean(dim=0)

    paths = [file.path for file in videos.test]
    rows, unreadable = video_rows(videos.folder, paths, spec.geometry, pool, probabilities, on_video)
    tested = [file for file in videos.test if file.path in rows]
    return predictions_of(spec.classes, tested, videos.recordings(tested), rows, unreadable)


def predictions_of(
    classes: tuple[str, ...],
    files: list[VideoFile],
    recordings: list[str | None],
    probabilities: dict[str, Row],
    unreadable: dict[str, str],
) -> Predictions:
    """Rows of probabilities, by path, with the files' labels and recordings."""
    return Predictions(
        classes,
        tuple(file.path for file in files),
        np.array([classes.index(file.label or "") for file in files], dtype=np.int64),
        tuple(recordings),
        np.stack([probabilities[file.path] for file in files]),
        unreadable,
    )
