"""UMAP's points, kept in files: they take a minute to make, and are the same as long as the library is."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.serving.media_cache import FileCache
from rspnet_core.errors import LibraryError

_MOST_BYTES = 64 * 2**20
_DIGEST_BYTES = 32
"""Of the points, before them: a file that is not what was written is made anew."""

Points = NDArray[np.float32]
"""float32 (N, 2)."""


class KeptMaps:
    """Points by generation and part of the vectors; where nothing can be written, nothing is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, generation: str, space: str, count: int, make: Callable[[], Points]) -> Points:
        """The points of ``count`` videos, made where they are not kept, or the file is not what was written."""
        if (kept := self.read(generation, space, count)) is not None:
            return kept
        made = make()
        path = self._path(generation, space)
        with suppress(LibraryError, OSError):  # a folder that only reads, a full disk
            path.unlink(missing_ok=True)
            content = made.tobytes()
            FileCache(self._folder, _MOST_BYTES).get(
                path.name, lambda temporary: _write(temporary, _digest(content) + content)
            )
        return made

    def read(self, generation: str, space: str, count: int) -> Points | None:
        """Those that are kept, if they can be of ``count`` videos."""
        path = self._path(generation, space)
        size = _DIGEST_BYTES + np.dtype(np.float32).itemsize * 2 * count
        try:
            content = path.read_bytes() if path.stat().st_size == size else b""
        except OSError:
            return None
        points = content[_DIGEST_BYTES:]
        is_whole = bool(content) and _digest(points) == content[:_DIGEST_BYTES]
        return np.frombuffer(points, np.float32).reshape(count, 2).copy() if is_whole else None

    def _path(self, generation: str, space: str) -> Path:
        return self._folder / f"{hashlib.sha256(f'{generation} {space}'.encode()).hexdigest()[:24]}.f32"


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
