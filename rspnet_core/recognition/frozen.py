"""How much frozen features say of classes: a vote of the nearest videos, or a linear layer upon them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.config import EncoderSpec, Normalisation, Pooling
from rspnet_core.models import EncoderModel
from rspnet_core.models.features import clip_features
from rspnet_core.recognition.labelled import LabelledVideos
from rspnet_core.recognition.predict import predictions_of
from rspnet_core.recognition.predictions import Predictions
from rspnet_core.video.clips.video_rows import video_rows
from rspnet_core.video.reading.sandbox import DecodePool

FrozenKind = Literal["knn", "linear"]

NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Wu et al. (CVPR 2018) weigh the votes of the nearest by exp(cosine / 0.07)."""
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Weights of the squared norm that the linear layer tries."""
_HELD_OUT = 5


@dataclass(frozen=True)
class FrozenFeatures:
    """Vectors of both sides of a fold; rows in the order of paths."""

    train: Tensor
    """float32 (n, C), unit length."""
    test: Tensor
    train_labels: Tensor
    """int64 (n,): places in the classes."""
    train_groups: list[str]
    """Recordings; a video without one is its own."""


def video_vector(
    encoder: EncoderModel, normalisation: Normalisation, pooling: Pooling
) -> Callable[[NDArray[np.uint8]], Tensor]:
    """Turns a video's clips uint8 (num_clips, T, H, W, 3) into the backbone's part of its vector: float32 (C,)."""

    def vector(clips: NDArray[np.uint8]) -> Tensor:
        vectors = encoder.vectors(clip_features(encoder, clips, normalisation), pooling)
        return vectors.video[: encoder.part_sizes["backbone"]]

    return vector


def predict_frozen(
    encoder: EncoderModel,
    spec: EncoderSpec,
    videos: LabelledVideos,
    pool: DecodePool,
    on_video: Callable[[], None] = lambda: None,
    *,
    kind: FrozenKind,
) -> Predictions:
    """Predictions for the test side from frozen features of the train side.

    ``knn`` looks at the features as retrieval does (section 4.3: maximum over space, mean over time), ``linear`` at
    their mean, as a classifier does. Raises DatasetError when a side cannot be read.
    """
    vector = video_vector(encoder, spec.normalisation, "max-mean" if kind == "knn" else "mean")
    paths = [file.path for file in (*videos.train, *videos.test)]
    rows, unreadable = video_rows(videos.folder, paths, spec.geometry, pool, vector, on_video)
    train, test = ([file for file in side if file.path in rows] for side in (videos.train, videos.test))
    gallery, queries = (torch.from_numpy(np.stack([rows[file.path] for file in side])) for side in (train, test))
    labels = torch.tensor(videos.places(train))
    features = FrozenFeatures(gallery, queries, labels, [file.group or file.path for file in train])
    votes = nearest_votes if kind == "knn" else linear_layer
    probabilities = votes(features, len(videos.classes)).numpy()
    by_path = {file.path: row for file, row in zip(test, probabilities, strict=True)}
    return predictions_of(videos.classes, test, videos.recordings(test), by_path, unreadable)


def nearest_votes(features: FrozenFeatures, num_classes: int) -> Tensor:
    """Share of each class in the weighted votes of the nearest train videos: float32 (n, num_classes)."""
    cosines, nearest = (features.test @ features.train.T).topk(min(NEIGHBOURS, len(features.train)), dim=1)
    weights = ((cosines - cosines[:, :1]) / TEMPERATURE).exp()  # of the nearest 1, as only shares count
    votes = torch.zeros(len(features.test), num_classes)
    votes.scatter_add_(1, features.train_labels[nearest], weights)
    return votes / votes.sum(dim=1, keepdim=True)


def linear_layer(features: FrozenFeatures, num_classes: int) -> Tensor:
    """Softmax of multinomial logistic regression on standardised features: float32 (n, num_classes).

    The penalty is the one of ``PENALTIES`` that does best on a fifth of the recordings, which the others learn for.
    """
    mean, spread = features.train.mean(dim=0), features.train.std(dim=0, correction=0).clamp(min=1e-6)
    train, test = (features.train - mean) / spread, (features.test - mean) / spread
    recordings = {name: number for number, name in enumerate(dict.fromkeys(features.train_groups))}
    held_out = torch.tensor([recordings[name] % _HELD_OUT == 0 for name in features.train_groups])
    penalty = PENALTIES[-1]
    if 0 < int(held_out.sum()) < len(held_out):
        penalty = _best_penalty(train, features.train_labels, held_out, num_classes)
    logits: Tensor = _fit(train, features.train_labels, num_classes, penalty)(test)
    return logits.detach().softmax(dim=1)


def _best_penalty(vectors: Tensor, labels: Tensor, held_out: Tensor, num_classes: int) -> float:
    """Of those that are right most often, the strongest."""
    scores = []
    for penalty in PENALTIES:
        layer = _fit(vectors[~held_out], labels[~held_out], num_classes, penalty)
        is_right = layer(vectors[held_out]).argmax(dim=1) == labels[held_out]
        scores.append((float(is_right.float().mean()), penalty))
    return max(scores)[1]


def _fit(vectors: Tensor, labels: Tensor, num_classes: int, penalty: float) -> torch.nn.Linear:
    """The layer of least mean cross-entropy + penalty / 2 * squared norm of its weights, by L-BFGS from zero."""
    layer = torch.nn.Linear(vectors.shape[1], num_classes)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(layer(vectors), labels) + penalty / 2 * layer.weight.square().sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return layer
