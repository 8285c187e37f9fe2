"""What every child process that touches a video's bytes submits to before it opens one."""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def confine_this_process(*, parent_pid: int, memory_bytes: int, file_bytes: int) -> None:
    """Die with the parent, leave Ctrl-C to it, and hold limits of memory (Linux only) and of files written.

    A parent that is killed outright leaves no decoder behind, even one that hangs and never reads its pipe.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Elsewhere the limit of data does not count what malloc maps.
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    if os.getppid() != parent_pid:  # it died before the lines above
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
