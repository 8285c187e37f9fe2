"""A row of numbers for each video."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import DatasetError
from rspnet_core.video.clips.video_rows import video_rows
from rspnet_core.video.reading.sandbox import DecodePool

GEOMETRY = ClipGeometry(num_clips=2, frames_per_clip=2, frame_step=1, size=16)


def colours(clips: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(clips).float().mean(dim=(0, 1, 2, 3))


def test_each_readable_video_has_its_own_row_and_the_others_a_reason(sample_videos: Path, tmp_path: Path) -> None:
    files = sorted(sample_videos.rglob("*.mp4"))[:3]
    paths = [str(path.relative_to(sample_videos)) for path in files]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    told: list[str] = []
    with DecodePool(1) as pool:
        rows, unreadable = video_rows(
            sample_videos, [*paths, str(broken)], GEOMETRY, pool, colours, lambda: told.append("a video")
        )
        alone = {path: video_rows(sample_videos, [path], GEOMETRY, pool, colours)[0][path] for path in paths}
        with pytest.raises(DatasetError, match="none of the 1 videos"):
            video_rows(tmp_path, ["broken.mp4"], GEOMETRY, pool, colours)
    assert list(unreadable) == [str(broken)] and unreadable[str(broken)]
    assert len(told) == 4
    for path in paths:
        assert rows[path].shape == (3,) and np.array_equal(rows[path], alone[path])


def test_rows_share_one_block_so_that_memory_does_not_grow_with_the_videos(sample_videos: Path) -> None:
    paths = [str(path.relative_to(sample_videos)) for path in sorted(sample_videos.rglob("*.mp4"))[:3]]
    with DecodePool(1) as pool:
        rows, _ = video_rows(sample_videos, paths, GEOMETRY, pool, colours)
    bases = [row.base for row in rows.values()]
    assert len(bases) == 3 and bases[0] is not None
    assert all(base is bases[0] for base in bases)
