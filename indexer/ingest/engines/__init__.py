"""Where a build decodes its videos: child processes of this machine, or a Ray cluster that sees the same files."""

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self

from rspnet_core.video.reading.copies import ReducedCopies
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest, DecodeResult

EngineName = Literal["local", "ray"]


class DecodeEngine(Protocol):
    """Decodes requests; a context manager that ends all of its processes."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def map(self, requests: Iterable[DecodeRequest]) -> Iterator[DecodeResult]:
        """Decode lazily, in completion order, holding a bounded number of results."""
        ...


def _local(workers: int, copies: ReducedCopies | None) -> DecodeEngine:
    return DecodePool(workers, copies=copies)


def _ray(workers: int, copies: ReducedCopies | None) -> DecodeEngine:
    from indexer.ingest.engines.ray import RayEngine  # imported only when it is asked for

    return RayEngine(workers, copies)


ENGINES: dict[EngineName, Callable[[int, ReducedCopies | None], DecodeEngine]] = {"local": _local, "ray": _ray}
"""Name -> what starts it with a number of decoding processes."""


def open_engine(name: EngineName, workers: int, copies: ReducedCopies | None = None) -> DecodeEngine:
    """One of ENGINES with that many decoding processes, which cut clips from ``copies`` where given.

    Raises InvalidSetting when Ray is asked for and not installed, or its cluster cannot be reached.
    """
    return ENGINES[name](workers, copies)
