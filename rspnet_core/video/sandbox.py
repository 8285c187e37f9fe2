"""Decoding at a distance: each file is decoded by a child process under limits, so that a bad file costs one child.

    DecodePool ── thread 1 ── child process 1      a child is replaced when it crashes, hangs, runs out of memory,
               ├─ thread 2 ── child process 2      and after `requests_per_child` requests (decoders leak)
               └─ ...

A file edited by four bytes can abort the process that decodes it, another can hang it or ask for all memory.
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from rspnet_core.config import ClipGeometry, RandomSampling
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.video import wire
from rspnet_core.video.child_process import ChildProcess, ChildStopped
from rspnet_core.video.decode import Clips, RandomClips, VideoInfo
from rspnet_core.video.pictures import Picture

_HISTOGRAM_BINS = 512
_MAX_POSTER_BYTES = 1 << 28
_VIDEO_INFO = TypeAdapter(VideoInfo)


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """Clips of a file, or of its part between two times; ``hash_content`` asks for the SHA-256 of the file too."""

    path: str | Path
    geometry: ClipGeometry
    start_seconds: float | None = None
    end_seconds: float | None = None
    hash_content: bool = False


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """What became of a request: ``clips`` and ``colour_histogram`` (float32 (512,)), or ``error``, a plain reason."""

    request: DecodeRequest
    clips: Clips | None = None
    colour_histogram: NDArray[np.float32] | None = None
    content_hash: str | None = None
    """SHA-256 of the file in hexadecimal, if asked for; present beside an error too where the file could be read."""
    error: str | None = None


class DecodePool:
    """A fixed number of decoder processes; use it as a context manager, which ends them."""

    def __init__(
        self,
        workers: int,
        *,
        timeout_seconds: float = 60,
        memory_bytes: int = 2 * 2**30,
        requests_per_child: int = 200,
    ) -> None:
        """``timeout_seconds`` and ``memory_bytes`` are limits of each request. Raises InvalidSetting."""
        if min(workers, timeout_seconds, memory_bytes, requests_per_child) <= 0:
            raise InvalidSetting(
                f"got workers={workers}, timeout_seconds={timeout_seconds:g}, memory_bytes={memory_bytes}, "
                f"requests_per_child={requests_per_child}: each must be above 0"
            )
        self._workers = workers
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._requests_per_child = requests_per_child
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._children: dict[int, ChildProcess] = {}  # by thread: a child must be started by a thread that outlives it
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all decoder processes, those at work too."""
        with self._lock:
            self._closed = True
            for child in self._children.values():
                child.interrupt()
        self._executor.shutdown(wait=True, cancel_futures=True)
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def map(self, requests: Iterable[DecodeRequest]) -> Iterator[DecodeResult]:
        """Results as they complete; at most workers + 2 requests are taken ahead, so few clips are held at once."""
        remaining = iter(requests)
        waiting: set[Future[DecodeResult]] = set()
        try:
            while True:
                for request in islice(remaining, self._workers + 2 - len(waiting)):
                    waiting.add(self._executor.submit(self._decode, request))
                if not waiting:
                    return
                yield _take_completed(waiting)
        finally:
            for future in waiting:
                future.cancel()

    def random_clips(self, path: Path, sampling: RandomSampling, seed: tuple[int, ...]) -> "Future[RandomClips]":
        """The clips of ``decode.read_random_clips``, to come; the future raises VideoError. Asked for in order."""
        return self._executor.submit(self._random_clips, path, sampling, seed)

    def poster(self, path: str | Path, height: int = 144) -> Picture:
        """The middle frame as uint8 (height, w, 3), RGB. Raises VideoError."""
        request = {"kind": "poster", "path": str(Path(path).absolute()), "height": height}
        header, payload = self._executor.submit(self._ask, request, _MAX_POSTER_BYTES).result()
        if "error" in header:
            raise VideoError(header["error"])
        return np.frombuffer(payload, np.uint8).reshape(header["shape"])

    def _decode(self, request: DecodeRequest) -> DecodeResult:
        geometry = request.geometry
        shape = (geometry.num_clips, geometry.frames_per_clip, geometry.size, geometry.size, 3)
        layout: list[tuple[type[np.generic], tuple[int, ...]]] = [
            (np.uint8, shape),
            (np.float64, (geometry.num_clips, 2)),
            (np.float32, (_HISTOGRAM_BINS,)),
        ]
        header, payload = self._ask(
            {
                "kind": "clips",
                "path": str(Path(request.path).absolute()),
                "geometry": geometry.model_dump(),
                "start_seconds": request.start_seconds,
                "end_seconds": request.end_seconds,
                "hash_content": request.hash_content,
            },
            max_payload_bytes=sum(_num_bytes(dtype, shape) for dtype, shape in layout),
        )
        content_hash = header.get("content_hash")
        if "error" in header:
            return DecodeResult(request, content_hash=content_hash, error=header["error"])
        frames, spans_seconds, histogram = _split(payload, layout)
        clips = Clips(frames, spans_seconds, _VIDEO_INFO.validate_python(header["info"]))
        return DecodeResult(request, clips, histogram, content_hash)

    def _random_clips(self, path: Path, sampling: RandomSampling, seed: tuple[int, ...]) -> RandomClips:
        side = sampling.frame_size
        shape = (sampling.num_clips, sampling.frames_per_clip, side, side, 3)
        header, payload = self._ask(
            {
                "kind": "random_clips",
                "path": str(path.absolute()),
                "sampling_kind": type(sampling).__name__,
                "sampling": sampling.model_dump(),
                "seed": seed,
            },
            max_payload_bytes=_num_bytes(np.uint8, shape),
        )
        if "error" in header:
            raise VideoError(header["error"])
        (frames,) = _split(payload, [(np.uint8, shape)])
        return RandomClips(frames, tuple(map(int, header["speeds"])), float(header["aspect"]))

    def _ask(self, request: wire.Header, max_payload_bytes: int) -> tuple[wire.Header, bytes | bytearray]:
        """Put a request to this thread's child; one that must go is killed, its successor starts when asked."""
        try:
            child = self._child()
            header, payload = child.ask(
                request, timeout_seconds=self._timeout_seconds, max_payload_bytes=max_payload_bytes
            )
        except ChildStopped as stopped:
            self._drop_child()
            return {"error": str(stopped)}, b""
        if header.get("exhausted") or child.num_requests >= self._requests_per_child:
            self._drop_child()
        return header, payload

    def _child(self) -> ChildProcess:
        thread = threading.get_ident()
        with self._lock:
            if self._closed:
                raise ChildStopped("decoding was stopped")
            if thread not in self._children:
                self._children[thread] = ChildProcess(self._memory_bytes)
            return self._children[thread]

    def _drop_child(self) -> None:
        with self._lock:
            child = self._children.pop(threading.get_ident(), None)
        if child is not None:
            child.kill()


def _take_completed(waiting: set[Future[DecodeResult]]) -> DecodeResult:
    future = wait(waiting, return_when=FIRST_COMPLETED).done.pop()
    waiting.discard(future)
    return future.result()


def _num_bytes(dtype: type[np.generic], shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(dtype).itemsize


def _split(payload: bytes | bytearray, layout: list[tuple[type[np.generic], tuple[int, ...]]]) -> list[NDArray[Any]]:
    arrays: list[NDArray[Any]] = []
    offset = 0
    for dtype, shape in layout:
        arrays.append(np.frombuffer(payload, dtype, int(np.prod(shape)), offset).reshape(shape))
        offset += _num_bytes(dtype, shape)
    return arrays
