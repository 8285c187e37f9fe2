"""Probes of frozen features, beside slow readings of their definitions."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rspnet_core.recognition.frozen import NEIGHBOURS, TEMPERATURE, FrozenFeatures, _fit, linear_layer, nearest_votes


def features(train: int, test: int, channels: int, classes: int, seed: int, spread: float = 1.0) -> FrozenFeatures:
    """Vectors around one centre a class."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, channels))
    labels = rng.permutation(np.arange(train) % classes)
    test_labels = np.arange(test) % classes
    train_vectors, test_vectors = (
        torch.from_numpy((centres[each] + spread * rng.normal(size=(len(each), channels))).astype(np.float32))
        for each in (labels, test_labels)
    )
    groups = [f"g{number // 2}" for number in range(train)]
    return FrozenFeatures(
        F.normalize(train_vectors, dim=1), F.normalize(test_vectors, dim=1), torch.from_numpy(labels), groups
    )


@pytest.mark.parametrize("train", [5, 60])
def test_votes_are_those_of_the_nearest_weighted_by_likeness(train: int) -> None:
    found = features(train, 7, 6, 3, seed=1)
    votes = nearest_votes(found, 3)
    for row, query in zip(votes.tolist(), found.test, strict=True):
        cosines = sorted(
            ((float(query @ other), int(label)) for other, label in zip(found.train, found.train_labels, strict=True)),
            reverse=True,
        )
        expected = [0.0, 0.0, 0.0]
        for cosine, label in cosines[:NEIGHBOURS]:
            expected[label] += math.exp(cosine / TEMPERATURE)
        assert row == pytest.approx([value / sum(expected) for value in expected], rel=1e-3)


def test_the_linear_layer_is_where_its_loss_is_flat() -> None:
    found = features(40, 1, 5, 3, seed=2)
    layer = _fit(found.train, found.train_labels, 3, penalty=0.1)
    loss = F.cross_entropy(layer(found.train), found.train_labels) + 0.05 * layer.weight.square().sum()
    gradients = torch.autograd.grad(loss, list(layer.parameters()))
    assert max(float(gradient.abs().max()) for gradient in gradients) < 1e-3


@pytest.mark.parametrize("judge", [nearest_votes, linear_layer])
def test_classes_that_lie_apart_are_told_apart(judge) -> None:
    found = features(60, 30, 16, 3, seed=3, spread=0.3)
    probabilities = judge(found, 3)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(30), atol=1e-5)
    assert (probabilities.argmax(dim=1) == torch.arange(30) % 3).all()


def test_one_recording_is_enough_for_a_layer() -> None:
    found = features(6, 3, 4, 2, seed=4)
    one = FrozenFeatures(found.train, found.test, found.train_labels, ["g"] * 6)
    assert linear_layer(one, 2).shape == (3, 2)
