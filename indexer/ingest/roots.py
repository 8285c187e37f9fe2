"""Data folders of a library: which are there, which went, and where one went to.

A folder that is gone and whose videos a build finds elsewhere has moved::

    all of them, by the same names     its videos keep their ids: the folder is only called otherwise
    some of them, or renamed           their vectors are copied, and the old entries leave the library

Two folders that are both there are two, whatever they hold.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from indexer.catalogue.catalogue import Catalogue, KnownVideo
from indexer.index.place import Place
from indexer.ingest.plan import content_hash
from indexer.ingest.writer import LibraryWriter
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.text import printable
from rspnet_core.video.datasets.dataset import Dataset

_HASHED = 3
"""Videos whose content is compared before a folder is taken for one that moved; their sizes and names all agree."""


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """A data folder of a library."""

    path: str
    """Absolute."""
    exists: bool
    """False where there is no folder any more; True too where it cannot be told."""
    indexed: int
    failed: int


def folder_of(place: Place, stored: str) -> Path:
    """Where a data folder is, wherever the library and it were moved together."""
    return Path(os.path.normpath(place.folder / stored))


def stored_path(place: Place, folder: Path) -> str:
    """What the catalogue calls a data folder: relative, so that both may be moved together."""
    return os.path.relpath(folder, place.folder)


def is_gone(folder: Path) -> bool:
    """Whether there surely is no such folder."""
    try:
        return not stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False


def adopt_root(catalogue: Catalogue, place: Place, dataset: Dataset, root: Path) -> tuple[int, list[str]]:
    """The id of a data folder for a build, and a note where it is one of the library's that moved."""
    stored = stored_path(place, root)
    known = catalogue.roots()
    if stored not in known.values():
        sizes = {file.path: _size(root / file.path) for file in dataset.files}
        for root_id, path in known.items():
            old = folder_of(place, path)
            if is_gone(old) and _has_moved(catalogue.known(root_id), sizes, root):
                catalogue.rename_root(root_id, stored)
                return root_id, [f"the data folder {printable(str(old))} has moved to {printable(str(root))}"]
    return catalogue.root_id(stored), []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _has_moved(videos: dict[str, KnownVideo], sizes: dict[str, int], root: Path) -> bool:
    indexed = {path: video for path, video in videos.items() if video.status == "indexed"}
    if not indexed or any(sizes.get(path) != video.size_bytes for path, video in indexed.items()):
        return False
    some = sorted(indexed)[:: max(1, len(indexed) // _HASHED)]
    return all(_holds(root / path, indexed[path].content_hash) for path in some)


def _holds(path: Path, expected: str | None) -> bool:
    try:
        return content_hash(path) == expected
    except VideoError:
        return False


def ids_of_gone(catalogue: Catalogue, place: Place, *, but: int) -> list[int]:
    """Of the data folders that are surely not there any more, all but one."""
    return [root for root, path in catalogue.roots().items() if root != but and is_gone(folder_of(place, path))]


def let_moved_go(catalogue: Catalogue, place: Place, root_id: int) -> list[str]:
    """Drop what data folders that are gone hold and ``root_id`` holds now too; a note for each of those folders."""
    notes = []
    here = {video.content_hash for video in catalogue.known(root_id).values() if video.status == "indexed"}
    roots = catalogue.roots()
    for other in ids_of_gone(catalogue, place, but=root_id):
        folder = folder_of(place, roots[other])
        known = catalogue.known(other).values()
        found = [video.id for video in known if video.status == "indexed" and video.content_hash in here]
        rest = sum(video.status == "indexed" for video in known) - len(found)
        shown = printable(str(folder))
        if rest:
            catalogue.drop(found)
            notes.append(
                f"the data folder {shown} is gone, with {rest} videos that are not elsewhere; "
                "`rspnet-index roots` renames or drops it"
            )
        else:
            catalogue.drop_root(other)
            notes.append(f"the data folder {shown} is gone: it has left the library, its {len(found)} videos are here")
    return notes


def data_folders(path: Path) -> list[DataFolder]:
    """The data folders of a library, by path. Raises LibraryNotFound."""
    place = Place.find(path)
    with Catalogue.open(place.catalogue_target, write=False) as catalogue:
        return _folders(catalogue, place)


def _folders(catalogue: Catalogue, place: Place) -> list[DataFolder]:
    folders = []
    for root_id, stored in catalogue.roots().items():
        known = catalogue.known(root_id).values()
        indexed, folder = sum(video.status == "indexed" for video in known), folder_of(place, stored)
        folders.append(
            DataFolder(path=str(folder), exists=not is_gone(folder), indexed=indexed, failed=len(known) - indexed)
        )
    return sorted(folders, key=lambda folder: folder.path)


def change_folders(path: Path, *, rename: tuple[Path, Path] | None, drop: Iterable[Path]) -> list[DataFolder]:
    """Rename a data folder of a library that has moved, and drop others with all their videos; publish.

    Raises InvalidSetting, and changes nothing, when a folder is none of the library, or the new one does not hold a
    video of the old.
    """
    with LibraryWriter(Place.find(path)) as library:
        catalogue, place = library.catalogue, library.place
        ids = {folder_of(place, stored): root_id for root_id, stored in catalogue.roots().items()}
        dropped = [_id_of(ids, folder) for folder in drop]
        renamed = None if rename is None else _checked(catalogue, ids, *rename)
        if renamed is not None:
            catalogue.rename_root(renamed[0], stored_path(place, renamed[1]))
        for root_id in dropped:
            catalogue.drop_root(root_id)
        library.publish()
        return _folders(catalogue, place)


def _id_of(ids: dict[Path, int], folder: Path) -> int:
    wanted = folder.absolute()
    for candidate in (wanted, Path(os.path.normpath(wanted)), folder.resolve()):
        if candidate in ids:
            return ids[candidate]
    have = ", ".join(printable(str(path)) for path in sorted(ids)) or "none"
    raise InvalidSetting(f"{printable(str(wanted))} is no data folder of this library; it has {have}")


def _checked(catalogue: Catalogue, ids: dict[Path, int], old: Path, new: Path) -> tuple[int, Path]:
    root_id, there = _id_of(ids, old), new.resolve()
    if there in ids:
        raise InvalidSetting(f"{printable(str(there))} is a data folder of this library already; drop {old} instead")
    indexed = [path for path, video in catalogue.known(root_id).items() if video.status == "indexed"]
    if not there.is_dir() or (indexed and not any((there / path).is_file() for path in indexed)):
        raise InvalidSetting(
            f"{printable(str(there))} holds none of the {len(indexed)} videos of {printable(str(old))}; "
            "name the folder that they lie in now"
        )
    return root_id, there


def folders_document(folders: Iterable[DataFolder]) -> dict[str, Any]:
    """The document that ``rspnet-index roots --json`` prints."""
    return {"roots": [asdict(folder) | {"path": printable(folder.path)} for folder in folders]}
