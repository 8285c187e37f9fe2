"""Predictions for the tests: made by hand, or at random with ties and uneven classes."""

import shutil
from pathlib import Path

import numpy as np

from rspnet_core.recognition.predictions import Predictions

HOSTILE = "<b>$\\frac{</b>\n\"'&\u202e\x1b[31m"
UNDECODABLE = "\udcff"


def predictions(rows, labels, *, classes=None, groups=None, unreadable=None):
    """``rows``: weights of the classes, made to sum to 1."""
    rows = np.asarray(rows, dtype=np.float64)
    rows = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    names = tuple(classes or (f"class {number}" for number in range(rows.shape[1])))
    return Predictions(
        classes=names,
        paths=tuple(f"{names[label]}/{number:03d}.mp4" for number, label in enumerate(labels)),
        labels=np.asarray(labels, dtype=np.int64),
        groups=tuple(groups or [None] * len(labels)),
        probabilities=rows,
        unreadable=unreadable or {},
    )


def random_predictions(seed, *, videos=60, classes=8, grouped=True, names=None, unreadable=None):
    """Right about half of the time; small whole weights, so that classes often tie."""
    rng = np.random.default_rng(seed)
    labels = np.sort((classes * rng.random(videos) ** 2).astype(int))  # the first classes have most videos
    rows = rng.integers(0, 4, (videos, classes)) + 0.01
    rows[np.arange(videos), labels] += rng.integers(0, 6, videos)
    groups = [f"g{number // 3:02d}" for number in range(videos)] if grouped else None
    return predictions(rows, labels, classes=names, groups=groups, unreadable=unreadable)


def with_two_recordings(sample_videos: Path, data: Path) -> Path:
    """A copy of the sample videos whose split 1 tests one video a class, so that two recordings of each are learnt."""
    shutil.copytree(sample_videos, data)
    (lists,) = data.glob("**/ucfTrainTestlist")
    numbers = {name: str(number) for number, name in map(str.split, (lists / "classInd.txt").read_text().splitlines())}
    tested: dict[str, str] = {}
    for line in (lists / "testlist01.txt").read_text().splitlines():
        label = line.partition("/")[0]
        if label in tested:
            with (lists / "trainlist01.txt").open("a") as train:
                train.write(f"{line} {numbers[label]}\n")
        else:
            tested[label] = line
    (lists / "testlist01.txt").write_text("".join(f"{line}\n" for line in tested.values()))
    return data
