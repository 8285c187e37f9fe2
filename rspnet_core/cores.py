"""How many cores this process may use."""

import os


def usable_cores() -> int:
    """Those that the process is bound to, where the system says so; else all."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
