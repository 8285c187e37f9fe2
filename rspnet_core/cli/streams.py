"""Standard output and error, whatever is behind them: a full disk, a closed pipe, a terminal of another encoding.

What an encoding cannot show is escaped. What cannot be written to stderr is let go: progress is not worth a build. What
cannot be written to stdout was asked for: there it is an error.
"""

import io
import os
import select
import sys
from typing import Any, TextIO

from rspnet_core.errors import RspnetError

_INPUT, _OUTPUT, _ERROR = range(3)


def open_streams() -> None:
    """Put such streams in the place of Python's own.

    Writing to stdout raises RspnetError when it takes nothing, BrokenPipeError when its reader went away, and is quiet
    from then on.
    """
    _occupy_closed()
    if sys.stdout is sys.__stdout__:  # where a test reads along, it stays as it is
        sys.stdout = _text(_Asked(_OUTPUT, "w", closefd=False), sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Told(_ERROR, "w", closefd=False), sys.stderr, line_buffering=True)


class _Patient(io.FileIO):
    """A file that may have been set not to block, as shells' terminals sometimes are: waits until it takes more."""

    def write(self, data: Any) -> int:
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class _Asked(_Patient):
    """Stdout."""

    _is_lost = False

    def write(self, data: Any) -> int:
        if self._is_lost:
            return len(data)
        try:
            return super().write(data)
        except OSError as error:
            self._is_lost = True
            if isinstance(error, BrokenPipeError):
                raise
            raise RspnetError(f"cannot write to standard output ({error.strerror}); send it elsewhere") from None


class _Told(_Patient):
    """Stderr."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _text(raw: io.FileIO, before: TextIO | None, *, line_buffering: bool = False) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else "utf-8",
        errors="backslashreplace",
        line_buffering=line_buffering or raw.isatty(),
    )


def _occupy_closed() -> None:
    """Give closed descriptors to the null device, not to be written, lest a file of ours gets what is printed."""
    for descriptor in (_INPUT, _OUTPUT, _ERROR):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDONLY)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
