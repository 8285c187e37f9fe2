"""Write a file so that its name only ever shows the old or the complete new content."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced_when_complete(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; flush it to disk and rename it to ``path`` if the block succeeds.

    The block must create the file. If it raises, the temporary file is removed and ``path`` is as it was.
    Raises OSError when the folder cannot be written to or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8 as the new content of ``path``. Raises OSError as ``replaced_when_complete``."""
    with replaced_when_complete(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def flush_to_disk(path: Path) -> None:
    """Force a written file out of the page cache: a rename may otherwise reach the disk before the content does."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
