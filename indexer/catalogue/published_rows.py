"""``rows.sqlite`` of a segment: a small database of what the catalogue says of its videos, and of the library.

Videos, splits and, for each video, the digest of its vectors; and, whole in every segment, encoder, data folders,
builds and state, of which the last segment's hold. The rows of a generation are those of its segments, laid one over
the other in memory; those of a single segment stay in their file, of which SQLite reads what it is asked for.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

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
from indexer.catalogue.chunks import chunks
from indexer.catalogue.database import HEAD_REVISION
from indexer.catalogue.engines import sqlite_connection
from indexer.catalogue.models import Base, Build, Encoder, Root, Split, State, Vector, Video
from indexer.catalogue.vector_queries import VECTORS_PER_BATCH
from indexer.index.generations import Generation
from indexer.index.manifest import Segment
from indexer.index.segments import Keys, decided_keys

Layer = tuple[bytes | BufferedReader, Keys]
"""The content of a segment's ``rows.sqlite``, or the file with its bytes verified; and the keys that it decides."""

ROWS_NAME = "rows.sqlite"
DIGESTS = Table(
    "digests",
    MetaData(),
    Column("video_key", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),
)

_LIBRARY = tuple(Base.metadata.tables[model.__tablename__] for model in (State, Encoder, Root, Build))
_VIDEO, _SPLIT = (Base.metadata.tables[model.__tablename__] for model in (Video, Split))
_OF_VIDEOS = {_SPLIT: "video_key", DIGESTS: "video_key", _VIDEO: "key"}
"""Table -> its column of the video's key."""


def rows_of(catalogue: Catalogue, keys: Iterable[int] | None = None) -> bytes:
    """The content of ``rows.sqlite``: the rows, as they are now, of all videos or of these keys."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite+pysqlite://", creator=lambda: memory, poolclass=NullPool)
    with engine.connect() as target, catalogue.reading() as source:
        target.exec_driver_sql("BEGIN")
        Base.metadata.create_all(target, tables=[*_LIBRARY, _VIDEO, _SPLIT])
        DIGESTS.create(target)
        for table in _LIBRARY:
            _copy(source, select(table), target, table)
        for some in [None] if keys is None else chunks(keys):
            for statement, table, key in (
                (select(_VIDEO), _VIDEO, Video.key),
                (select(_SPLIT), _SPLIT, Split.video_key),
                (select(Vector.video_key, Vector.digest), DIGESTS, Vector.video_key),
            ):
                _copy(source, statement if some is None else statement.where(key.in_(some)), target, table)
        target.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        target.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": HEAD_REVISION})
        target.exec_driver_sql("COMMIT")
        return memory.serialize()


def _copy(source: Connection, rows: Select[Any, Any] | Select[Any], target: Connection, table: Table) -> None:
    found = source.execute(rows, execution_options={"yield_per": VECTORS_PER_BATCH})
    for some in found.mappings().partitions():
        target.execute(insert(table), [dict(row) for row in some])


def row_layers(generation: Generation, segments: Sequence[Segment]) -> Iterator[Layer]:
    """Of these segments, oldest first. Raises LibraryDamaged."""
    for segment, keys in zip(segments, decided_keys(generation, segments), strict=True):
        yield generation.verified(ROWS_NAME, segment), keys


def laid_over(layers: Iterable[Layer]) -> sqlite3.Connection:
    """A database of the rows of layers, oldest first: that of a single one, of several one in memory."""
    first, *later = layers
    rows = _opened(first[0])
    if not later:
        return rows
    # A database out of bytes grows to 1 GiB at most, one of SQLite's own to any size.
    memory = _connect()
    with closing(rows):
        rows.backup(memory)
    for content, keys in later:
        _lay_over(memory, content if isinstance(content, bytes) else content.read(), keys)
    return memory


def _opened(content: bytes | BufferedReader) -> sqlite3.Connection:
    if not isinstance(content, bytes):
        with suppress(sqlite3.OperationalError):
            return sqlite_connection(Path(content.name), "mode=ro&immutable=1")
        content = content.read()  # two newer generations were published, and its name is gone
    rows = _connect()
    rows.deserialize(content)
    return rows


def _lay_over(rows: sqlite3.Connection, content: bytes, keys: Keys) -> None:
    """In SQL as it is: SQLAlchemy would take longer to write these few statements than SQLite to run them."""
    rows.execute("ATTACH ':memory:' AS later")
    rows.deserialize(content, name="later")
    rows.execute("BEGIN")
    for table, key in _OF_VIDEOS.items():
        rows.executemany(f"DELETE FROM {table.name} WHERE {key} = ?", ((each,) for each in keys.tolist()))  # noqa: S608
    for table in _LIBRARY:
        rows.execute(f"DELETE FROM {table.name}")  # noqa: S608
    for table in (*_LIBRARY, *_OF_VIDEOS):
        names = ", ".join(_common_columns(rows, table))
        rows.execute(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM later.{table.name}")  # noqa: S608
    rows.execute("UPDATE alembic_version SET version_num = (SELECT version_num FROM later.alembic_version)")
    rows.execute("COMMIT")
    rows.execute("DETACH later")


def _common_columns(rows: sqlite3.Connection, table: Table) -> list[str]:
    """Those that the later layer has, added to what it is laid over where an older version wrote that without them."""
    below, later = (
        {column[1] for column in rows.execute(f"PRAGMA {layer}.table_info({table.name})")}
        for layer in ("main", "later")
    )
    for column in table.columns:
        if column.name in later - below:
            rows.execute(f"ALTER TABLE main.{table.name} ADD COLUMN {column.name} {column.type}")
    return [column.name for column in table.columns if column.name in later]


def _connect() -> sqlite3.Connection:
    """To a new database in memory, for any thread: SQLite takes its statements one by one."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
