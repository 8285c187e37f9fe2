"""How a process holds on to memory that it has freed: a training step keeps it, a server gives it back."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_KEPT_BYTES = 2**31 - 1
_GIVEN_BACK_BYTES = 2**20
_FEWEST_ARENAS = 2


def keep_freed_memory() -> None:
    """Let malloc keep what a step frees for the next step; without effect where the C library is not glibc.

    By default glibc takes blocks above 32 MB from the system and gives them back when they are freed: each step
    would pay the page faults of all its activations again, a tenth of the step on the CPUs that were tried.
    """
    _set(_M_MMAP_THRESHOLD, _KEPT_BYTES)
    _set(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_freed_memory() -> None:
    """Give blocks from 1 MB back to the system as soon as they are freed; call it before there are threads.

    By default glibc raises that size to 32 MB as it goes, and each thread has a heap of its own, full of holes where
    activations of other sizes were: a server's threads held a third more than it used. Without effect where the C
    library is not glibc.
    """
    _set(_M_MMAP_THRESHOLD, _GIVEN_BACK_BYTES)
    _set(_M_ARENA_MAX, _FEWEST_ARENAS)


def _set(option: int, value: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(option, value)
