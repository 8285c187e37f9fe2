"""A row of numbers for each video of a folder: decoded, turned into numbers, thrown away."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import DatasetError
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest

Row = NDArray[np.float32]


@torch.inference_mode()
def video_rows(
    folder: Path,
    paths: Iterable[str],
    geometry: ClipGeometry,
    pool: DecodePool,
    row_of: Callable[[NDArray[np.uint8]], Tensor],
    on_video: Callable[[], None] = lambda: None,
) -> tuple[dict[str, Row], dict[str, str]]:
    """A row for each readable video, by path, and the reasons of those that cannot be read.

    Args:
        folder: of the videos.
        paths: relative to it.
        geometry: the clips that are read of each.
        pool: decodes.
        row_of: turns clips uint8 (num_clips, T, H, W, 3) into a tensor (n,), the same n for all.
        on_video: called after each video.

    Raises:
        DatasetError: none can be read.
    """
    path_at = {str(folder / path): path for path in paths}
    rows: dict[str, Row] = {}
    unreadable: dict[str, str] = {}
    block = np.empty((0, 0), dtype=np.float32)
    for result in pool.map(DecodeRequest(path, geometry) for path in path_at):
        path = path_at[str(result.request.path)]
        if result.clips is None:
            unreadable[path] = result.error or ""
        else:
            row = row_of(result.clips.frames).float().cpu().numpy()
            if not rows:  # one block: rows kept apart pin the heap between the encoder's activations (7 MB a video)
                block = np.empty((len(path_at), len(row)), dtype=np.float32)
            block[len(rows)] = row
            rows[path] = block[len(rows)]
        on_video()
    if not rows:
        raise DatasetError(f"none of the {len(path_at)} videos of {folder} can be read, such as {min(path_at)}")
    return rows, unreadable
