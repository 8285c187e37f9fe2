"""The catalogue: the truth about a library. Which videos it holds, their vectors and clips, encoder, roots and builds.

One SQLite file (write-ahead log, fsync at each commit) or a PostgreSQL database. A video's row, clips and vectors are
in one transaction, with those of other videos: a kill at any moment leaves all of it or nothing. The caller of a SQLite
catalogue holds the folder's ``WriterLock`` while writing; on PostgreSQL it holds a lock of the server besides.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from indexer.catalogue.changes import Changes, changes_since, forget_changes
from indexer.catalogue.check import damaged_among, damaged_videos, database_problems
from indexer.catalogue.chunks import chunks
from indexer.catalogue.commits import PREDICTED, VIDEOS_PER_COMMIT, Outcome, replace_videos, write_outcomes
from indexer.catalogue.database import Database
from indexer.catalogue.models import Build, Clip, Encoder, Root, Split, Vector, Video
from indexer.catalogue.prediction import Prediction
from indexer.catalogue.queries import CatalogueQueries
from indexer.catalogue.records import (
    BuildRecord,
    Counts,
    EncoderRecord,
    KnownVideo,
    LabelledVideo,
    Status,
    VideoEntry,
    VideoRow,
    id_of_key,
    video_key,
)
from indexer.catalogue.rows import columns, copy_rows, insert_splits, new_content, retire_videos
from indexer.catalogue.seals import (
    broken_seals,
    check_settings,
    seal_of_encoder,
    seal_of_root,
    seal_videos,
)
from indexer.catalogue.stored import age_retired
from indexer.catalogue.vector_queries import encoder_record
from indexer.catalogue.vectors import HISTOGRAM_BINS, ClipVectors, VideoVectors
from rspnet_core.errors import EncoderMismatch

__all__ = [
    "FILE_NAME",
    "HISTOGRAM_BINS",
    "BuildRecord",
    "Catalogue",
    "ClipVectors",
    "Counts",
    "EncoderRecord",
    "KnownVideo",
    "LabelledVideo",
    "Outcome",
    "Status",
    "VideoEntry",
    "VideoRow",
    "VideoVectors",
    "id_of_key",
    "video_key",
]

FILE_NAME = "catalogue.sqlite"
"""The catalogue's file in an index folder."""

_UPDATED = ("size_bytes", "modified_ns", "label", "group")
_SOURCE_FACTS = ("width", "height", "fps", "num_frames", "duration_seconds", "num_clips", "reason", *PREDICTED)


class Catalogue(CatalogueQueries):
    """An open catalogue; a context manager. Any number of readers, one writer."""

    @classmethod
    def open(cls, target: str | Path, *, write: bool) -> Self:
        """Open a SQLite file or a ``postgresql://`` URL; ``write`` makes it or brings it up to date.

        Raises LibraryNotFound (nothing there to read), LibraryBusy (PostgreSQL: another writer), LibraryDamaged, or
        LibraryError, for one that a newer version of rspnet has written.
        """
        database = Database(target, write=write)
        if write:
            try:
                with database.reading() as connection:
                    check_settings(connection)
            except BaseException:
                database.close()
                raise
        return cls(database)

    @property
    def keeps_retired(self) -> bool:
        """Whether the tables keep vectors of videos that left; those of older versions do not."""
        return self._database.has_seals

    @property
    def has_energy(self) -> bool:
        """Whether the tables have a column of motion energy."""
        return self._database.has_energy

    def close(self) -> None:
        """Give back all connections and locks."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set_encoder(self, record: EncoderRecord) -> None:
        """Make this the encoder of all vectors; EncoderMismatch when there are vectors of another one."""
        with self._database.writing() as connection:
            before = encoder_record(connection)
            if before == record:
                return
            changes = before is not None and before.fingerprint != record.fingerprint
            if before and changes and connection.scalar(select(Vector.video_key).limit(1)) is not None:
                raise EncoderMismatch(
                    f"the library holds vectors of encoder {before.fingerprint}, got encoder {record.fingerprint}; "
                    "vectors of two encoders never mix: use another --index, or empty this library with "
                    "`rspnet-index remove --all`"
                )
            connection.execute(delete(Encoder))
            values: dict[str, Any] = {
                "fingerprint": record.fingerprint,
                "description": dict(record.description),
                "parts": [[name, length] for name, length in record.parts.items()],
            }
            connection.execute(insert(Encoder).values(id=1, seal=seal_of_encoder(**values), **values))
            new_content(connection)

    def root_id(self, path: str) -> int:
        """The id of a data folder, made when it is new; ``path`` absolute, or relative to the index folder."""
        with self._database.writing() as connection:
            known = connection.scalar(select(Root.id).where(Root.path == path))
            if known is not None:
                return known
            number = connection.execute(select(func.coalesce(func.max(Root.id), 0) + 1)).scalar_one()
            connection.execute(insert(Root).values(id=number, path=path, seal=seal_of_root(number, path)))
            return number

    def rename_root(self, root_id: int, path: str) -> None:
        """Say that a data folder is elsewhere now; its videos keep their ids."""
        with self._database.writing() as connection:
            values = {"path": path, "seal": seal_of_root(root_id, path)}
            connection.execute(update(Root).where(Root.id == root_id).values(values))
            new_content(connection)

    def drop_root(self, root_id: int) -> None:
        """Remove a data folder with all its videos."""
        self.drop([video.id for video in self.known(root_id).values()])
        with self._database.writing() as connection:
            connection.execute(delete(Root).where(Root.id == root_id))
            new_content(connection)

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """Store what became of many files, each in place of an earlier row of the same path, in one transaction.

        ``shortfall`` says what a file that was cut lacks.
        Raises LibraryError, and writes nothing, when a vector is not finite, not of unit length or of another size.
        """
        with self._database.writing() as connection:
            if outcomes and (shown := write_outcomes(connection, outcomes)):
                new_content(connection, stored=shown)

    def commit_indexed(
        self,
        entry: VideoEntry,
        vectors: VideoVectors,
        predicted: Prediction | None = None,
        shortfall: str | None = None,
    ) -> None:
        """Store one video with its vectors, class and what a file that was cut lacks; see :meth:`commit`."""
        self.commit([Outcome(entry=entry, vectors=vectors, predicted=predicted, reason=shortfall)])

    def commit_failed(self, entry: VideoEntry, reason: str) -> None:
        """Record why a file cannot be indexed; vectors that it had are dropped."""
        self.commit([Outcome(entry=entry, reason=reason)])

    def copy_vectors(self, copies: Iterable[tuple[str, VideoEntry]], *, keep_dates: bool = False) -> list[VideoEntry]:
        """Store entries with the vectors, class and media facts of the videos, by id, whose content they have.

        ``keep_dates``: of files that moved, also when they were first indexed. Returns those that were not stored,
        because the video of that id does not hold their content any more.
        """
        left: list[VideoEntry] = []
        for chunk in chunks(copies, VIDEOS_PER_COMMIT):
            with self._database.writing() as connection:
                facts = (*_SOURCE_FACTS, "added_ns") if keep_dates else _SOURCE_FACTS
                refused = [entry for twin, entry in chunk if not self._copy(connection, video_key(twin), entry, facts)]
                if copied := {entry.key for _, entry in chunk} - {entry.key for entry in refused}:
                    new_content(connection, stored=copied)
            left += refused
        return left

    def _copy(self, connection: Connection, source: int, entry: VideoEntry, names: Sequence[str]) -> bool:
        facts = select(*(getattr(Video, name) for name in names)).where(
            Video.key == source,
            Video.key != entry.key,
            Video.status == "indexed",
            Video.content_hash.is_not(None),
            Video.content_hash == entry.content_hash,
        )
        found = connection.execute(facts).mappings().first()
        if found is None:
            return False
        replace_videos(connection, [(entry, {"status": "indexed", **found})])
        for table in (Vector, Clip):
            copy_rows(connection, table, source, entry.key)
        return True

    def update_entries(self, entries: Iterable[VideoEntry]) -> None:
        """Store size, time, label, group and splits of known videos whose content has not changed."""
        changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _UPDATED}
        statement = update(Video).where(Video.key == bindparam("of_key")).values(changes)
        for chunk in chunks(entries):
            rows = [
                {f"new_{name}": columns(entry)[name] for name in _UPDATED} | {"of_key": entry.key} for entry in chunk
            ]
            keys = [entry.key for entry in chunk]
            with self._database.writing() as connection:
                there = set(connection.scalars(select(Video.key).where(Video.key.in_(keys))))
                broken = set(broken_seals(connection, keys))  # stay so: what else stands in them is not known
                connection.execute(statement, rows)
                connection.execute(delete(Split).where(Split.video_key.in_(keys)))
                insert_splits(connection, {entry.key: entry.splits for entry in chunk})
                seal_videos(connection, set(keys) - broken)
                new_content(connection, stored=there)

    def drop(self, ids: Iterable[str]) -> None:
        """Remove videos and all that belongs to them; unknown ids are nothing to remove."""
        for chunk in chunks(video_key(video_id) for video_id in ids):
            with self._database.writing() as connection:
                retire_videos(connection, chunk)
                connection.execute(delete(Video).where(Video.key.in_(chunk)))
                new_content(connection, gone=chunk)

    def let_go(self) -> None:
        """Say that a generation was published: of videos that left, what no kept generation shows is removed."""
        with self._database.writing() as connection:
            age_retired(connection)
            forget_changes(connection)

    def begin_build(self, layout: str) -> int:
        """Record that a build of a data folder of this layout starts; returns its id."""
        with self._database.writing() as connection:
            number = connection.execute(select(func.coalesce(func.max(Build.id), 0) + 1)).scalar_one()
            connection.execute(insert(Build).values(id=number, started=datetime.now(UTC), layout=layout, counts={}))
            return number

    def finish_build(self, build_id: int, counts: Mapping[str, int]) -> None:
        """Record that a build ended, and what it did."""
        with self._database.writing() as connection:
            done = {"finished": datetime.now(UTC), "counts": dict(counts)}
            connection.execute(update(Build).where(Build.id == build_id).values(done))

    def changes_since(self, content_version: str) -> Changes | None:
        """All that changed since then; None where that cannot be told."""
        with self._database.reading() as connection:
            return changes_since(connection, content_version)

    def damaged(self, *, deep: bool = False) -> dict[str, str]:
        """Id -> what is wrong with its row or vectors; ``deep`` reads all vectors, else sizes of all and a sample."""
        with self._database.reading() as connection:
            return damaged_videos(connection, self._database, deep=deep)

    def damaged_among(self, keys: Iterable[int]) -> dict[str, str]:
        """Id -> what is wrong, of the videos of these keys, which all should be there; reads all of their vectors."""
        with self._database.reading() as connection:
            return damaged_among(connection, self._database, keys)

    def check(self, *, deep: bool = False) -> list[str]:
        """All problems in words, an empty list when the catalogue is sound; never raises for damage."""
        return database_problems(self._database, deep=deep)
