"""The library that is open now, and what the page says of it. Swapped whole when a newer generation is published."""

import logging
import threading
from pathlib import Path
from typing import Any

from app.session.opened import OpenedLibrary
from app.session.queries import QueryHandle, check_segment
from indexer.catalogue.catalogue import VideoRow
from indexer.index.place import Place
from indexer.retrieval.library import Library
from rspnet_core.config import HEADS, PARTS
from rspnet_core.errors import LibraryError, LibraryNotFound
from rspnet_core.text import printable

log = logging.getLogger("rspnet.app")


class Shelf:
    """One library; readers keep the generation that they began with."""

    def __init__(self, index: Path, device: str, backbone: str | None = None) -> None:
        """Open the library at ``index``; one in which nothing is published yet is empty, not an error.

        Raises LibraryNotFound when there is none, LibraryDamaged when it cannot be used as it is.
        """
        self.place = Place.find(index)
        self._device = device
        self._backbone = backbone
        self._swapping = threading.Lock()
        self._opened = self._open()

    def close(self) -> None:
        """Release the catalogue."""
        if self._opened is not None:
            self._opened.library.close()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to search."""
        return self._opened is None or len(self._opened.index) == 0

    @property
    def opened(self) -> OpenedLibrary:
        """The library with its index; LibraryNotFound when nothing is published yet."""
        if self._opened is None:
            raise LibraryNotFound("the library is empty; add videos in the Library tab")
        return self._opened

    @property
    def generation(self) -> str:
        """Another text for each generation that was open; empty for none."""
        return "" if self._opened is None else self._opened.generation

    @property
    def library(self) -> Library:
        """The open library; LibraryNotFound when nothing is published yet."""
        return self.opened.library

    def reload(self) -> bool:
        """Open the newest generation if it is not this one; says whether it did. Damage leaves what is open."""
        with self._swapping:
            if self._opened is not None and not self._opened.is_outdated:
                return False
            try:
                newer = self._open()
            except LibraryError as error:
                log.warning("the newest generation cannot be opened: %s", error)
                return False
            if newer is None:
                return False
            self._opened = newer
            return True

    def _open(self) -> OpenedLibrary | None:
        try:
            return OpenedLibrary(self.place.folder, self._device, self._backbone)
        except LibraryNotFound:
            return None

    @property
    def encoder(self) -> dict[str, Any]:
        """Fingerprint, backbone, weights, trained, pooling and geometry; empty for an empty library."""
        return {} if self._opened is None else dict(self._opened.library.record.description)

    @property
    def is_untrained(self) -> bool:
        """Whether results mean little."""
        return self.encoder.get("trained") is False

    @property
    def parts(self) -> list[str]:
        """The parts that can be weighted: backbone, and motion and appearance where the encoder has heads."""
        return list(PARTS) if self._opened is None else list(self._opened.library.layout.dims)

    @property
    def has_heads(self) -> bool:
        """Whether there is a motion and an appearance head."""
        return set(HEADS) <= set(self.parts)

    def roots(self) -> list[Path]:
        """The library's data folders."""
        if self._opened is None:
            return [self.place.folder.parent] if self.place.folder.name.startswith(".") else []
        return [Path(root) for root in self.info()["data"]]

    def info(self) -> dict[str, Any]:
        """The document of ``rspnet-index info --json``."""
        return self.library.info()

    def video(self, video_id: str) -> VideoRow:
        """An indexed video by its id. Raises QueryNotFound."""
        return self.opened.video(video_id)

    def videos(self, *, offset: int = 0, limit: int = 50, text: str = "") -> list[VideoRow]:
        """Some of the indexed videos in order of their paths, of those whose path or label holds ``text``."""
        found = self.opened.ids_with(text)
        return list(self.library.catalogue.videos(ids=found[offset : offset + limit], status="indexed"))

    def stored(
        self, video_id: str, start_seconds: float | None = None, end_seconds: float | None = None
    ) -> QueryHandle:
        """A video of the library as a query; a segment of it is embedded when it is first ranked."""
        start, end = check_segment(start_seconds, end_seconds)
        video = self.video(video_id)
        return QueryHandle(
            name=printable(Path(video.path).name),
            media_id=video.id,
            path=str(self.library.path_of(video)),
            video_id=video.id,
            start_seconds=start,
            end_seconds=end,
        )
