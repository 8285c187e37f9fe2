"""The catalogue's door to SQLite or PostgreSQL: connections, transactions, tables brought up to date, errors in words.

One connection writes (it also holds PostgreSQL's writer lock, so a lost connection cannot write unlocked); every read
has its own, so that a reader never waits for a writer.
"""

import os
import sqlite3
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from indexer.catalogue.seals import seal_all
from rspnet_core.errors import LibraryBusy, LibraryDamaged, LibraryError, LibraryNotFound

HEAD_REVISION = "0003"
PREDICTIONS_SINCE = "0002"
SEALS_SINCE = "0003"
REVISIONS = ("0001", PREDICTIONS_SINCE, SEALS_SINCE)
BUSY_TIMEOUT_SECONDS = 30.0
PAGE_BYTES = 16384
"""Five clip vectors of 768 numbers fill a page to 95 %; SQLite's usual 4096 would waste a quarter."""
WRITER_LOCK = 0x7273706E6574
"""The number of PostgreSQL's advisory lock: "rspnet"."""


class Database:
    """An open catalogue database; ``write`` brings its tables up to date first.

    Raises LibraryNotFound, LibraryBusy (PostgreSQL: another writer), LibraryDamaged or LibraryError.
    """

    def __init__(self, target: str | Path | bytes, *, write: bool) -> None:
        """Open a PostgreSQL URL, a SQLite file, or the content of one, which is only read."""
        self.name, self._engine = _create_engine(target, write=write)
        self._may_write = write
        self._revision = HEAD_REVISION
        self._write_lock = threading.Lock()
        self._writer: Connection | None = None
        try:
            with translated(self.name):
                if write:
                    self._live_writer()
                else:
                    self._check_revision()
        except BaseException:
            self.close()
            raise

    @property
    def is_sqlite(self) -> bool:
        """SQLite, as against PostgreSQL."""
        return self._engine.dialect.name == "sqlite"

    @property
    def has_predictions(self) -> bool:
        """Whether videos have the columns of predictions; a reader may look at tables that no build has updated yet."""
        return self._revision >= PREDICTIONS_SINCE

    @property
    def has_seals(self) -> bool:
        """Whether rows carry seals and videos that left keep their vectors for a while."""
        return self._revision >= SEALS_SINCE

    def close(self) -> None:
        """Give back all connections and, on PostgreSQL, the writer lock."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the catalogue, whatever is written meanwhile."""
        with translated(self.name), self._engine.connect() as connection, connection.begin():
            try:
                yield connection
            except (TypeError, ValueError) as error:  # a stored value that cannot be what its column says
                raise _damaged(str(error), self.name) from error

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when the block ends, or did not happen."""
        if not self._may_write:
            raise LibraryError(f"{self.name} was opened for reading; open it with write=True to change it")
        with self._write_lock, translated(self.name):
            writer = self._live_writer()
            with writer.begin():
                yield writer

    def _live_writer(self) -> Connection:
        """The writing connection; a new one when the server went away, or Ctrl-C came in the middle of a statement."""
        if self._writer is not None and self._writer.invalidated:
            self._writer.close()
            self._writer = None
        if self._writer is None:
            self._writer = self._open_writer()
        return self._writer

    def _open_writer(self) -> Connection:
        writer = self._engine.connect().execution_options(sqlite_begin="IMMEDIATE")
        try:
            if not self.is_sqlite:
                self._take_server_lock(writer)
            with writer.begin():
                found = _revision(writer)
                if found != HEAD_REVISION:
                    _refuse_unknown(found, self.name)
                    _migrate(writer)
                    seal_all(writer)
        except BaseException:
            writer.close()
            raise
        return writer

    def _take_server_lock(self, connection: Connection) -> None:
        with connection.begin():
            if connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": WRITER_LOCK}):
                return
            holder = connection.scalar(
                text(
                    "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
                    " WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = :lock"
                ),
                {"lock": WRITER_LOCK},
            )
        raise LibraryBusy(f"{holder or 'another process'} is writing to {self.name}; wait for it to finish or stop it")

    def _check_revision(self) -> None:
        with self._engine.connect() as connection, connection.begin():
            found = _revision(connection)
        if found is None:
            raise LibraryNotFound(f"{self.name} has no library yet; make one with `rspnet-index build`")
        _refuse_unknown(found, self.name)
        self._revision = found


def _create_engine(target: str | Path | bytes, *, write: bool) -> tuple[str, Engine]:
    """Return the name for messages, without password, and the engine."""
    if isinstance(target, bytes):
        return "the published rows", _memory_engine(target)
    if isinstance(target, Path) or "://" not in target:
        return str(target), _sqlite_engine(Path(target), write=write)
    try:
        url = make_url(target)
    except (ArgumentError, ValueError) as error:
        raise LibraryError("got an invalid database URL; allowed is postgresql://USER@HOST:PORT/DATABASE") from error
    name = url.render_as_string(hide_password=True)
    if url.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise LibraryError(f"got a catalogue at {name}; allowed are a SQLite file and postgresql://USER@HOST/DATABASE")
    options: dict[str, Any] = {"application_name": f"rspnet (pid {os.getpid()} on {os.uname().nodename})"}
    if not write:
        options["options"] = "-c default_transaction_read_only=on"
    try:
        return name, create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args=options,
            isolation_level="REPEATABLE READ",
            hide_parameters=True,
        )
    except ImportError as error:
        raise LibraryError(
            "a PostgreSQL catalogue needs psycopg; install it with `pip install 'rspnet[postgres]'`"
        ) from error


def _memory_engine(content: bytes) -> Engine:
    """One connection for all threads: nothing writes, so that none needs a transaction of its own."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.deserialize(content)
    return create_engine("sqlite+pysqlite://", creator=lambda: connection, poolclass=StaticPool, hide_parameters=True)


def _sqlite_engine(path: Path, *, write: bool) -> Engine:
    if not write and not path.exists():
        raise LibraryNotFound(f"{path} does not exist; make a library with `rspnet-index build`")
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _connect_sqlite(path, write=write),
        poolclass=NullPool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the write lock at once: a transaction that starts by reading could not upgrade it later.
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")

    return engine


def _connect_sqlite(path: Path, *, write: bool) -> sqlite3.Connection:
    connection = _sqlite_connection(path, "mode=rwc") if write else _reader(path)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        if write:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _sqlite_connection(path: Path, query: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{urllib.parse.quote(os.fsencode(path.absolute()))}?{query}",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,  # transactions begin and end where this module says
        check_same_thread=False,
    )


def _reader(path: Path) -> sqlite3.Connection:
    """A connection for reading; where the folder cannot be written, a file without log needs SQLite's ``immutable``.

    A full disk is such a folder: SQLite makes a small file even for readers, and nobody can write then. Found out anew
    at each connection: where only this user may not write, another one's build may start any time.
    """
    log = path.with_name(path.name + "-wal")
    if os.access(path.parent, os.W_OK) or _is_filled(log):
        connection = _sqlite_connection(path, "mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").close()
        except sqlite3.OperationalError as error:
            if "disk I/O error" not in str(error) or _is_filled(log):
                return connection  # whose first statement says what is wrong
            connection.close()
        else:
            return connection
    return _sqlite_connection(path, "mode=ro&immutable=1")


def _is_filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return str(connection.scalar(text("SELECT version_num FROM alembic_version")))


def _refuse_unknown(found: str | None, name: str) -> None:
    if found is not None and found not in REVISIONS:
        raise LibraryError(
            f"{name} has tables of revision {found}, this version of rspnet knows them up to {HEAD_REVISION}; "
            "update rspnet, or use another --index"
        )


def _migrate(connection: Connection) -> None:
    from alembic import command  # a second to import, needed once in a library's life
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn the database's errors into the project's, one line each."""
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        if isinstance(error, OperationalError) and not isinstance(error.orig, sqlite3.Error):
            raise LibraryError(
                f"the server of {name} does not answer ({reason}); all that was committed is kept: start the server, "
                "or free some space there, and run this again"
            ) from error
        raise _in_words(reason, name) from error
    except UnicodeDecodeError as error:  # names of tables that are no text, which sqlite3 cannot even report
        raise _damaged(str(error), name) from error
    except SQLAlchemyError as error:
        raise LibraryError(f"{name}: {str(error).partition(chr(10))[0]}") from error


def _in_words(reason: str, name: str) -> LibraryError:
    if any(sign in reason for sign in ("malformed", "not a database")):
        return _damaged(reason, name)
    if any(sign in reason for sign in ("disk is full", "No space left", "disk I/O error")):
        return LibraryError(
            f"no space left for {name}, or its disk fails ({reason}); nothing was half-written: free some space "
            "and run again"
        )
    if "readonly database" in reason:
        return LibraryError(f"{name} cannot be written; fix the permissions, or build into another --index")
    if "database is locked" in reason:
        return LibraryBusy(f"another process is writing to {name}; wait for it to finish or stop it")
    return LibraryError(f"{name}: {reason}")


def _damaged(reason: str, name: str) -> LibraryDamaged:
    return LibraryDamaged(f"{name} is damaged ({reason}); restore it from a backup, or remove it and build again")
