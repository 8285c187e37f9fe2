"""What chooses the best epoch of a run: retrieval on the train side, among other recordings."""

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from rspnet_core.config import Normalisation
from rspnet_core.errors import DatasetError
from rspnet_core.models.features import clip_features
from rspnet_core.recognition.labelled import labelled_videos
from rspnet_core.recognition.retrieval import RetrievalPlan, part_within, retrieval_judge, train_side_ranks
from rspnet_core.video.clips.video_rows import video_rows
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.weights.checkpoint import load_checkpoint
from tests.conftest import SMALL_CLIPS
from tests.rspnet_core.recognition.samples import with_two_recordings


def test_ranks_are_those_of_plain_loops_and_no_test_video_is_looked_at(
    sample_videos: Path, small_weights: Path, tmp_path: Path
) -> None:
    data = with_two_recordings(sample_videos, tmp_path / "data")
    videos = labelled_videos(data)
    assert len(videos.train) > len(videos.test) > 0
    for file in videos.test:
        (data / file.path).write_bytes(b"not a video")
    model, _ = load_checkpoint(small_weights)
    model.train()
    with DecodePool(1) as pool:
        found = train_side_ranks(model, videos, SMALL_CLIPS, pool)
        assert model.training
        model.eval()
        rows, unreadable = video_rows(
            data,
            [file.path for file in videos.train],
            SMALL_CLIPS,
            pool,
            lambda clips: model.vectors(clip_features(model, clips, Normalisation()), "max-mean").video,
        )
    assert not unreadable
    recordings = zip(videos.train, videos.recordings(videos.train), strict=True)
    recording_of = {file.path: recording for file, recording in recordings}
    start = 0
    for part, size in model.part_sizes.items():
        for query, rank in zip(videos.train, found[part], strict=True):
            own = rows[query.path][start : start + size]
            others = [file for file in videos.train if recording_of[file.path] != recording_of[query.path]]
            near = sorted(others, key=lambda file: -float(own @ rows[file.path][start : start + size]))
            hits = [place for place, file in enumerate(near, 1) if file.label == query.label]
            assert rank == (hits[0] if hits else None)
        start += size
    assert start == len(rows[videos.train[0].path])


def test_one_recording_a_class_is_refused(sample_videos: Path) -> None:
    with pytest.raises(DatasetError, match="each class of its train side has one recording"):
        retrieval_judge(RetrievalPlan(sample_videos, 1), *[Mock()] * 4)


def test_a_query_without_any_of_its_class_elsewhere_counts_as_missed() -> None:
    assert part_within([1, None, 3], 1) == np.float64(1 / 3)
    assert part_within([1, None, 3], 5) == np.float64(2 / 3)
