"""One decoder process, seen from its parent: start, ask with a deadline, kill."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import rspnet_core
from rspnet_core.video.reading import wire

NONSENSE = "decoding made the decoder process answer nonsense"


class ChildStopped(Exception):
    """The process ended, hung or answered nonsense; the message says which. It has been killed."""


def start_decoder(memory_bytes: int) -> "subprocess.Popen[bytes]":
    """A decoder process with pipes as its input and output. Raises OSError."""
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-P", "-m", "rspnet_core.video.reading._worker", str(memory_bytes), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,
        bufsize=0,
    )


class ChildProcess:
    """A running decoder process; ``ask`` and ``kill`` are for the thread that owns it."""

    def __init__(self, memory_bytes: int) -> None:
        """Start the process. It gets a session of its own, so that Ctrl-C in a terminal does not reach it.

        Raises OSError when the system gives no process or no descriptor.
        """
        self._process = start_decoder(memory_bytes)
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)  # a child that reads no requests must not stop us
        self.num_requests = 0

    def ask(
        self, request: wire.Header, *, timeout_seconds: float, max_payload_bytes: int
    ) -> tuple[wire.Header, bytes | bytearray]:
        """Send a request and wait for its answer. Raises ChildStopped, after which only ``kill`` may follow."""
        self.num_requests += 1
        pipes = _DeadlinePipes(self._process, time.monotonic() + timeout_seconds)
        try:
            pipes.write(wire.pack(request))
            return wire.unpack(pipes.read, max_payload_bytes)
        except TimeoutError:
            reason = f"took longer than {timeout_seconds:g} s"
        except wire.ProtocolError:
            reason = NONSENSE
        except (EOFError, OSError):
            reason = f"decoding stopped the decoder process{self._how_it_ended()}"
        self.kill()
        raise ChildStopped(reason)

    def interrupt(self) -> None:
        """Make an ``ask`` that another thread is waiting in raise ChildStopped."""
        if self._process.returncode is None:  # else the number may be another process's by now
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and all that it started."""
        self.interrupt()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _how_it_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=5)
            if code < 0:
                return f" ({_signal_name(-code)})"
        return ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


class _DeadlinePipes:
    """Exact writes to the process and reads from it; raises TimeoutError once the deadline has passed."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._to_process, self._from_process = process.stdin.fileno(), process.stdout.fileno()
        self._deadline = deadline

    def write(self, data: bytes) -> None:
        missing = memoryview(data)
        while missing:
            self._wait(self._to_process, select.POLLOUT)
            missing = missing[os.write(self._to_process, missing) :]

    def read(self, num_bytes: int) -> bytearray:
        data = bytearray(num_bytes)
        missing = memoryview(data)
        while missing:
            self._wait(self._from_process, select.POLLIN)
            received = os.readv(self._from_process, [missing])
            if received == 0:
                raise EOFError
            missing = missing[received:]
        return data

    def _wait(self, descriptor: int, event: int) -> None:
        remaining = self._deadline - time.monotonic()
        ready = select.poll()  # select.select takes no descriptor from 1024 on
        ready.register(descriptor, event)
        if remaining <= 0 or not ready.poll(1000 * remaining):
            raise TimeoutError


def _environment() -> dict[str, str]:
    """Our own folder first on the path, while -P keeps the current one off it; and one thread a process."""
    here = str(Path(rspnet_core.__file__).parents[1])
    python_path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": python_path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
