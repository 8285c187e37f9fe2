"""All vectors of a video at once, out of the tables; the same of videos that left while a generation shows them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, null, select, update

from indexer.catalogue.models import Clip, Retired, Vector
from indexer.catalogue.vectors import ENERGY_DIMS, HISTOGRAM_BINS, VideoVectors, pack, unpack
from rspnet_core.errors import LibraryDamaged

KEPT_FOR = 2
"""Generations published after a video left: the current one and the one before are kept."""


def stored_vectors(
    connection: Connection, keys: Sequence[int], dims: int, *, has_energy: bool = True
) -> Iterator[tuple[int, VideoVectors | None, bytes]]:
    """Key, vectors and the digest beside them, of each of ``keys`` that has any; None for what cannot be vectors.

    ``has_energy``: whether the tables have its column; those that no build has brought up to date yet have not.
    """
    clips = defaultdict(list)
    columns = select(Clip.video_key, Clip.start_seconds, Clip.end_seconds, Clip.vector)
    for clip in connection.execute(columns.where(Clip.video_key.in_(keys)).order_by(Clip.video_key, Clip.position)):
        clips[clip.video_key].append(clip)
    energy = Vector.motion_energy if has_energy else null().label("motion_energy")
    own_columns = select(Vector.video_key, Vector.vector, Vector.colour_histogram, energy, Vector.digest)
    for row in connection.execute(own_columns.where(Vector.video_key.in_(keys))):
        own = clips[row.video_key]
        found = _vectors(row, [clip[3] for clip in own], [clip[1:3] for clip in own], dims)
        yield row.video_key, found, row.digest


def _vectors(
    row: Any, clips: list[bytes], spans: NDArray[np.float64] | list[Sequence[float]], dims: int
) -> VideoVectors | None:
    """Of a row of ``vectors`` or ``retired``; damage may have given a value another length, even another type."""
    try:
        return VideoVectors(
            video=unpack([row.vector], dims)[0],
            clips=unpack(clips, dims),
            spans_seconds=np.array(spans, dtype=np.float64).reshape(-1, 2),
            colour_histogram=unpack([row.colour_histogram], HISTOGRAM_BINS)[0],
            motion_energy=None if row.motion_energy is None else unpack([row.motion_energy], ENERGY_DIMS)[0],
        )
    except (LibraryDamaged, TypeError, ValueError):
        return None


def retire(connection: Connection, keys: Sequence[int], dims: int) -> None:
    """Keep the vectors of videos that are about to leave, where they are sound."""
    rows = {
        digest: {
            "digest": digest,
            "age": 0,
            "vector": pack(vectors.video),
            "colour_histogram": pack(vectors.colour_histogram),
            "motion_energy": None if vectors.motion_energy is None else pack(vectors.motion_energy),
            "clips": pack(vectors.clips),
            "spans": np.ascontiguousarray(vectors.spans_seconds, dtype="<f8").tobytes(),
        }
        for _, vectors, digest in stored_vectors(connection, keys, dims)
        if vectors is not None and vectors.digest() == digest
    }
    if rows:
        connection.execute(delete(Retired).where(Retired.digest.in_(list(rows))))
        connection.execute(insert(Retired), list(rows.values()))


def retired_vectors(
    connection: Connection, digest: bytes, dims: int, *, has_energy: bool = True
) -> VideoVectors | None:
    """The vectors of this digest of a video that left; None when they are not kept, or are damaged."""
    energy = Retired.motion_energy if has_energy else null().label("motion_energy")
    columns = select(Retired.vector, Retired.colour_histogram, energy, Retired.clips, Retired.spans)
    row = connection.execute(columns.where(Retired.digest == digest)).first()
    if row is None:
        return None
    step = dims * 4
    try:
        clips = [row.clips[start : start + step] for start in range(0, len(row.clips), step)]
        spans = np.frombuffer(row.spans, dtype="<f8").reshape(-1, 2)
    except (TypeError, ValueError):
        return None
    found = _vectors(row, clips, spans, dims)
    return found if found is not None and found.digest() == digest else None


def age_retired(connection: Connection) -> None:
    """A generation was published: let go of what no generation that is kept shows."""
    connection.execute(update(Retired).values(age=Retired.age + 1))
    connection.execute(delete(Retired).where(Retired.age >= KEPT_FOR))
