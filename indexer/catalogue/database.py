"""The catalogue's door to SQLite or PostgreSQL: connections, transactions, tables brought up to date, errors in words.

One connection writes (it also holds PostgreSQL's writer lock, so a lost connection cannot write unlocked); every read
has its own, so that a reader never waits for a writer.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from indexer.catalogue.engines import PUBLISHED, open_engine
from indexer.catalogue.seals import seal_all
from rspnet_core.errors import LibraryBusy, LibraryDamaged, LibraryError, LibraryNotFound

HEAD_REVISION = "0006"
PREDICTIONS_SINCE = "0002"
SEALS_SINCE = "0003"
ENERGY_SINCE = "0004"
ADDED_SINCE = HEAD_REVISION
REVISIONS = ("0001", PREDICTIONS_SINCE, SEALS_SINCE, ENERGY_SINCE, "0005", ADDED_SINCE)
OWN_LOCK_SECONDS = 2.0
"""How long a server may take to notice that a connection of this process has gone, and to free its lock."""
WRITER_LOCK = 0x7273706E6574
"""The number of PostgreSQL's advisory lock: "rspnet"."""


class Database:
    """An open catalogue database; ``write`` brings its tables up to date first.

    Raises LibraryNotFound, LibraryBusy (PostgreSQL: another writer), LibraryDamaged or LibraryError.
    """

    def __init__(self, target: str | Path | sqlite3.Connection, *, write: bool) -> None:
        """Open a PostgreSQL URL, a SQLite file, or take over the rows of a generation, which are only read."""
        self.name, self._engine = open_engine(target, write=write)
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

    @property
    def has_energy(self) -> bool:
        """Whether videos have the column of motion energy."""
        return self._revision >= ENERGY_SINCE

    @property
    def has_added(self) -> bool:
        """Whether videos have the column of when they were first indexed."""
        return self._revision >= ADDED_SINCE

    def close(self) -> None:
        """Give back all connections and, on PostgreSQL, the writer lock."""
        if self._writer is not None:
            if not self.is_sqlite:
                _give_server_lock_back(self._writer)
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
        patience_seconds = 0.0
        if self._writer is not None and self._writer.invalidated:
            self._writer.close()
            self._writer = None
            patience_seconds = OWN_LOCK_SECONDS
        if self._writer is None:
            self._writer = self._open_writer(patience_seconds)
        return self._writer

    def _open_writer(self, patience_seconds: float) -> Connection:
        writer = self._engine.connect().execution_options(sqlite_begin="IMMEDIATE")
        try:
            if not self.is_sqlite:
                self._take_server_lock(writer, patience_seconds)
            with writer.begin():
                found = _revision(writer)
                if found != HEAD_REVISION:
                    _refuse_unknown(found, self.name)
                    _migrate(writer)
                    if found is None or found < SEALS_SINCE:
                        seal_all(writer)
        except BaseException:
            if not self.is_sqlite:
                _give_server_lock_back(writer)
            writer.close()
            raise
        return writer

    def _take_server_lock(self, connection: Connection, patience_seconds: float) -> None:
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            with connection.begin():
                if connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": WRITER_LOCK}):
                    return
            time.sleep(0.05)
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


def _give_server_lock_back(connection: Connection) -> None:
    """At once: the server would free it a little after it noticed that the connection is gone."""
    with suppress(SQLAlchemyError):
        if not (connection.closed or connection.invalidated):
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": WRITER_LOCK})
            connection.commit()


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
    way = "restore it from a backup, or remove it and build again"
    if name == PUBLISHED:
        way = "`rspnet-index repair` makes it anew from the catalogue"
    return LibraryDamaged(f"{name} is damaged ({reason}); {way}")
