"""One writer at a time: an advisory lock on a file of the index folder, which the system releases when its holder dies.

Readers never take it.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from rspnet_core.errors import LibraryBusy, LibraryError

FILE_NAME = "writer.lock"

_held: set[int] = set()
"""Descriptors of the locks that this process holds."""


class WriterLock:
    """Be the only writer of an index folder, made if need be, while the ``with`` block runs.

    Entering raises LibraryBusy at once, naming the other writer's pid, or LibraryError where nothing can be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    def __enter__(self) -> Self:
        descriptor = _open(self._folder)
        try:
            _take(descriptor, self._folder)
        except OSError as error:
            os.close(descriptor)
            raise unwritable(self._folder, error) from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        _held.add(descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _held.discard(self._descriptor)
        os.close(self._descriptor)


def _open(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> LibraryError:
    """What is raised where a library's folder cannot be written."""
    return LibraryError(
        f"cannot write in {folder} ({error.strerror}); free some space, or put the library elsewhere with --index"
    )


def _take(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise LibraryBusy(
            f"another process (pid {holder}) is writing to {folder}; wait for it to finish or stop it"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _close_in_child() -> None:
    """A forked child shares the lock and would keep it after its parent's death."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
