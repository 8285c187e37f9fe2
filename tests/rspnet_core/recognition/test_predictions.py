"""Predictions check themselves."""

import dataclasses

import numpy as np
import pytest

from rspnet_core.errors import DatasetError
from tests.rspnet_core.recognition.samples import predictions


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.array([0])}, "one of each a video"),
        ({"groups": ("g1",)}, "one of each a video"),
        ({"probabilities": np.full((2, 3), 1 / 3, dtype=np.float32)}, "one probability a class"),
        ({"probabilities": np.array([[2, 1], [0, 3]], dtype=np.float32)}, "apply softmax"),
        ({"probabilities": np.array([[np.nan, 1], [0, 1]], dtype=np.float32)}, "apply softmax"),
        ({"probabilities": np.array([[-0.5, 1.5], [0, 1]], dtype=np.float32)}, "apply softmax"),
        ({"labels": np.array([0, 2])}, "allowed are the places 0 to 1"),
        ({"labels": np.array([0, -1])}, "allowed are the places 0 to 1"),
        ({"classes": ("a", "a")}, "the class 'a' is there twice"),
        ({"paths": ("a.mp4", "a.mp4")}, "the path 'a.mp4' is there twice"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, words):
    with pytest.raises(DatasetError, match=words):
        dataclasses.replace(predictions([[3, 1], [1, 3]], [0, 1]), **change)


def test_no_video_at_all_is_refused_and_the_unreadable_are_counted():
    with pytest.raises(DatasetError, match="got no video, and 1 that cannot be read"):
        dataclasses.replace(
            predictions([[3, 1]], [0]),
            paths=(),
            groups=(),
            labels=np.zeros(0, dtype=np.int64),
            probabilities=np.zeros((0, 2), dtype=np.float32),
            unreadable={"a.mp4": "empty"},
        )


def test_equal_classes_rank_in_their_order():
    found = predictions([[2, 2, 1], [2, 2, 1], [1, 1, 1]], [0, 1, 2])
    assert found.ranks.tolist() == [1, 2, 3]
    assert found.predicted.tolist() == [0, 0, 0]
