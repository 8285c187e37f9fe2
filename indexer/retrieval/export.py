"""A library as plain files: vectors as .npy, all that is known of videos and clips as Parquet, rows in one order."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from indexer.catalogue.catalogue import VideoRow, id_of_key
from indexer.catalogue.chunks import chunks
from indexer.retrieval.filters import Filters, keys_that_pass
from indexer.retrieval.library import Library
from indexer.retrieval.tagging import tagged
from rspnet_core.errors import LibraryError
from rspnet_core.text import printable

VIDEO_COLUMNS = pa.schema(
    [
        ("id", pa.string()),
        ("path", pa.string()),
        ("path_bytes", pa.binary()),
        ("root", pa.string()),
        ("label", pa.string()),
        ("group", pa.string()),
        ("splits", pa.string()),
        ("content_sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("fps", pa.float64()),
        ("num_frames", pa.int64()),
        ("duration_seconds", pa.float64()),
        ("predicted_class", pa.string()),
        ("predicted_probability", pa.float64()),
    ]
)
VIDEOS_PER_TABLE = 1000
CLIP_COLUMNS = pa.schema(
    [
        ("video_id", pa.string()),
        ("position", pa.int32()),
        ("start_seconds", pa.float64()),
        ("end_seconds", pa.float64()),
    ]
)


def export_library(library: Library, folder: Path, filters: Filters | None = None) -> dict[str, Any]:
    """Write ``videos.parquet``, ``vectors.npy``, ``clips.parquet``, ``clips.npy`` and ``encoder.json``.

    Row i of ``vectors.npy``, float32 (videos, D), is row i of ``videos.parquet``; likewise for clips. A vector's parts
    and their lengths stand in ``encoder.json``. Memory does not grow with the number of videos. ``filters`` restrict to
    some videos.

    Raises:
        NothingMatches: no video passes the filters.
        LibraryError: the folder cannot be written.
    """
    keys = keys_that_pass(
        library.catalogue, filters or Filters(), tagged=tagged(library, filters.tag if filters else None)
    )
    ids = None if keys is None else map(id_of_key, keys.tolist())
    videos = list(library.catalogue.videos(ids=ids, status="indexed"))
    counts = [video.num_clips for video in videos]
    dims = library.layout.size
    try:
        folder.mkdir(parents=True, exist_ok=True)
        vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (len(videos), dims))
        clips = np.lib.format.open_memmap(folder / "clips.npy", "w+", np.float32, (sum(counts), dims))
        with (
            pq.ParquetWriter(folder / "videos.parquet", VIDEO_COLUMNS) as video_file,
            pq.ParquetWriter(folder / "clips.parquet", CLIP_COLUMNS) as clip_file,
        ):
            video_file.write_table(pa.Table.from_pylist([_video(library, row) for row in videos], VIDEO_COLUMNS))
            row = clip_row = 0
            for chunk in chunks(videos, VIDEOS_PER_TABLE):
                clips_of_chunk = []
                for video in chunk:
                    stored = library.catalogue.clip_vectors(video.id)
                    vectors[row] = library.catalogue.video_vector(video.id)
                    clips[clip_row : clip_row + len(stored.vectors)] = stored.vectors
                    row, clip_row = row + 1, clip_row + len(stored.vectors)
                    clips_of_chunk += _clips(video, stored.spans_seconds)
                clip_file.write_table(pa.Table.from_pylist(clips_of_chunk, CLIP_COLUMNS))
        description = dict(library.record.description) | {"parts": dict(library.layout.dims)}
        (folder / "encoder.json").write_text(json.dumps(description, indent=2) + "\n")
    except OSError as error:
        raise LibraryError(f"cannot export to {folder} ({error.strerror}); choose a folder with room") from error
    return {"folder": str(folder), "videos": len(videos), "clips": sum(counts), "dims": dims}


def _video(library: Library, video: VideoRow) -> dict[str, Any]:
    row = {name: getattr(video, name) for name in VIDEO_COLUMNS.names if hasattr(video, name)}
    return row | {
        "path": printable(video.path),
        "path_bytes": os.fsencode(video.path),
        "root": printable(str(library.root_of(video))),
        "splits": json.dumps(video.splits),
        "content_sha256": video.content_hash,
        "predicted_class": video.predicted and video.predicted.class_name,
        "predicted_probability": video.predicted and video.predicted.probability,
    }


def _clips(video: VideoRow, spans_seconds: NDArray[np.float64]) -> list[dict[str, Any]]:
    return [
        {"video_id": video.id, "position": position, "start_seconds": start, "end_seconds": end}
        for position, (start, end) in enumerate(spans_seconds.tolist())
    ]
