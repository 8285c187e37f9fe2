"""Where a build decodes its videos: child processes of this machine, or a Ray cluster that sees the same files."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Literal, Protocol, Self

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


def open_engine(name: EngineName, workers: int) -> DecodeEngine:
    """``local`` or ``ray`` with that many decoding processes; Ray is imported only when it is asked for.

    Raises InvalidSetting when Ray is asked for and not installed, or its cluster cannot be reached.
    """
    if name == "local":
        return DecodePool(workers)
    from indexer.ingest.engines.ray import RayEngine

    return RayEngine(workers)
