"""A fixed number of decoder processes, one a thread, each started when it is first asked::

ChildPool ── thread 1 ── child process 1      a child is replaced when it crashes, hangs, runs out of memory,
          ├─ thread 2 ── child process 2      and after `requests_per_child` requests (decoders leak)
          └─ ...
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from rspnet_core.errors import InvalidSetting, RspnetError, VideoError
from rspnet_core.video.reading import wire
from rspnet_core.video.reading.answers import Payload
from rspnet_core.video.reading.child_process import NONSENSE, ChildProcess, ChildStopped

T = TypeVar("T")
P = ParamSpec("P")


class ChildPool:
    """Threads that each ask a decoder process of their own; use it as a context manager, which ends them."""

    workers: int
    """How many."""

    def __init__(
        self,
        workers: int,
        *,
        timeout_seconds: float = 60,
        memory_bytes: int = 2 * 2**30,
        requests_per_child: int = 200,
    ) -> None:
        """``timeout_seconds`` and ``memory_bytes`` are limits of each request. Raises InvalidSetting."""
        if min(workers, timeout_seconds, memory_bytes, requests_per_child) <= 0:
            raise InvalidSetting(
                f"got workers={workers}, timeout_seconds={timeout_seconds:g}, memory_bytes={memory_bytes}, "
                f"requests_per_child={requests_per_child}: each must be above 0"
            )
        self.workers = workers
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._requests_per_child = requests_per_child
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._children: dict[int, ChildProcess] = {}  # by thread: a child must be started by a thread that outlives it
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all decoder processes, those at work too."""
        with self._lock:
            self._closed = True
            for child in self._children.values():
                child.interrupt()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Have a thread of the pool do work that may ``ask``; first come, first served."""
        return self._executor.submit(work, *args, **kwargs)

    def ask(
        self,
        request: wire.Header,
        max_payload_bytes: int,
        read: Callable[[wire.Header, Payload], T],
        *,
        timeout_seconds: float | None = None,
    ) -> T:
        """What ``read`` makes of the answer of this thread's child. Raises VideoError.

        A child that must go is killed, also one whose answer ``read`` stumbles over; its successor starts when asked.
        """
        try:
            child = self._child()
            header, payload = child.ask(
                request,
                timeout_seconds=timeout_seconds or self._timeout_seconds,
                max_payload_bytes=max_payload_bytes,
            )
        except ChildStopped as stopped:
            self._drop_child()
            raise VideoError(str(stopped)) from None
        if header.get("exhausted") or child.num_requests >= self._requests_per_child:
            self._drop_child()
        try:
            return read(header, payload)
        except (LookupError, TypeError, ValueError, OverflowError):
            self._drop_child()
            raise VideoError(NONSENSE) from None

    def _child(self) -> ChildProcess:
        thread = threading.get_ident()
        with self._lock:
            if self._closed:
                raise ChildStopped("decoding was stopped")
            if thread not in self._children:
                try:
                    self._children[thread] = ChildProcess(self._memory_bytes)
                except OSError as error:  # no fault of the video
                    raise RspnetError(
                        f"cannot start a decoder process: {error.strerror}; end other programs, "
                        "or raise the limits of processes and open files (ulimit -u, ulimit -n)"
                    ) from error
            return self._children[thread]

    def _drop_child(self) -> None:
        with self._lock:
            child = self._children.pop(threading.get_ident(), None)
        if child is not None:
            child.kill()
