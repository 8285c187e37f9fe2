"""Engines of SQLAlchemy for SQLite files, published rows, and PostgreSQL servers."""

import os
import sqlite3
import urllib.parse
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from rspnet_core.errors import LibraryError, LibraryNotFound

PUBLISHED = "the index's rows.sqlite"
"""Names it in messages."""
BUSY_TIMEOUT_SECONDS = 30.0
PAGE_BYTES = 16384
"""Five clip vectors of 768 numbers fill a page to 95 %; SQLite's usual 4096 would waste a quarter."""


def open_engine(target: str | Path | sqlite3.Connection, *, write: bool) -> tuple[str, Engine]:
    """Return the name for messages, without password, and the engine."""
    if isinstance(target, sqlite3.Connection):
        return PUBLISHED, _rows_engine(target)
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


def _rows_engine(connection: sqlite3.Connection) -> Engine:
    """One connection for all threads: nothing writes, so that none needs a transaction of its own."""
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
    connection = sqlite_connection(path, "mode=rwc") if write else _reader(path)
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


def sqlite_connection(path: Path, query: str) -> sqlite3.Connection:
    """To a file, for any thread, opened as SQLite's URI parameters say. Raises sqlite3.OperationalError."""
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
        connection = sqlite_connection(path, "mode=ro")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").close()
        except sqlite3.OperationalError as error:
            if "disk I/O error" not in str(error) or _is_filled(log):
                return connection  # whose first statement says what is wrong
            connection.close()
        else:
            return connection
    return sqlite_connection(path, "mode=ro&immutable=1")


def _is_filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
