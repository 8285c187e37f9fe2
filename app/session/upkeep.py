"""What editors do to the library from the page: try files that failed again, take videos out, and tag them."""

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from app.serving.visitors import Visitor
from app.session.services import Services
from indexer.retrieval.maintenance import remove_videos
from indexer.retrieval.tagging import tag_videos
from rspnet_core.errors import InvalidSetting, LibraryBusy, QueryNotFound


def try_again(services: Services, visitor: Visitor, ids: Collection[str] | None = None) -> None:
    """Index files that failed once more, in the background: those of ``ids``, or all. What is gone leaves the list.

    Raises QueryNotFound where none of them failed, and as ``Builder.start_all``.
    """
    visitor.must_be_editor()
    work: dict[Path, list[str]] = defaultdict(list)
    for video in services.library.catalogue.failed():
        if ids is None or video.id in ids:
            work[Path(services.library.root_of(video))].append(video.path)
    if not work:
        raise QueryNotFound("no such file failed; it may have been indexed or removed meanwhile")
    services.builder.start_all(visitor, work)


def take_out(services: Services, visitor: Visitor, ids: Collection[str]) -> int:
    """Take videos and failed files out of the library, and publish; returns how many. Files stay where they are.

    Ids that have left the library meanwhile are nothing to take out. Raises NotAllowed for a viewer, LibraryBusy while
    videos are added, InvalidSetting for no id at all.
    """
    visitor.must_be_editor()
    if not ids:
        raise InvalidSetting("tick the videos first that are to leave the library")
    if services.builder.status.is_running:
        raise LibraryBusy("videos are being added; wait for it to finish or stop it")
    there = [video.id for video in services.library.catalogue.videos(ids=ids)]
    removed = remove_videos(services.place.folder, there) if there else 0
    services.reload()
    return removed


def tag(services: Services, visitor: Visitor, ids: Collection[str], text: str, *, on: bool) -> int:
    """Put a tag on videos, or take it off; returns how many changed. Those that left the library are left out.

    Raises NotAllowed for a viewer, InvalidSetting for no video, for what is no tag, and for too many.
    """
    visitor.must_be_editor()
    there = [video.id for video in services.library.catalogue.videos(ids=ids, status="indexed")]
    if not there:
        raise InvalidSetting("tick the videos first that are to be tagged")
    return tag_videos(services.library, text, there, on=on)
