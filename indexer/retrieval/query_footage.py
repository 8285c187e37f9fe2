"""Which videos of a library show the footage of a query that is a file: cut, re-encoded or of another size."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from indexer.retrieval.footage_file import FootageFile, content_of, sha256_of
from rspnet_core.errors import VideoError

if TYPE_CHECKING:
    from indexer.catalogue.catalogue import VideoRow
    from indexer.retrieval.query_source import QuerySource
    from rspnet_core.config import WholeVideo
    from rspnet_core.video.reading.sandbox import DecodePool


_MOST_COMPARED = 100
"""Of the best hits: of 5,680 pairs of copies each was among the 16 nearest; a comparison takes up to 11 ms."""


class QueryFootage:
    """A file that is searched by. It is read when first compared, and each content is compared once. Thread-safe."""

    def __init__(self, path: Path, fps: float | None, pool: "DecodePool") -> None:
        """Compares the file at ``path``, of ``fps`` frames a second, read by ``pool``."""
        self._path, self._fps, self._pool = path, fps, pool
        self._same: dict[str, bool] = {}
        self._lock = threading.Lock()

    def content_among(self, videos: Sequence["VideoRow"]) -> str:
        """The file's hash, where it can be the content of one of ``videos``, by its size; else empty."""
        with suppress(OSError):
            if self._path.stat().st_size in {video.size_bytes for video in videos}:
                return self.content
        return ""

    @cached_property
    def content(self) -> str:
        """The file's hash; empty where it cannot be read any more."""
        with suppress(OSError, VideoError):
            return sha256_of(self._path) if self._path.is_file() else ""
        return ""

    def same_among(self, videos: Sequence["VideoRow"], library: "QuerySource", kept: FootageFile) -> set[str]:
        """The contents of those of the best of ``videos`` that show the same, as far as ``kept`` has their footage.

        A file that cannot be read any more is the same as none.
        """
        with self._lock:
            for video in videos[:_MOST_COMPARED]:
                content = content_of(video)
                if content not in self._same:
                    self._same[content] = self._is_same(video, library, kept)
            return {content for content in map(content_of, videos) if self._same.get(content)}

    def _is_same(self, video: "VideoRow", library: "QuerySource", kept: FootageFile) -> bool:
        from indexer.retrieval.footage_reading import compared, frames_of
        from rspnet_core.video.footage import Footage, grey
        from rspnet_core.video.same_footage import SAME_FOOTAGE, detail_frames

        other = kept.footage(content_of(video))

        def details() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
            wanted = detail_frames(self._fps, video.fps)
            return self._grey(wanted), grey(frames_of(library, [video], self._pool, wanted).result()[0])

        if other is None or self._frames is None:
            return False
        try:
            agreement = compared(Footage(self._frames), other, details)
        except VideoError:
            return False
        return agreement is not None and agreement >= SAME_FOOTAGE

    @cached_property
    def _frames(self) -> NDArray[np.uint8] | None:
        """As ``Footage`` compares them; None where they cannot be read."""
        from rspnet_core.video.footage import FRAMES

        try:
            return self._grey(FRAMES)
        except VideoError:
            return None

    def _grey(self, wanted: "WholeVideo") -> NDArray[np.uint8]:
        from rspnet_core.video.footage import grey

        return grey(self._pool.frames(self._path, wanted).result()[0])
