"""UMAP's points, kept in files: they take a minute to make, and are the same as long as the library is."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rspnet_core.atomic import replaced_when_complete

_SUFFIX = ".f32"
_DIGEST_BYTES = 32
"""Of the points, before them: a file that is not what was written is made anew."""

Points = NDArray[np.float32]
"""float32 (N, 2)."""


class KeptMaps:
    """Points of one generation by part of the vectors; where nothing can be written, nothing is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, generation: str, space: str, count: int, make: Callable[[], Points]) -> Points:
        """The points of ``count`` videos, made where they are not kept, or the file is not what was written."""
        if (kept := self.read(generation, space, count)) is not None:
            return kept
        made = make()
        content, path = made.tobytes(), self._path(generation, space)
        with suppress(OSError):  # a folder that only reads, a full disk
            self._folder.mkdir(parents=True, exist_ok=True)
            with replaced_when_complete(path) as temporary:
                temporary.write_bytes(_digest(content) + content)
            for other in self._folder.glob(f"*{_SUFFIX}"):
                if not other.name.startswith(_name_of(generation)):
                    other.unlink()
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
        return self._folder / f"{_name_of(generation)}-{space}{_SUFFIX}"


def _name_of(generation: str) -> str:
    return hashlib.sha256(generation.encode()).hexdigest()[:16]


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
