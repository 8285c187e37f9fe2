"""One generation of a library, opened for the app, with what its filters offer."""

from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import LabelledVideo, VideoRow, id_of_key
from indexer.index.generations import CURRENT
from indexer.index.index_types import SearchIndex
from indexer.retrieval.filters import SHOWN_FOLD, Filters, folders_of, keys_that_pass
from indexer.retrieval.library import Library
from indexer.retrieval.tagging import tagged
from rspnet_core.errors import LibraryError, QueryNotFound

Order = Literal["name", "class", "split", "longest", "shortest"]
"""How a list of videos is sorted; by name within a class, a split or a length."""

SPLITS = ("train", "test", "val")
_MOST_FOLDERS = 500


class OpenedLibrary:
    """A library as it was when it was opened; :attr:`is_outdated` says when to open it again."""

    def __init__(self, folder: Path, device: str, backbone: str | None = None) -> None:
        """Open the catalogue and the index. Raises LibraryNotFound, LibraryDamaged, DeviceUnavailable."""
        self.generation = _stamp(folder)
        self._folder = folder
        self.library = Library.open(folder, device=device, backbone=backbone)
        try:
            self.index: SearchIndex = self.library.index
        except LibraryError:
            self.library.close()
            raise
        self._allowed = lru_cache(maxsize=64)(self._select)

    @property
    def is_outdated(self) -> bool:
        """Whether another generation was published since."""
        return _stamp(self._folder) != self.generation

    @cached_property
    def videos(self) -> list[LabelledVideo]:
        """Labels and paths of all indexed videos, in the order of the index's keys."""
        return self.library.catalogue.labels_and_splits(SHOWN_FOLD)

    @cached_property
    def videos_and_vectors(self) -> tuple[list[LabelledVideo], NDArray[np.float32]]:
        """Videos and their vectors float32 (N, D), in the same order."""
        batches = list(self.library.catalogue.all_vectors())
        row_of = {key: row for row, key in enumerate(key for keys, _ in batches for key in keys.tolist())}
        videos = [video for video in self.videos if video.key in row_of]
        vectors = np.concatenate([rows for _, rows in batches] or [np.empty((0, 0), np.float32)])
        return videos, vectors[[row_of[video.key] for video in videos]]

    @cached_property
    def labels(self) -> list[str]:
        """All classes, sorted."""
        return sorted({video.label for video in self.videos if video.label is not None})

    @cached_property
    def splits(self) -> list[str]:
        """Sides of the official split that have videos."""
        found = {video.split for video in self.videos}
        return [name for name in SPLITS if name in found]

    @cached_property
    def folders(self) -> list[str]:
        """Folders that hold videos, relative to their data folders, the outermost first."""
        found = folders_of(video.path for video in self.videos)
        return sorted(found, key=lambda folder: (folder.count("/"), folder))[:_MOST_FOLDERS]

    def video(self, video_id: str) -> VideoRow:
        """An indexed video by its id. Raises QueryNotFound."""
        found = list(self.library.catalogue.videos(ids=[video_id], status="indexed"))
        if not found:
            raise QueryNotFound("no indexed video has this id")
        return found[0]

    def examples(self, count: int) -> list[tuple[str, str, str | None]]:
        """Id, name and label of up to ``count`` videos, of as many classes as there are."""
        first = {video.label or video.path: video for video in sorted(self.videos, key=lambda video: video.path)[::-1]}
        videos = [first[name] for name in sorted(first)]
        chosen = videos[:: max(1, len(videos) // count)][:count]
        names = self.library.names_of(chosen)
        return [(id_of_key(video.key), name, video.label) for video, name in zip(chosen, names, strict=True)]

    @cached_property
    def _by_path(self) -> list[tuple[str, str]]:
        """Lower-case path and label, and the id, of every video by path."""
        return [
            (f"{video.path}\n{video.label or ''}".lower(), id_of_key(video.key))
            for video in sorted(self.videos, key=lambda video: video.path)
        ]

    def ids_with(self, text: str, order: Order = "name") -> list[str]:
        """Ids of the videos whose path or label holds ``text`` in any case; what an order knows nothing of is last."""
        wanted = text.strip().lower()
        found = [video_id for searched, video_id in self._by_path if wanted in searched]
        if order == "name":
            return found
        places = self.durations if order in {"longest", "shortest"} else self._names_of(order)
        known = [video_id for video_id in found if video_id in places]
        rest = [video_id for video_id in found if video_id not in places]
        return sorted(known, key=places.__getitem__, reverse=order == "longest") + rest

    @cached_property
    def durations(self) -> dict[str, float]:
        """Seconds by id, of the videos whose length is known."""
        rows = self.library.catalogue.videos(status="indexed")
        return {row.id: row.duration_seconds for row in rows if row.duration_seconds is not None}

    def _names_of(self, order: Order) -> dict[str, Any]:
        """Class or split of the videos that have one."""
        named = ((video.key, video.label if order == "class" else video.split) for video in self.videos)
        return {id_of_key(key): name for key, name in named if name is not None}

    def allowed_keys(self, filters: Filters, own_groups: frozenset[str] = frozenset()) -> NDArray[np.int64] | None:
        """Keys of the videos that pass; None when every video does. Raises NothingMatches when none does."""
        # What is tagged changes without a new generation.
        return (self._allowed if filters.tag is None else self._select)(filters, own_groups)

    def _select(self, filters: Filters, own_groups: frozenset[str]) -> NDArray[np.int64] | None:
        return keys_that_pass(self.library.catalogue, filters, own_groups, tagged(self.library, filters.tag))


def _stamp(folder: Path) -> str:
    """What names the current generation; empty when nothing is published."""
    try:
        return (folder / CURRENT).read_bytes().hex()
    except OSError:
        return ""
