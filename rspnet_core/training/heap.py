"""How a CPU process holds on to the memory of its activations from one step to the next."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 2**31 - 1


def keep_freed_memory() -> None:
    """Let malloc keep what a step frees for the next step; without effect where the C library is not glibc.

    By default glibc takes blocks above 32 MB from the system and gives them back when they are freed: each step
    would pay the page faults of all its activations again, a tenth of the step on the CPUs that were tried.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
