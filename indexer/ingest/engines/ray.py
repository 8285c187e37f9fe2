"""Decoding on a Ray cluster whose machines see the data folder under the same path.

The cluster is that of ``RAY_ADDRESS``, or one started on this machine. Each actor decodes through its own sandbox, so
a hostile file still costs one child process; clips come back through Ray's object store, a bounded number at a time.
"""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self

from rspnet_core.errors import InvalidSetting
from rspnet_core.video.reading.copies import ReducedCopies
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest, DecodeResult

try:
    import ray
except ImportError as error:
    raise InvalidSetting("Ray is not installed; install the extra: rspnet[ray], or use --engine local") from error


class Decoder:
    """An actor: one sandboxed decoder process."""

    def __init__(self, cache: Path | None) -> None:
        self._pool = DecodePool(1, copies=None if cache is None else ReducedCopies(cache))

    def decode(self, request: DecodeRequest) -> DecodeResult:
        """One request, one result."""
        return next(self._pool.map([request]))


class RayEngine:
    """``workers`` decoding actors; at most two requests an actor are under way.

    The machines see the folder of reduced copies, too, under the same path.
    """

    def __init__(self, workers: int, copies: ReducedCopies | None = None) -> None:
        try:
            ray.init(address=os.environ.get("RAY_ADDRESS"), include_dashboard=False, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InvalidSetting(f"no Ray cluster ({str(error).splitlines()[0]}); check RAY_ADDRESS") from error
        actor: Any = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=1)(Decoder)
        cache = None if copies is None else copies.folder
        self._actors = [actor.remote(cache) for _ in range(workers)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        ray.shutdown()

    def map(self, requests: Iterable[DecodeRequest]) -> Iterator[DecodeResult]:
        """Results as they complete; see :class:`indexer.ingest.engines.DecodeEngine`."""
        remaining = iter(requests)
        under_way: dict[Any, Any] = {}
        for actor in self._actors * 2:
            for request in islice(remaining, 1):
                under_way[actor.decode.remote(request)] = actor
        while under_way:
            (done,), _ = ray.wait(list(under_way), num_returns=1)
            actor = under_way.pop(done)
            for request in islice(remaining, 1):
                under_way[actor.decode.remote(request)] = actor
            yield ray.get(done)
