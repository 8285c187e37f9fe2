"""The clock of all measurements here: work on a GPU counts when it is done, not when it is asked for."""

import time
from collections.abc import Callable

import torch


def seconds_of(run: Callable[[], object], device: torch.device) -> float:
    """What a run takes, with all that it started on ``device`` and nothing of what was asked for before it."""
    _wait_for(device)
    started = time.perf_counter()
    run()
    _wait_for(device)
    return time.perf_counter() - started


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
