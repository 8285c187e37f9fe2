"""Files made once and kept up to a size limit, the longest unused going first."""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rspnet_core.errors import LibraryError

_IN_USE_SECONDS = 60
"""A file that was asked for this recently may be on its way to a browser."""


class FileCache:
    """A folder of files named by what they are made from; made at most once at a time, whole or not at all."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Make the folder. Raises LibraryError where nothing can be written."""
        self.folder = folder
        self._limit_bytes = limit_bytes
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise LibraryError(
                f"cannot write pictures to {folder} ({error.strerror}); name a writable folder in $RSPNET_CACHE"
            ) from error
        for left_over in folder.glob(".*.part"):
            left_over.unlink(missing_ok=True)

    def get(self, name: str, make: Callable[[Path], None]) -> Path:
        """The file ``name``; ``make(path)`` writes it to a temporary path of the same suffix if it is not there."""
        path = self.folder / name
        with self._lock:
            making = self._making.setdefault(name, threading.Lock())
        with making:
            if not path.is_file():
                temporary = path.with_name(f".{path.stem}.part{path.suffix}")
                try:
                    make(temporary)
                    temporary.replace(path)
                finally:
                    temporary.unlink(missing_ok=True)
                self._evict(keep=path)
        with self._lock:
            self._making.pop(name, None)
        with suppress(OSError):
            os.utime(path)
        return path

    def _evict(self, keep: Path) -> None:
        """Remove the longest unused files until all fit."""
        now = time.time()
        files = []
        for path in self.folder.iterdir():
            with suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total_bytes = sum(size for _, size, _ in files)
        for used, size, path in sorted(files):
            if total_bytes <= self._limit_bytes:
                return
            if path != keep and now - used > _IN_USE_SECONDS:
                path.unlink(missing_ok=True)
                total_bytes -= size
