"""Which videos two libraries both hold, whatever their ids, folders and encoders."""

from collections.abc import Callable, Hashable, Iterable

from indexer.catalogue.catalogue import VideoRow


def shared_videos(ours: Iterable[VideoRow], theirs: Iterable[VideoRow]) -> dict[str, str]:
    """The id of each of our videos that they hold too, and its id there.

    Two are the same that have the same content; where one of them was not hashed, the same path below its data folder.
    Each has one other at most: of several of one content, those of one path go together.
    """
    mine, left = list(ours), {video.id: video for video in theirs}
    found: dict[str, str] = {}
    for named in _NAMES:
        places: dict[Hashable, list[VideoRow]] = {}
        for video in left.values():
            places.setdefault(named(video), []).append(video)
        for video in mine:
            name = named(video)
            if video.id in found or name is None:
                continue
            twin = next((other for other in places.get(name, ()) if other.id in left and _may_be(video, other)), None)
            if twin is not None:
                found[video.id] = left.pop(twin.id).id
    return found


_NAMES: tuple[Callable[[VideoRow], Hashable], ...] = (
    lambda video: video.content_hash and (video.content_hash, video.path),
    lambda video: video.content_hash,
    lambda video: video.path,
)


def _may_be(video: VideoRow, other: VideoRow) -> bool:
    """False where both contents are known and differ."""
    return None in (video.content_hash, other.content_hash) or video.content_hash == other.content_hash
