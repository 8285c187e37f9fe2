"""A folder of reduced copies of videos, by the content of the originals, kept up to a size.

    FOLDER/cache.json            how large the folder may become
    FOLDER/ab/abcd...ef.mp4      ``reduced.py``'s copy of the file whose SHA-256 that is
    FOLDER/ab/abcd...ef.json     the copy's own SHA-256, and what the original is; written last

The longest unused go first. Several builds may use a folder at once.
"""

import hashlib
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from rspnet_core.atomic import replace_text, replaced_when_complete
from rspnet_core.config import Settings
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.video.reading.probe import VideoInfo
from rspnet_core.video.reading.reduced import Reduced

SETTINGS = "cache.json"
GIGABYTES = 20
"""Of a folder for which nothing else was said: about 100 hours of video."""
_IN_USE_SECONDS = 60
"""A copy that was found this recently may be about to be opened."""
_UNFINISHED_SECONDS = 24 * 3600
"""A copy that was begun so long ago was given up: whoever wrote it was killed."""
_LEFT = 0.9
"""Part of the limit that copies may take after the longest unused have gone."""


class _Limits(Settings):
    """What ``cache.json`` holds."""

    version: int = Field(default=1, ge=1, le=1)
    gigabytes: float = Field(default=GIGABYTES, gt=0, le=1_000_000)


@dataclass(frozen=True)
class _Facts:
    """What is beside a copy."""

    sha256: str
    info: VideoInfo


_FACTS = TypeAdapter(_Facts)


@dataclass(frozen=True, slots=True)
class Kept:
    """A reduced copy in the folder."""

    path: Path
    info: VideoInfo
    """Of the original."""


class ReducedCopies:
    """The copies in a folder; called by several threads."""

    def __init__(self, folder: Path, gigabytes: float | None = None) -> None:
        """Make the folder, or open it; its limit changes where ``gigabytes`` are given.

        Raises InvalidSetting for a folder with other files in it, or one that cannot be written to.
        """
        self.folder = folder
        self._lock = threading.Lock()
        self._bytes: int | None = None
        settings = folder / SETTINGS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not settings.exists() and any(folder.iterdir()):
                raise InvalidSetting(f"{folder} holds other files; give --cache a new or empty folder")
            known = _Limits.model_validate_json(settings.read_bytes()) if settings.exists() else _Limits()
            limits = known if gigabytes is None else _Limits(gigabytes=gigabytes)
            if limits != known or not settings.exists():
                replace_text(settings, limits.model_dump_json() + "\n")
        except ValidationError as error:
            raise InvalidSetting(f"{settings}: {error.errors()[0]['msg']}; give --cache another folder") from None
        except OSError as error:
            raise InvalidSetting(f"cannot write to {folder} ({error.strerror}); give --cache another folder") from error
        self._limit_bytes = limits.gigabytes * 1e9
        self._remove_unfinished()

    def find(self, content_hash: str) -> Kept | None:
        """The copy of a file by its SHA-256; None where there is none, or one whose bytes are not those written."""
        path = self._path(content_hash)
        try:
            facts = _FACTS.validate_json(path.with_suffix(".json").read_bytes())
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != facts.sha256:
                    return None
        except (OSError, ValueError):
            return None
        with suppress(OSError):  # copies that one may read alone serve as well
            os.utime(path)
        return Kept(path, facts.info)

    def keep(self, content_hash: str, reduced: Reduced) -> Kept:
        """Keep a copy, and let others go where all would be too large. Raises RspnetError where the disk refuses."""
        path = self._path(content_hash)
        facts = _Facts(hashlib.sha256(reduced.content).hexdigest(), reduced.info)
        try:
            path.parent.mkdir(exist_ok=True)
            with replaced_when_complete(path) as temporary:
                temporary.write_bytes(reduced.content)
            replace_text(path.with_suffix(".json"), _FACTS.dump_json(facts).decode())
        except OSError as error:
            raise RspnetError(
                f"cannot keep a reduced copy in {self.folder} ({error.strerror}); make room, or give --cache a folder "
                "with room"
            ) from error
        with self._lock:
            self._bytes = self._size() if self._bytes is None else self._bytes + len(reduced.content)
            if self._bytes > self._limit_bytes:
                self._evict()
        return Kept(path, reduced.info)

    def _remove_unfinished(self) -> None:
        for path in self.folder.glob("*/.*.tmp"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _UNFINISHED_SECONDS:
                    path.unlink()

    def _path(self, content_hash: str) -> Path:
        return self.folder / content_hash[:2] / f"{content_hash}.mp4"

    def _size(self) -> int:
        return sum(size for _, size, _ in self._copies())

    def _copies(self) -> list[tuple[float, int, Path]]:
        """Of each copy when it was last used, its bytes and its path."""
        found = []
        for path in self.folder.glob("*/*.mp4"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found

    def _evict(self) -> None:
        now, copies = time.time(), sorted(self._copies())
        left = sum(size for _, size, _ in copies)
        for used, size, path in copies:
            if left <= _LEFT * self._limit_bytes or now - used < _IN_USE_SECONDS:
                break
            for gone in (path.with_suffix(".json"), path):
                with suppress(OSError):
                    gone.unlink()
            left -= size
        self._bytes = left
