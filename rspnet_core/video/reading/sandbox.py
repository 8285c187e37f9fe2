"""Decoding at a distance: each file is decoded by a child process under limits, so that a bad file costs one child.

A file edited by four bytes can abort the process that decodes it, another can hang it or ask for all memory.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rspnet_core.config import ClipGeometry, RandomSampling, SingleSampling, ViewSampling, WholeVideo
from rspnet_core.errors import NoVideoTrack, VideoError
from rspnet_core.video.reading import wire
from rspnet_core.video.reading.answers import (
    Layout,
    Payload,
    content_hash_in,
    error_of,
    info_in,
    num_bytes,
    raise_error,
    reason,
    split,
)
from rspnet_core.video.reading.child_pool import ChildPool
from rspnet_core.video.reading.copies import Kept, ReducedCopies
from rspnet_core.video.reading.decode import Clips, RandomClips
from rspnet_core.video.reading.pictures import Picture
from rspnet_core.video.reading.probe import MAX_ASPECT_RATIO
from rspnet_core.video.reading.reduced import Reduced
from rspnet_core.video.sampling import View

_HISTOGRAM_BINS = 512
_MAX_COPY_BYTES = 1 << 28
_COPYING_TAKES = 5
"""Times as long as clips may: all frames are decoded."""


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """Clips of a file, or of its part between two times; ``hash_content`` asks for the SHA-256 of the file too."""

    path: str | Path
    geometry: ClipGeometry
    start_seconds: float | None = None
    end_seconds: float | None = None
    hash_content: bool = False
    opened: str | Path | None = None
    """The file to open in place of ``path``: a real path, of which no part may become a link meanwhile."""


@dataclass(frozen=True, slots=True)
class DecodeResult:
    """What became of a request: ``clips`` and ``colour_histogram`` (float32 (512,)), or ``error``, a plain reason."""

    request: DecodeRequest
    clips: Clips | None = None
    colour_histogram: NDArray[np.float32] | None = None
    content_hash: str | None = None
    """SHA-256 of the file in hexadecimal, if asked for; present beside an error too where the file could be read."""
    error: str | None = None
    no_video: bool = False
    """Whether the error is that the file holds no video at all."""


class DecodePool(ChildPool):
    """A fixed number of decoder processes; use it as a context manager, which ends them."""

    def __init__(
        self,
        workers: int,
        *,
        timeout_seconds: float = 60,
        memory_bytes: int = 2 * 2**30,
        requests_per_child: int = 200,
        copies: ReducedCopies | None = None,
    ) -> None:
        """``timeout_seconds`` and ``memory_bytes`` are limits of each request. Raises InvalidSetting.

        ``map`` cuts its clips from ``copies``, where given; of videos that have none yet, copies are made.
        """
        super().__init__(
            workers,
            timeout_seconds=timeout_seconds,
            memory_bytes=memory_bytes,
            requests_per_child=requests_per_child,
        )
        self._copies = copies

    def map(self, requests: Iterable[DecodeRequest]) -> Iterator[DecodeResult]:
        """Results as they complete; at most workers + 2 requests are taken ahead, so few clips are held at once."""
        remaining = iter(requests)
        waiting: set[Future[DecodeResult]] = set()
        try:
            while True:
                for request in islice(remaining, self.workers + 2 - len(waiting)):
                    waiting.add(self.submit(self._decode, request))
                if not waiting:
                    return
                yield _take_completed(waiting)
        finally:
            for future in waiting:
                future.cancel()

    def random_clip(self, path: Path, sampling: SingleSampling, seed: tuple[int, ...]) -> "Future[RandomClips]":
        """The clip of ``decode.read_random_clip``, to come; the future raises VideoError. Asked for in order."""
        return self.submit(self._random, "random_clip", path, sampling, 1, {"seed": seed})

    def views(self, path: Path, sampling: ViewSampling, views: Sequence[View]) -> "Future[RandomClips]":
        """The clips of ``decode.read_views``, to come; the future raises VideoError. Asked for in order."""
        return self.submit(self._random, "views", path, sampling, len(views), {"views": views})

    def frames(self, path: Path, wanted: WholeVideo) -> "Future[tuple[Picture, float]]":
        """All frames of ``decode.read_frames`` and the aspect, to come; the future raises VideoError."""
        return self.submit(self._frames, path, wanted)

    def _frames(self, path: Path, wanted: WholeVideo) -> tuple[Picture, float]:
        side = wanted.frame_size

        def read(header: wire.Header, payload: Payload) -> tuple[Picture, float]:
            raise_error(header)
            aspect = float(header["aspect"])
            if not payload or not 0 < aspect < math.inf:
                raise ValueError
            return np.frombuffer(payload, np.uint8).reshape(-1, side, side, 3), aspect

        asked = {"kind": "frames", "path": str(path.absolute()), "wanted": wanted.model_dump()}
        return self.ask(asked, 3 * side * side * wanted.max_frames, read)

    def poster(self, path: str | Path, height: int = 144) -> Picture:
        """The middle frame as uint8 (height, w, 3), RGB. Raises VideoError."""
        return self.submit(self._poster, Path(path), height).result()

    def _poster(self, path: Path, height: int) -> Picture:
        def read(header: wire.Header, payload: Payload) -> Picture:
            raise_error(header)
            if not payload:
                raise ValueError
            return np.frombuffer(payload, np.uint8).reshape(height, -1, 3)

        request = {"kind": "poster", "path": str(path.absolute()), "height": height}
        return self.ask(request, 3 * height * height * MAX_ASPECT_RATIO, read)

    def _decode(self, request: DecodeRequest) -> DecodeResult:
        try:
            return self._from_file(request) if self._copies is None else self._from_copy(request, self._copies)
        except VideoError as error:
            return DecodeResult(request, error=str(error))

    def _from_copy(self, request: DecodeRequest, copies: ReducedCopies) -> DecodeResult:
        """Clips of a reduced copy, made where there is none; of the file itself where none can be. Raises VideoError.

        For its hash the file is read once more, and twice where a copy is made.
        """
        content_hash = self.ask(_asked(request, "hash"), 0, _hash_in)
        kept = copies.find(content_hash) or self._reduced(request, content_hash, copies)
        source = request if kept is None else replace(request, path=kept.path, opened=None)
        result = self._from_file(replace(source, hash_content=False))
        clips = result.clips if result.clips is None or kept is None else replace(result.clips, info=kept.info)
        return replace(result, request=request, clips=clips, content_hash=content_hash)

    def _reduced(self, request: DecodeRequest, content_hash: str, copies: ReducedCopies) -> Kept | None:
        def read(header: wire.Header, payload: Payload) -> Reduced | None:
            """None also of a file that changed meanwhile, or is unsound: that is said when its clips are read."""
            if "info" not in header or content_hash_in(header) != content_hash:
                return None
            return Reduced(bytes(payload), info_in(header))

        try:
            seconds = _COPYING_TAKES * self._timeout_seconds
            made = self.ask(_asked(request, "reduced"), _MAX_COPY_BYTES, read, timeout_seconds=seconds)
        except VideoError:  # too long, or too large: its clips may still be had
            return None
        return None if made is None else copies.keep(content_hash, made)

    def _from_file(self, request: DecodeRequest) -> DecodeResult:
        """Raises VideoError where the decoder process stops."""
        geometry = request.geometry
        layout: Layout = [
            (np.uint8, (geometry.num_clips, geometry.frames_per_clip, geometry.size, geometry.size, 3)),
            (np.float64, (geometry.num_clips, 2)),
            (np.float32, (_HISTOGRAM_BINS,)),
        ]

        def read(header: wire.Header, payload: Payload) -> DecodeResult:
            content_hash = content_hash_in(header)
            if "error" in header:
                is_none = error_of(header) is NoVideoTrack
                return DecodeResult(request, content_hash=content_hash, error=reason(header), no_video=is_none)
            frames, spans_seconds, histogram = split(payload, layout)
            return DecodeResult(request, Clips(frames, spans_seconds, info_in(header)), histogram, content_hash)

        asked = _asked(request, "clips") | {
            "geometry": geometry.model_dump(),
            "start_seconds": request.start_seconds,
            "end_seconds": request.end_seconds,
            "hash_content": request.hash_content,
        }
        return self.ask(asked, num_bytes(layout), read)

    def _random(
        self, kind: str, path: Path, sampling: RandomSampling, num_clips: int, drawn: wire.Header
    ) -> RandomClips:
        side = sampling.frame_size
        layout: Layout = [(np.uint8, (num_clips, sampling.frames_per_clip, side, side, 3))]

        def read(header: wire.Header, payload: Payload) -> RandomClips:
            raise_error(header)
            (frames,) = split(payload, layout)
            aspect, advances = float(header["aspect"]), header["advances"]
            if not 0 < aspect < math.inf or not isinstance(advances, bool):
                raise ValueError
            return RandomClips(frames, aspect, advances)

        asked = {"kind": kind, "path": str(path.absolute()), "sampling": sampling.model_dump()} | drawn
        return self.ask(asked, num_bytes(layout), read)


def _asked(request: DecodeRequest, kind: str) -> wire.Header:
    """A request of that kind to a decoder process, of the file alone."""
    path = str(Path(request.opened or request.path).absolute())
    return {"kind": kind, "path": path, "is_real": request.opened is not None}


def _hash_in(header: wire.Header, _: Payload) -> str:
    raise_error(header)
    content_hash = content_hash_in(header)
    if content_hash is None:
        raise ValueError
    return content_hash


def _take_completed(waiting: set[Future[DecodeResult]]) -> DecodeResult:
    future = wait(waiting, return_when=FIRST_COMPLETED).done.pop()
    waiting.discard(future)
    return future.result()
