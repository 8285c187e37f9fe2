"""Decoder processes that start at once: forked from one that has imported what a decoder imports.

As those that the product starts, they are children of this process, under the same limits, in sessions of their own.
"""

import ctypes
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import BinaryIO

from rspnet_core.video.reading import _worker
from rspnet_core.video.reading.child_process import _environment

_CLONE_PARENT = 0x8000
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}


class Template:
    """Starts decoders for this process, until ``close``; to be made by a thread that lives as long."""

    def __init__(self) -> None:
        self._to_template, its_own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-P", "-m", "tests.decoders", str(its_own.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            pass_fds=[its_own.fileno()],
        )
        its_own.close()
        self._lock = threading.Lock()

    @staticmethod
    def is_possible() -> bool:
        """Only Linux makes a child of one's parent, and the call has another number on each kind of machine."""
        return sys.platform == "linux" and platform.machine() in _SYS_CLONE

    def start_decoder(self, memory_bytes: int) -> "Decoder":
        """In place of ``child_process.start_decoder``."""
        its_input, our_output = os.pipe()
        our_input, its_output = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._to_template, [str(memory_bytes).encode()], [its_input, its_output])
                pid = int(self._to_template.recv(100))
        finally:
            os.close(its_input)
            os.close(its_output)
        return Decoder(pid, os.fdopen(our_output, "wb", buffering=0), os.fdopen(our_input, "rb", buffering=0))

    def close(self) -> None:
        """No more decoders; those that there are go on."""
        self._to_template.close()
        self._process.wait()


class Decoder:
    """What of ``subprocess.Popen`` is asked of a decoder."""

    def __init__(self, pid: int, stdin: BinaryIO, stdout: BinaryIO) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._lock = threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        """``timeout`` is not needed: a decoder is waited for when its pipe has ended or when it was killed."""
        with self._lock:
            if self.returncode is None:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def _serve(channel: socket.socket, parent_pid: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 100, 2)
        if not message:
            return
        if not _fork_for_our_parent():
            _be_decoder(channel, message.decode(), parent_pid, *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _fork_for_our_parent() -> int:
    """As ``os.fork``, but the new process is our parent's child, which dies with it and is waited for by it."""
    return ctypes.PyDLL(None).syscall(_SYS_CLONE[platform.machine()], _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)


def _be_decoder(channel: socket.socket, memory_bytes: str, parent_pid: int, its_input: int, its_output: int) -> None:
    status = 1
    with suppress(BaseException):
        os.setsid()
        channel.send(str(os.getpid()).encode())  # not before: who knows it may kill the session
        channel.close()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for ours, standard in ((its_input, 0), (its_output, 1), (nowhere, 2)):
            os.dup2(ours, standard)
            os.close(ours)
        sys.argv = ["_worker", memory_bytes, str(parent_pid)]
        _worker.main()
        status = 0
    os._exit(status)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
