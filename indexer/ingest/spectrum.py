"""How the vectors of a real library are clustered, in nine numbers a part, and how such numbers are fitted.

    python -m indexer.ingest.spectrum LIBRARY

A vector is read as a sum: what all videos share, its class, its recording within the class, itself within the
recording. Of the first only the length counts; of each other, the variance and how fast its eigenvalues fall.
"""

import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from indexer.catalogue.published import AnyCatalogue

_MOST_FITTED = 64


@dataclass(frozen=True)
class Level:
    """The scatter of one level: its ``variance`` in all, and the eigenvalues' fall as ``rank ** -exponent``."""

    variance: float
    exponent: float

    def scales(self, dims: int) -> NDArray[np.float64]:
        """Standard deviations float64 (dims,) along the principal axes."""
        eigenvalues = np.arange(1, dims + 1.0) ** -self.exponent
        scales: NDArray[np.float64] = np.sqrt(self.variance * eigenvalues / eigenvalues.sum())
        return scales


@dataclass(frozen=True)
class PartSpectrum:
    """One part of the vectors; ``shared`` is the squared length of their mean."""

    shared: float
    classes: Level
    recordings: Level
    videos: Level


SPECTRUM = {
    "backbone": PartSpectrum(0.9563, Level(0.0084, 0.79), Level(0.0271, 1.22), Level(0.0082, 0.88)),
    "motion": PartSpectrum(0.0524, Level(0.2680, 0.68), Level(0.5308, 1.76), Level(0.1488, 1.18)),
    "appearance": PartSpectrum(0.0108, Level(0.1805, 1.27), Level(0.7365, 2.75), Level(0.0722, 1.95)),
}
"""Fitted by this module to the 646 videos of ``ucf101_5`` (5 classes, 125 recordings), embedded by ``rspnet:small``."""


def fit(catalogue: "AnyCatalogue") -> dict[str, PartSpectrum]:
    """The spectrum of each part of a library of labelled videos whose names tell their recordings."""
    record, rows = catalogue.encoder(), catalogue.labels_and_splits(1)
    batches = list(catalogue.all_vectors())
    vectors = np.concatenate([rows for _, rows in batches]).astype(np.float64)
    by_key = {video.key: video for video in rows}
    videos = [by_key[key] for keys, _ in batches for key in keys.tolist()]
    labels = np.array([video.label or "" for video in videos])
    recordings = np.array([f"{video.label}/{video.group or video.key}" for video in videos])
    found, start = {}, 0
    for name, length in record.parts.items() if record else ():
        found[name] = _part(vectors[:, start : start + length], labels, recordings)
        start += length
    return found


def _part(rows: NDArray[np.float64], labels: NDArray[np.str_], recordings: NDArray[np.str_]) -> PartSpectrum:
    mean, of_class, of_recording = rows.mean(axis=0), _means(rows, labels), _means(rows, recordings)
    return PartSpectrum(
        round(float(mean @ mean), 4),
        _level(of_class - mean, len(set(labels))),
        _level(of_recording - of_class, len(set(recordings))),
        _level(rows - of_recording, len(rows)),
    )


def _means(rows: NDArray[np.float64], names: NDArray[np.str_]) -> NDArray[np.float64]:
    """For each row, the mean of the rows of its name."""
    _, number, counts = np.unique(names, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, number, rows)
    return (sums / counts[:, None])[number]


def _level(scatter: NDArray[np.float64], count: int) -> Level:
    """Fitted to the first half of the eigenvalues that ``count`` means can have, 64 at most."""
    eigenvalues = np.linalg.eigvalsh(scatter.T @ scatter / len(scatter))[::-1]
    fitted = eigenvalues[: min(max(4, count // 2), _MOST_FITTED)]
    fitted = fitted[fitted > 1e-9]
    slope = np.polyfit(np.log(np.arange(1, len(fitted) + 1)), np.log(fitted), 1)[0] if len(fitted) > 1 else 0.0
    return Level(round(float(eigenvalues.sum()), 4), round(float(-slope), 2))


if __name__ == "__main__":
    from indexer.catalogue.published import open_published
    from indexer.index.place import Place

    place = Place.find(sys.argv[1])
    print(
        json.dumps(
            {name: asdict(part) for name, part in fit(open_published(place.folder, place.catalogue_target)).items()}
        )
    )
