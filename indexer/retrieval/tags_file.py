"""``tags.sqlite`` in a library's folder: names that people give to videos.

Kept by content, so that a video keeps its tags when it is renamed, moved, taken out and added again, or embedded by
another encoder, and copies share theirs. What readers see of a library is one generation; its tags are as they are now.
"""

import sqlite3
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from indexer.catalogue.chunks import chunks
from rspnet_core.errors import InvalidSetting, LibraryDamaged, LibraryError
from rspnet_core.text import short

FILE_NAME = "tags.sqlite"
MOST_CHARACTERS = 40
MOST_TAGS = 50
"""Of one video."""
_TABLE = """CREATE TABLE IF NOT EXISTS tags
(content TEXT NOT NULL, tag TEXT NOT NULL, PRIMARY KEY (tag, content)) WITHOUT ROWID"""


def one_form(text: str) -> str:
    """A tag as it is kept: NFC, no blanks around it."""
    return unicodedata.normalize("NFC", text).strip()


def read_tag(text: str) -> str:
    """A tag in its one form. Raises InvalidSetting."""
    tag = one_form(text)
    if not 1 <= len(tag) <= MOST_CHARACTERS or not tag.isprintable():
        raise InvalidSetting(
            f"tag: got {short(text, 60)!r}, allowed are 1 to {MOST_CHARACTERS} printable characters on one line"
        )
    return tag


class TagsFile:
    """The tags of the library in ``folder``; without a file there are none. Safe to use from many threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    @property
    def version(self) -> int:
        """Another one after each change."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

    def of(self, contents: Collection[str]) -> dict[str, list[str]]:
        """Content -> its tags, sorted; those without any are left out. Raises LibraryDamaged."""
        found: dict[str, list[str]] = defaultdict(list)
        with self._reading() as connection:
            for some in chunks(sorted(contents)) if connection else ():
                marks = ", ".join("?" * len(some))
                statement = f"SELECT content, tag FROM tags WHERE content IN ({marks}) ORDER BY tag"  # noqa: S608
                for content, tag in _rows(connection, statement, some):
                    found[content].append(tag)
        return dict(found)

    def contents_with(self, tag: str) -> set[str]:
        """Those that have a tag, however it is written. Raises LibraryDamaged."""
        with self._reading() as connection:
            return {
                content for (content,) in _rows(connection, "SELECT content FROM tags WHERE tag = ?", [one_form(tag)])
            }

    def known(self) -> dict[str, set[str]]:
        """Tag, in order -> the contents that have it. Raises LibraryDamaged."""
        found: dict[str, set[str]] = defaultdict(set)
        with self._reading() as connection:
            for tag, content in _rows(connection, "SELECT tag, content FROM tags ORDER BY tag"):
                found[tag].add(content)
        return dict(found)

    def add(self, tag: str, contents: Collection[str]) -> int:
        """Give contents a tag; returns how many had it not.

        Raises InvalidSetting for what is no tag and for a content that has ``MOST_TAGS``, LibraryError where the file
        cannot be written, LibraryDamaged.
        """
        tag = read_tag(tag)
        full = [content for content, tags in self.of(contents).items() if len(tags) >= MOST_TAGS and tag not in tags]
        if full:
            raise InvalidSetting(
                f"{len(full)} of these videos have {MOST_TAGS} tags already, which is the most; take one off"
            )
        return self._change("INSERT OR IGNORE INTO tags (tag, content) VALUES (?, ?)", tag, contents)

    def remove(self, tag: str, contents: Collection[str]) -> int:
        """Take a tag off contents; returns how many had it. Raises as :meth:`add`."""
        if not self._path.exists():
            return 0
        return self._change("DELETE FROM tags WHERE tag = ? AND content = ?", read_tag(tag), contents)

    def _change(self, statement: str, tag: str, contents: Collection[str]) -> int:
        try:
            with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
                connection.execute(_TABLE)
                return connection.executemany(statement, [(tag, content) for content in contents]).rowcount
        except sqlite3.OperationalError as error:
            raise LibraryError(f"{self._path} cannot be written ({error}); free it or its disk") from error
        except sqlite3.DatabaseError as error:
            raise self._damaged() from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """None where there is no file."""
        if not self._path.exists():
            yield None
            return
        try:
            with closing(
                sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)
            ) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise self._damaged() from error

    def _damaged(self) -> LibraryDamaged:
        return LibraryDamaged(f"{self._path} is damaged; put a copy of it back, or delete it, which loses all tags")


def _rows(connection: sqlite3.Connection | None, statement: str, values: Sequence[str] = ()) -> list[tuple[str, ...]]:
    return connection.execute(statement, values).fetchall() if connection else []
