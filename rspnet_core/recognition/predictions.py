"""What a classifier says of test videos: the one thing that all scores of recognition are computed from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rspnet_core.errors import DatasetError

_SUM_TOLERANCE = 1e-3  # a mean of ten softmax rows in float32, or in bfloat16 rounded once


@dataclass(frozen=True)
class Predictions:
    """What a classifier says of the test videos of one fold. Raises DatasetError for parts that do not fit."""

    classes: tuple[str, ...]
    paths: tuple[str, ...]
    """n paths relative to the data folder."""
    labels: NDArray[np.int64]
    """(n,): places in ``classes``."""
    groups: tuple[str | None, ...]
    """The recording that each video was cut from, None where it is not known."""
    probabilities: NDArray[np.float32]
    """(n, C), 0 to 1: the mean of the clips' softmax; rows sum to 1."""
    unreadable: dict[str, str]
    """Path to reason; these videos are not among the above."""

    def __post_init__(self) -> None:
        videos, classes = len(self.paths), len(self.classes)
        shapes = (self.labels.shape, len(self.groups), self.probabilities.shape)
        if shapes != ((videos,), videos, (videos, classes)):
            raise DatasetError(
                f"predictions: got labels, groups and probabilities of {shapes} for {videos} videos and {classes} "
                "classes; give one of each a video and one probability a class"
            )
        if not videos:
            raise DatasetError(
                f"predictions: got no video, and {len(self.unreadable)} that cannot be read; give at least one"
            )
        for what, names in (("path", self.paths), ("class", self.classes)):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise DatasetError(f"predictions: the {what} {twice!r} is there twice; give each once")
        if self.labels.min() < 0 or self.labels.max() >= classes:
            raise DatasetError(
                f"predictions: got labels from {self.labels.min()} to {self.labels.max()}, "
                f"allowed are the places 0 to {classes - 1} of the classes"
            )
        sums = self.probabilities.sum(axis=1)
        if not (self.probabilities.min() >= 0 and (abs(sums - 1) <= _SUM_TOLERANCE).all()):  # NaN fails both
            raise DatasetError(
                "predictions: probabilities must be 0 to 1 and each video's must sum to 1, "
                f"got sums from {sums.min():.4g} to {sums.max():.4g}; apply softmax to each clip, then average"
            )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(n,): the place of the most probable class; of equal ones the first."""
        predicted: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def ranks(self) -> NDArray[np.int64]:
        """(n,): the true class's rank, 1 (most probable) to C; of equally probable classes the first ranks higher."""
        own = np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)
        before = np.arange(len(self.classes)) < self.labels[:, None]
        ahead = (self.probabilities > own) | ((self.probabilities == own) & before)
        ranks: NDArray[np.int64] = ahead.sum(axis=1, dtype=np.int64) + 1
        return ranks
