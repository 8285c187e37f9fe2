"""Hits of a search as a file, whose ending says of which kind, or as a folder of links to their videos.

Saved are those hits that are no copies of better ones, best first.
"""

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.contact_sheet import title_of
from indexer.retrieval.library import Library
from indexer.retrieval.listing import Row, as_concat, as_csv, as_json, as_parquet
from indexer.retrieval.posters import read_poster
from indexer.retrieval.search import Hit, SearchResult, folded
from indexer.retrieval.tagging import tags_of
from indexer.retrieval.video_list import rows_of, sheet_of
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import InvalidSetting, LibraryError
from rspnet_core.text import printable, short
from rspnet_core.video.reading.sandbox import DecodePool

_TABLES = {".csv": as_csv, ".parquet": as_parquet, ".json": as_json}
_CONCAT, _SHEET = ".txt", ".html"
_ALLOWED = (
    "endings are .csv, .parquet, .json, .txt (a list for FFmpeg) and .html (a contact sheet), and a slash for a folder "
    "of links"
)
_LONGEST_NAME = 255
"""Bytes of a file's name."""


def check_target(target: str) -> None:
    """Raises InvalidSetting for what hits cannot be saved as, and for a folder that holds something."""
    if not _is_folder(target):
        if _ending(target) not in (*_TABLES, _CONCAT, _SHEET):
            raise InvalidSetting(f"save: got {printable(short(target, 80))!r}, allowed {_ALLOWED}")
    elif Path(target).exists() and (not Path(target).is_dir() or any(Path(target).iterdir())):
        raise InvalidSetting(f"save: {printable(target)} is there and not an empty folder; name a new or an empty one")


def save_hits(library: Library, result: SearchResult, target: str) -> int:
    """Write ``target``, in place of what a file of that name held, and say how many hits are in it.

    Raises:
        InvalidSetting: as ``check_target``, and for what such a file cannot hold.
        LibraryError: it cannot be written; what was there is as it was.
    """
    check_target(target)
    rows = {row.id: row for row in library.catalogue.videos(ids=[hit.id for hit in result], status="indexed")}
    hits = [hit for hit, _ in folded(result) if hit.id in rows]
    try:
        if _is_folder(target):
            _link(hits, Path(target).resolve())
        else:
            videos = [rows[hit.id] for hit in hits]
            content = _written(library, videos, hits, title_of(result), _ending(target))
            with replaced_when_complete(Path(target)) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise LibraryError(
            f"cannot save {printable(target)} ({error.strerror}); name a file in a folder that is there and has room"
        ) from error
    return len(hits)


def _is_folder(target: str) -> bool:
    return target.endswith("/") or (target != "" and Path(target).is_dir())


def _ending(target: str) -> str:
    return Path(target).suffix.lower()


def _written(library: Library, videos: Sequence[VideoRow], hits: Sequence[Hit], title: str, ending: str) -> bytes:
    if ending == _CONCAT:
        return as_concat(hit.path for hit in hits)
    known = rows_of(videos, hits, tags_of(library, videos))
    rows: list[Row] = [{**row, "path": hit.path} for row, hit in zip(known, hits, strict=True)]
    if ending != _SHEET:
        return _TABLES[ending](rows)
    paths = {hit.id: Path(hit.path) for hit in hits}
    with DecodePool(1) as pool:
        return sheet_of(videos, rows, lambda video: read_poster(pool, paths[video.id]), title).encode()


def _link(hits: Sequence[Hit], folder: Path) -> None:
    """Links in the order of the hits, all or none: ``01 name.mp4``."""
    made = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    made.mkdir()
    try:
        for rank, hit in enumerate(hits, 1):
            number = f"{rank:0{len(str(len(hits)))}d} ".encode()
            name = os.fsencode(Path(hit.path).name)[len(number) - _LONGEST_NAME :]  # its end, which says of which kind
            (made / os.fsdecode(number + name)).symlink_to(hit.path)
        made.replace(folder)
    except BaseException:
        shutil.rmtree(made)
        raise
