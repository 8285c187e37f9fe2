"""Files that are on disk when they are said to be, hashed while they are written."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

from pydantic import Field

from rspnet_core.config import Settings

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Sink(Protocol):
    """What a file's writer writes to."""

    def write(self, data: bytes, /) -> int:
        """Take all of ``data`` and return its length; OSError when it cannot."""
        ...


Writers = Mapping[str, Callable[[Sink], object]]
"""File name -> function that writes the file's content."""


class FileFacts(Settings):
    """Of one file."""

    size_bytes: int = Field(ge=0)
    sha256: Digest


class HashingFile:
    """A file that hashes and counts what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def write(self, data: bytes, /) -> int:
        """Write all of ``data``; returns its length."""
        self._file.write(data)
        self._digest.update(data)
        self._size_bytes += len(data)
        return len(data)

    def facts(self) -> FileFacts:
        """Of what was written so far."""
        return FileFacts(size_bytes=self._size_bytes, sha256=self._digest.hexdigest())


@contextmanager
def durable_file(path: Path) -> Iterator[HashingFile]:
    """A new file that is on disk when the block ends."""
    with path.open("xb") as file:
        yield HashingFile(file)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """See to it that names made or replaced in a folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
