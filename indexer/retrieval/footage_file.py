"""``copies.sqlite`` in a library's folder: how videos are compared for copies, and which were compared already.

Kept by content, so that a video that is renamed, moved or held twice is read once. About 2 kB a second of video, 260 kB
at most. All of it can be made again: a file that is damaged, or of another version, is begun anew.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Self

import numpy as np

from indexer.catalogue.catalogue import VideoRow
from rspnet_core.video.footage import FRAMES, SIDE, Footage
from rspnet_core.video.reading.sniff import open_regular

FILE_NAME = "copies.sqlite"
_VERSION = 1
"""Of the tables and of what is compared."""
_TABLES = """
CREATE TABLE footage (content TEXT PRIMARY KEY, frames BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE agreed (one TEXT, other TEXT, agreement REAL, PRIMARY KEY (one, other)) WITHOUT ROWID;
"""
_MOST_BYTES = FRAMES.max_frames * SIDE * SIDE

Pair = tuple[str, str]
"""Two contents, the smaller first."""


class FootageFile:
    """Footage by content, and agreements of pairs; use it as a context manager."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """That of a library; where its folder cannot be written to, one in memory that is begun anew."""
        path = folder / FILE_NAME
        try:
            return cls(_begun(path))
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # a folder or a disk that refuses
                return cls(_begun(":memory:"))
            path.unlink(missing_ok=True)
            return cls(_begun(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def known(self) -> set[str]:
        """Contents whose footage is kept."""
        return {content for (content,) in self._connection.execute("SELECT content FROM footage")}

    def keep(self, content: str, footage: Footage) -> None:
        """Keep the footage of a content."""
        frames = zlib.compress(footage.frames.tobytes())
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO footage VALUES (?, ?)", (content, frames))

    def footage(self, content: str) -> Footage | None:
        """The footage of a content; None where it is not kept, or not whole."""
        row = self._connection.execute("SELECT frames FROM footage WHERE content = ?", (content,)).fetchone()
        if row is None:
            return None
        try:
            pixels = zlib.decompressobj().decompress(row[0], _MOST_BYTES)
            frames = np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE)
        except (zlib.error, TypeError, ValueError):
            return None
        return Footage(frames) if len(frames) else None

    def agreed(self) -> dict[Pair, float | None]:
        """The agreements that are known; None is one that cannot be told."""
        return {(one, other): found for one, other, found in self._connection.execute("SELECT * FROM agreed")}

    def copies_of(self, contents: Collection[str], least: float) -> list[Pair]:
        """Pairs among a few contents whose agreement is ``least`` or more."""
        marks = ", ".join("?" * len(contents))
        found = self._connection.execute(
            f"SELECT one, other FROM agreed WHERE agreement >= ? AND one IN ({marks}) AND other IN ({marks})",  # noqa: S608
            (least, *contents, *contents),
        )
        return found.fetchall()

    def keep_agreed(self, agreements: Iterable[tuple[Pair, float | None]]) -> None:
        """Keep agreements of pairs."""
        with self._connection:
            rows = ((*pair, found) for pair, found in agreements)
            self._connection.executemany("INSERT OR REPLACE INTO agreed VALUES (?, ?, ?)", rows)

    def forget_all_but(self, contents: Collection[str]) -> None:
        """Let go of what the library does not hold any more."""
        gone = [(content,) for content in self.known().difference(contents)]
        with self._connection:
            self._connection.executemany("DELETE FROM footage WHERE content = ?", gone)
            self._connection.executemany("DELETE FROM agreed WHERE one = ?", gone)
            self._connection.executemany("DELETE FROM agreed WHERE other = ?", gone)


def content_of(video: VideoRow) -> str:
    """Names a video's content: its hash; of a video of an old version that has none, the video itself."""
    return video.content_hash or f"{video.id}/{video.size_bytes}"


def sha256_of(path: Path) -> str:
    """Of a file's content, in hexadecimal. Raises VideoError where it cannot be read."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _begun(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60)
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != _VERSION:
            if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise sqlite3.DatabaseError("another version")
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
        connection.execute("SELECT one, other, agreement FROM agreed LIMIT 1").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection
