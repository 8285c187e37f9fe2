"""What a generation shows: the rows that were published beside the index, and the vectors that they stand for.

``rows.sqlite`` in a generation is a small database of all that describes the library: videos, splits, data folders,
encoder and, for each video, the digest of its vectors. Its bytes are hashed like those of the index. A reader therefore
shows one generation whatever a build has committed since, and no damage to the catalogue can change what it shows:
vectors of clips, too many to publish, are read from the catalogue and compared with their digest. Those of a video that
was dropped or replaced meanwhile are kept there until no generation that is kept shows it.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    NullPool,
    Select,
    Table,
    create_engine,
    insert,
    select,
    text,
)

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.database import HEAD_REVISION, Database
from indexer.catalogue.models import Base, Build, Encoder, Root, Split, State, Vector, Video
from indexer.catalogue.queries import (
    VECTORS_PER_BATCH,
    CatalogueQueries,
    KeyedVectors,
    all_indexed,
    chunks,
    not_indexed,
)
from indexer.catalogue.records import id_of_key, video_key
from indexer.catalogue.stored import retired_vectors, stored_vectors
from indexer.catalogue.vectors import ClipVectors, VideoVectors
from indexer.index import generations
from indexer.index.index_types import FILE_NAME, SearchIndex, index_type
from rspnet_core.errors import LibraryDamaged, LibraryNotFound, LibraryOutdated

ROWS_NAME = "rows.sqlite"

_COPIED = tuple(Base.metadata.tables[model.__tablename__] for model in (State, Encoder, Root, Build, Video, Split))
_DIGESTS = Table(
    "digests",
    MetaData(),
    Column("video_key", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
)
_VIDEOS_PER_READ = 50


def rows_of(catalogue: Catalogue) -> bytes:
    """The content of ``rows.sqlite``: the catalogue's rows as they are now."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite+pysqlite://", creator=lambda: memory, poolclass=NullPool)
    with engine.connect() as target, catalogue.reading() as source:
        target.exec_driver_sql("BEGIN")
        Base.metadata.create_all(target, tables=_COPIED)
        _DIGESTS.create(target)
        for table in _COPIED:
            _copy(source, select(table), target, table)
        _copy(source, select(Vector.video_key, Vector.digest), target, _DIGESTS)
        target.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        target.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": HEAD_REVISION})
        target.exec_driver_sql("COMMIT")
        return memory.serialize()


def _copy(source: Connection, rows: Select[Any, Any] | Select[Any], target: Connection, table: Table) -> None:
    found = source.execute(rows, execution_options={"yield_per": VECTORS_PER_BATCH})
    for some in found.mappings().partitions():
        target.execute(insert(table), [dict(row) for row in some])


class PublishedCatalogue(CatalogueQueries):
    """The catalogue as one generation shows it; close it, or use it as a context manager.

    Reads rows from the generation, video vectors from its index, and all else from the catalogue that goes on.
    Methods that return vectors of clips or histograms raise LibraryDamaged when they are not those that were published,
    and LibraryOutdated when they are kept no more because two newer generations were published.
    """

    def __init__(self, generation: generations.Generation, target: str | Path) -> None:
        """Take over an open generation that has rows; ``target`` is where its catalogue goes on."""
        super().__init__(Database(generation.verified(ROWS_NAME).read(), write=False))
        self.generation = generation
        self._target = target

    @cached_property
    def index(self) -> SearchIndex:
        """The generation's index, on the CPU."""
        content = self.generation.manifest.content
        read = index_type(content.index_type).read
        return read(self.generation.verified(FILE_NAME), count=content.count, dims=content.dims)

    @cached_property
    def live(self) -> Catalogue:
        """The catalogue that builds write to, opened when it is first needed."""
        return Catalogue.open(self._target, write=False)

    def close(self) -> None:
        """Close the generation's files and the catalogue."""
        self.generation.close()
        self._database.close()
        if "live" in self.__dict__:
            self.live.close()

    def video_vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Float32 (len(ids), D), in their order; QueryNotFound when the generation does not show one of them."""
        vectors = [self.index.vector(video_key(video_id)) for video_id in ids]
        for video_id, vector in zip(ids, vectors, strict=True):
            if vector is None:
                raise not_indexed(video_id)
        return np.array(vectors, dtype=np.float32).reshape(len(ids), self.index.dims)

    def clips_of(self, ids: Sequence[str]) -> list[ClipVectors]:
        """The clips of each video in their order; QueryNotFound when the generation does not show one of them."""
        found = dict(self._whole([video_key(video_id) for video_id in ids]))
        whole = [found[video_key(video_id)] for video_id in all_indexed(ids, found)]
        return [ClipVectors(vectors=vectors.clips, spans_seconds=vectors.spans_seconds) for vectors in whole]

    def all_vectors(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Video vectors of the generation by ascending key, at most ``batch`` at a time."""
        for start in range(0, len(self.index), batch):
            yield self.index.keys[start : start + batch], self.index.vectors[start : start + batch].copy()

    def colour_histograms(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Colour histograms float32 (n, 512) by ascending key."""
        for keys in chunks(self.index.keys.tolist(), batch):
            histograms = {key: vectors.colour_histogram for key, vectors in self._whole(keys)}
            yield np.array(keys, dtype=np.int64), np.stack([histograms[key] for key in keys])

    def motion_energies(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Motion energy float32 (n, 640), unit length, of those videos that have it, by ascending key."""
        for keys in chunks(self.index.keys.tolist(), batch):
            found = dict(self._whole(keys))
            rows = [(key, energy) for key in keys if (energy := found[key].motion_energy) is not None]
            if rows:
                yield np.array([key for key, _ in rows], dtype=np.int64), np.stack([energy for _, energy in rows])

    def _whole(self, keys: list[int]) -> Iterator[tuple[int, VideoVectors]]:
        """Key and vectors, as they were published, of those of ``keys`` that the generation shows."""
        with self._database.reading() as connection:
            digests = {
                key: digest
                for some in chunks(keys)
                for key, digest in connection.execute(select(_DIGESTS).where(_DIGESTS.c.video_key.in_(some)))
            }
        for some in chunks(sorted(digests), _VIDEOS_PER_READ):
            yield from self._read(some, digests)

    def _read(self, keys: list[int], digests: dict[int, bytes]) -> Iterable[tuple[int, VideoVectors]]:
        dims, found = self.generation.manifest.content.dims, {}
        with self.live.reading() as connection:
            for key, vectors, _ in stored_vectors(connection, keys, dims, has_energy=self.live.has_energy):
                if vectors is not None and vectors.digest() == digests[key]:
                    found[key] = vectors
            if self.live.keeps_retired:
                for key in set(keys) - set(found):
                    if (
                        kept := retired_vectors(connection, digests[key], dims, has_energy=self.live.has_energy)
                    ) is not None:
                        found[key] = kept
        if missing := set(keys) - set(found):
            raise self._not_there(id_of_key(min(missing)))
        return found.items()

    def _not_there(self, video_id: str) -> LibraryDamaged | LibraryOutdated:
        if self.generation.is_current():
            return LibraryDamaged(
                f"the stored vectors of video {video_id} are not those that were published; `rspnet-index repair` "
                "drops it, and the next build embeds it again"
            )
        return LibraryOutdated("newer generations of this library were published since it was opened; open it again")


AnyCatalogue = PublishedCatalogue | Catalogue


def open_published(folder: Path, target: str | Path) -> AnyCatalogue:
    """What the current generation shows; where it has no rows, or there is none, the catalogue as it is now."""
    try:
        generation = generations.open_current(folder)
    except LibraryNotFound:
        return Catalogue.open(target, write=False)
    try:
        if ROWS_NAME in generation.manifest.files:
            return PublishedCatalogue(generation, target)
        generation.close()
        return Catalogue.open(target, write=False)
    except BaseException:
        generation.close()
        raise
