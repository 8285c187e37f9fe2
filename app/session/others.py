"""Further libraries that the page compares with its own: by other encoders, poolings, weights or clips."""

from collections.abc import Sequence
from pathlib import Path

from app.session.opened import OpenedLibrary
from app.session.shelf import Shelf
from indexer.index.place import FOLDER_NAME
from indexer.retrieval.shared import shared_videos
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import printable, told_apart


class Others:
    """Each by its name: that of its folder, or of the data folder it lies in."""

    def __init__(self, own: Path, folders: Sequence[Path], device: str) -> None:
        """Open them. Raises LibraryNotFound, LibraryDamaged; InvalidSetting for one given twice."""
        shelves = [Shelf(folder, device) for folder in folders]
        places = [own, *(shelf.place.folder for shelf in shelves)]
        if len(set(places)) < len(places):
            raise InvalidSetting("compare: a library is given twice; give other libraries of the same videos")
        named = [folder.parent if folder.name == FOLDER_NAME else folder for folder in places]
        self.own, *names = map(printable, told_apart([str(folder) for folder in named]))
        self._shelves = dict(zip(names, shelves, strict=True))
        self._shared: dict[str, tuple[str, str, dict[str, str]]] = {}

    @property
    def names(self) -> list[str]:
        """In the order in which they were given."""
        return list(self._shelves)

    def opened(self, name: str) -> OpenedLibrary:
        """The newest generation of a library. Raises InvalidSetting for an unknown name, LibraryNotFound if empty."""
        if name not in self._shelves:
            raise InvalidSetting(f"the library to compare with: allowed are {', '.join(self.names) or 'none here'}")
        self._shelves[name].reload()
        return self._shelves[name].opened

    def shared(self, own: OpenedLibrary, name: str, theirs: OpenedLibrary) -> dict[str, str]:
        """Ids of the videos that both hold, own to theirs; kept until one of them has a newer generation."""
        generations = (own.generation, theirs.generation)
        if name not in self._shared or self._shared[name][:2] != generations:
            held = [opened.library.catalogue.videos(status="indexed") for opened in (own, theirs)]
            self._shared[name] = (*generations, shared_videos(*held))
        return self._shared[name][2]

    def close(self) -> None:
        """Release their catalogues."""
        for shelf in self._shelves.values():
            shelf.close()
