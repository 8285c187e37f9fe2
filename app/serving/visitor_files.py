"""Files that belong to a visitor: what was uploaded and what was made from it; gone after an hour and at the end.

FOLDER/            made anew by each process, removed when it ends; of a killed one, by the next
  1/               of one server
    made/          posters and players of uploads
    a1b2.../       of one visitor, named by what only the visitor's cookie gives
      c3d4.../     of one upload or result
"""

import asyncio
import atexit
import errno
import fcntl
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path

from fastapi import HTTPException, Request
from gradio.route_utils import GradioMultiPartParser, GradioUploadFile
from gradio.routes import file_upload_statuses
from gradio_client.utils import strip_invalid_filename_characters
from starlette.formparsers import MultiPartException

from app.serving.visitors import Visitor
from rspnet_core.errors import LibraryError

LIFETIME_SECONDS = 3600
DEFAULT_LIMIT_BYTES = 500 * 10**6
VISITORS_AT_THE_LIMIT = 10
"""All visitors together may keep as much as this many at their limit."""
MOST_FILES = 1000
"""In one upload."""
_SWEEP_SECONDS = 60.0
_PREFIX = "rspnet-app-"
_LOCK = ".lock"
_numbers = count(1)


@cache
def process_folder() -> Path:
    """The folder of this process's uploads, which Gradio is told to use too; what killed processes left is removed."""
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()).resolve()
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_PREFIX}*"):
        if _is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = (folder / _LOCK).open("w")  # held until the process ends, however it ends
    fcntl.flock(lock, fcntl.LOCK_EX)
    atexit.register(_remove, folder, os.getpid(), lock)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # alive, or another user's
        return False
    return True


def _remove(folder: Path, process_id: int, lock: object) -> None:
    """At the end of the process that made it, not of a child's; ``lock`` is kept alive until then."""
    if os.getpid() == process_id:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Entry:
    visitor_key: str
    made: float
    size_bytes: int = 0


class VisitorFiles:
    """The files of one server's visitors, counted against limits; safe to use from many threads."""

    def __init__(self, *, limit_bytes: int = DEFAULT_LIMIT_BYTES, now: Callable[[], float] = time.monotonic) -> None:
        """``limit_bytes`` is what one visitor may keep; ten times that is what all may. Raises LibraryError."""
        self.limit_bytes = limit_bytes
        self._now = now
        self._entries: dict[Path, _Entry] = {}
        self._lock = threading.Lock()
        try:
            self.folder = process_folder() / str(next(_numbers))
            self.made = self.folder / "made"
            self.made.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise LibraryError(
                f"uploads cannot be kept in {tempfile.gettempdir()} ({error.strerror}); "
                "name a writable folder in $TMPDIR"
            ) from error

    def owns(self, visitor: Visitor, path: str) -> bool:
        """Whether the path lies in the visitor's own folder, with no link and no ``..`` on the way; it may be gone."""
        home = str(self.folder / visitor.key) + os.sep
        with suppress(OSError, ValueError):  # a name too long, a NUL byte, a surrogate
            return path.startswith(home) and os.path.realpath(path) == path
        return False

    async def receive(self, request: Request, visitor: Visitor) -> list[str]:
        """Take the files of a multipart upload as they arrive; returns their paths.

        Raises HTTPException: 413 as soon as the visitor's limit is reached, 503 when all visitors' is or the disk is
        full, 400 for what is no upload. Nothing is kept then.
        """
        declared = request.headers.get("content-length", "")
        self._check_room(visitor, int(declared) if declared.isdecimal() else 0)
        upload_id = request.query_params.get("upload_id")
        folder = self._new_entry(visitor)
        try:
            parser = _Parser(
                request.headers, self._counted(request, visitor, folder),
                max_files=MOST_FILES, max_fields=0, max_file_size=self.limit_bytes, upload_dir=folder,
                upload_id=upload_id, upload_progress=file_upload_statuses if upload_id else None,
            )  # fmt: skip
            files = (await parser.parse()).getlist("files")
            if not (parser.has_ended and files):
                raise MultiPartException("cut short, or without files")
            return [str(_named(file, folder, number)) for number, file in enumerate(files)]
        except BaseException as error:
            self._forget(folder)
            if isinstance(error, (MultiPartException, KeyError, UnicodeError)):
                raise HTTPException(400, "this is no upload of files; send multipart/form-data") from error
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _full() from error
            raise
        finally:
            if upload_id:
                file_upload_statuses.set_done(upload_id)

    def keep(self, visitor: Visitor, name: str, data: bytes) -> str:
        """Keep a result for the visitor, who may then fetch it; its path. Raises LibraryError on a full disk."""
        folder = self._new_entry(visitor)
        self._entries[folder].size_bytes = len(data)
        try:
            path = folder / name
            path.write_bytes(data)
        except OSError as error:
            self._forget(folder)
            raise LibraryError(f"the result cannot be kept ({error.strerror}); try again later") from error
        return str(path)

    def sweep(self, older_than_seconds: float = LIFETIME_SECONDS) -> None:
        """Remove what is older, and folders of visitors who have nothing left."""
        limit = self._now() - older_than_seconds
        with self._lock:
            old = [folder for folder, entry in self._entries.items() if entry.made < limit]
        for folder in old:
            self._forget(folder)
        still_young = time.time() - older_than_seconds
        for made in self.made.iterdir():
            with suppress(OSError):
                if made.stat().st_ctime < still_young:
                    made.unlink()

    async def sweep_for_ever(self) -> None:
        """Sweep every minute, in a thread."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            await asyncio.to_thread(self.sweep)

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _counted(self, request: Request, visitor: Visitor, folder: Path) -> AsyncGenerator[bytes, None]:
        async for chunk in request.stream():
            self._check_room(visitor, len(chunk))
            self._entries[folder].size_bytes += len(chunk)
            yield chunk

    def _check_room(self, visitor: Visitor, more_bytes: int) -> None:
        with self._lock:
            entries = list(self._entries.values())
        kept = sum(entry.size_bytes for entry in entries if entry.visitor_key == visitor.key)
        if kept + more_bytes > self.limit_bytes:
            raise HTTPException(
                413,
                f"uploads are limited to {self.limit_bytes / 10**6:.0f} MB a visitor, "
                f"and are deleted after {LIFETIME_SECONDS // 60} minutes",
            )
        if sum(entry.size_bytes for entry in entries) + more_bytes > self.limit_bytes * VISITORS_AT_THE_LIMIT:
            raise _full()

    def _new_entry(self, visitor: Visitor) -> Path:
        folder = self.folder / visitor.key / secrets.token_hex(16)
        with self._lock:
            folder.mkdir(parents=True, mode=0o700)
            self._entries[folder] = _Entry(visitor.key, self._now())
        return folder

    def _forget(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with self._lock, suppress(OSError):
            self._entries.pop(folder, None)
            folder.parent.rmdir()


class _Parser(GradioMultiPartParser):
    """Gradio's, which knows whether all has arrived."""

    has_ended = False

    def on_end(self) -> None:
        self.has_ended = True


def _named(file: object, folder: Path, number: int) -> Path:
    """Give an arrived file its own name."""
    if not isinstance(file, GradioUploadFile):
        raise HTTPException(400, "this is no upload of files; send multipart/form-data")
    name = strip_invalid_filename_characters(Path(file.filename or "").name).strip(". ") or "upload"
    place = folder / str(number)
    place.mkdir()
    file.file.close()
    return Path(file.file.name).rename(place / name)


def _full() -> HTTPException:
    return HTTPException(503, "there is no room for uploads now; try again later", headers={"Retry-After": "600"})
