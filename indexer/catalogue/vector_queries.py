"""Vectors read from the catalogue: they come out in order of their keys, in batches, in constant memory."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, select
from sqlalchemy.orm import InstrumentedAttribute

from indexer.catalogue.chunks import chunks
from indexer.catalogue.database import Database
from indexer.catalogue.models import Clip, Encoder, Vector
from indexer.catalogue.records import EncoderRecord, video_key
from indexer.catalogue.vectors import ENERGY_DIMS, HISTOGRAM_BINS, ClipVectors, unpack
from rspnet_core.errors import QueryNotFound

VECTORS_PER_BATCH = 4096

KeyedVectors = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Keys int64 (n,) and their vectors float32 (n, D)."""


def encoder_record(connection: Connection) -> EncoderRecord | None:
    """The library's encoder, None before the first build."""
    row = connection.execute(select(Encoder.fingerprint, Encoder.description, Encoder.parts)).first()
    if row is None:
        return None
    return EncoderRecord(fingerprint=row.fingerprint, description=row.description, parts=dict(row.parts))


class VectorQueries:
    """What is read of vectors and their encoder; every method sees one state of the catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one state of the catalogue, for those that read tables themselves."""
        return self._database.reading()

    def encoder(self) -> EncoderRecord | None:
        """The library's encoder, None before the first build."""
        with self._database.reading() as connection:
            return encoder_record(connection)

    def video_vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Float32 (len(ids), D), in their order; QueryNotFound when one of them is no indexed video."""
        found: dict[int, bytes] = {}
        with self._database.reading() as connection:
            for keys in chunks(map(video_key, ids)):
                rows = connection.execute(select(Vector.video_key, Vector.vector).where(Vector.video_key.in_(keys)))
                found |= {row.video_key: row.vector for row in rows}
            dims = _dims(connection)
        return unpack([found[video_key(key)] for key in all_indexed(ids, found)], dims)

    def video_vector(self, video_id: str) -> NDArray[np.float32]:
        """Float32 (D,); QueryNotFound when no video of this id is indexed."""
        vector: NDArray[np.float32] = self.video_vectors([video_id])[0]
        return vector

    def clips_of(self, ids: Sequence[str]) -> list[ClipVectors]:
        """The clips of each video in their order; QueryNotFound when one of them is no indexed video."""
        columns = select(Clip.video_key, Clip.start_seconds, Clip.end_seconds, Clip.vector)
        found: dict[int, list[Any]] = defaultdict(list)
        with self._database.reading() as connection:
            for keys in chunks(map(video_key, ids)):
                rows = columns.where(Clip.video_key.in_(keys)).order_by(Clip.video_key, Clip.position)
                for row in connection.execute(rows):
                    found[row.video_key].append(row)
            dims = _dims(connection)
        return [_clips(found[video_key(key)], dims) for key in all_indexed(ids, found)]

    def clip_vectors(self, video_id: str) -> ClipVectors:
        """The clips of a video in their order; QueryNotFound when no video of this id is indexed."""
        return self.clips_of([video_id])[0]

    def all_vectors(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Video vectors of all indexed videos by ascending key, at most ``batch`` at a time."""
        with self._database.reading() as connection:
            yield from _stream(connection, Vector.vector, _dims(connection), batch)

    def vectors_among(self, keys: Iterable[int]) -> Iterator[KeyedVectors]:
        """Video vectors of those of these keys that are indexed, by ascending key."""
        with self._database.reading() as connection:
            for some in chunks(sorted(keys)):
                yield from _stream(connection, Vector.vector, _dims(connection), len(some), Vector.video_key.in_(some))

    def colour_histograms(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Colour histograms float32 (n, 512) of all indexed videos by ascending key."""
        with self._database.reading() as connection:
            yield from _stream(connection, Vector.colour_histogram, HISTOGRAM_BINS, batch)

    def motion_energies(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Motion energy float32 (n, 640), unit length, of all videos that have it, by ascending key."""
        if not self._database.has_energy:
            return
        with self._database.reading() as connection:
            yield from _stream(connection, Vector.motion_energy, ENERGY_DIMS, batch)


def not_indexed(video_id: str) -> QueryNotFound:
    """The error that no video of this id has vectors."""
    return QueryNotFound(f"no indexed video has the id {video_id}; `rspnet-index export` lists all of them")


def all_indexed(ids: Sequence[str], found: Container[int]) -> Sequence[str]:
    """The ids, when the key of each is in ``found``; QueryNotFound otherwise."""
    for video_id in ids:
        if video_key(video_id) not in found:
            raise not_indexed(video_id)
    return ids


def _clips(rows: list[Any], dims: int) -> ClipVectors:
    spans = np.array([(row.start_seconds, row.end_seconds) for row in rows], dtype=np.float64)
    return ClipVectors(vectors=unpack([row.vector for row in rows], dims), spans_seconds=spans)


def _dims(connection: Connection) -> int:
    encoder = encoder_record(connection)
    return 0 if encoder is None else encoder.dims


def _stream(
    connection: Connection,
    column: InstrumentedAttribute[bytes] | InstrumentedAttribute[bytes | None],
    dims: int,
    batch: int,
    *wanted: ColumnElement[bool],
) -> Iterator[KeyedVectors]:
    statement = select(Vector.video_key, column).where(column.is_not(None), *wanted).order_by(Vector.video_key)
    rows = connection.execute(statement, execution_options={"yield_per": batch})
    for partition in rows.partitions():
        keys = np.array([row[0] for row in partition], dtype=np.int64)
        yield keys, unpack([row[1] or b"" for row in partition], dims)
