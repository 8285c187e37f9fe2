"""A folder of videos -> a store of their frames, each video decoded once by the decoders that survive hostile files."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from rspnet_core.ahead import asked_ahead
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.config import WholeVideo
from rspnet_core.errors import DatasetError, InvalidSetting, VideoError
from rspnet_core.progress import Progress, silent
from rspnet_core.video.making.encode import remove_left_overs, write_video
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.reading.sniff import open_regular
from rspnet_core.video.store.frame_store import INDEX, Frames, Shard, StoredVideo, StoreIndex
from rspnet_core.video.store.unfinished import Piece, Unfinished, unfinished

SHARD_FRAMES = 2048
"""A shard is closed once it has as many."""
_QUALITY = 24
"""x264's constant rate factor."""
_MOST_ENCODERS = 8
"""A shard that is being encoded holds about 100 MB."""
_RECORDED_FPS = 25
"""What shards say of frames whose videos have rates of their own."""


def write_store(
    files: Mapping[str, Path],
    out: Path,
    wanted: WholeVideo,
    pool: DecodePool,
    *,
    progress: Progress = silent,
) -> tuple[StoreIndex, dict[str, str]]:
    """Decode videos and keep their frames; stopped or killed, the same call goes on after the last complete shard.

    Args:
        files: name in the store -> video.
        out: the store's folder: new, empty, or that of a call which did not come to its end.
        wanted: size and rate of the frames.
        pool: decodes, two videos more than it has processes ahead; as many shards are encoded meanwhile.
        progress: told after each video.

    Returns:
        The store's index, and the reasons of videos that cannot be read, by path; these are left out.

    Raises:
        InvalidSetting: ``out`` holds other files, or was begun with other videos or settings, or is being written.
        DatasetError: no video can be read, or none is named, or the disk refuses.
    """
    if not files:
        raise DatasetError("no videos to write; name a folder, or a list, that has some")
    unreadable: dict[str, str] = {}
    num_encoders = min(pool.workers, _MOST_ENCODERS)
    try:
        with unfinished(out, wanted) as begun, ThreadPoolExecutor(num_encoders) as encoders:
            _check_same(begun, files, out)
            decoded = _decoded(files, begun, wanted, pool, unreadable, progress)
            groups = _groups(decoded, len(begun.pieces))
            write = partial(_written, out, wanted.fps)
            for _, writing in asked_ahead(groups, lambda group: encoders.submit(write, group), num_encoders):
                begun.add(writing.result())
            if not begun.pieces:
                raise DatasetError(
                    f"none of {len(files)} videos can be read, such as {next(iter(unreadable.items()), None)}"
                )
            index = StoreIndex(
                side=wanted.frame_size,
                fps=wanted.fps,
                videos=tuple(begun.videos.values()),
                shards=tuple(piece.shard for piece in begun.pieces),
            )
            with replaced_when_complete(out / INDEX) as temporary:  # the last file: without it there is no store
                temporary.write_text(index.model_dump_json(indent=1), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"cannot write {out} ({error.strerror}); name a folder with room to write to") from error
    return index, unreadable


class _Group(NamedTuple):
    """The videos of a shard that is to be written."""

    number: int
    videos: list[StoredVideo]
    frames: list[Frames]


def _check_same(begun: Unfinished, files: Mapping[str, Path], out: Path) -> None:
    for path, video in begun.videos.items():
        if path not in files or not files[path].is_file() or _sha256(files[path]) != video.sha256:
            raise InvalidSetting(
                f"{out} was begun with {path!r}, which is gone or another video now; delete it, or name a new folder"
            )


def _decoded(
    files: Mapping[str, Path],
    begun: Unfinished,
    wanted: WholeVideo,
    pool: DecodePool,
    unreadable: dict[str, str],
    progress: Progress,
) -> Iterator[tuple[StoredVideo, Frames]]:
    """Videos that are not in the store yet, in order, with their frames."""
    kept, first = begun.videos, begun.num_frames
    missing = [path for path in files if path not in kept]
    asked = asked_ahead(missing, lambda path: pool.frames(files[path], wanted), pool.workers + 2)
    for done, (path, future) in enumerate(asked, len(kept) + 1):
        try:
            frames, aspect = future.result()
        except VideoError as error:
            unreadable[path] = str(error)
        else:
            digest = _sha256(files[path])
            yield StoredVideo(path=path, first=first, frames=len(frames), aspect=aspect, sha256=digest), frames
            first += len(frames)
        progress("videos", done, len(files))


def _groups(decoded: Iterable[tuple[StoredVideo, Frames]], number: int) -> Iterator[_Group]:
    """Videos together until they have the frames of a shard."""
    group = _Group(number, [], [])
    for video, frames in decoded:
        group.videos.append(video)
        group.frames.append(frames)
        if sum(map(len, group.frames)) >= SHARD_FRAMES:
            yield group
            group = _Group(group.number + 1, [], [])
    if group.videos:
        yield group


def _written(out: Path, fps: float | None, group: _Group) -> Piece:
    path = out / f"shard-{group.number:03d}.mp4"
    remove_left_overs(path)
    write_video(path, chain.from_iterable(group.frames), fps=fps or _RECORDED_FPS, crf=_QUALITY, preset="fast")
    shard = Shard(file=path.name, first=group.videos[0].first, frames=sum(map(len, group.frames)), sha256=_sha256(path))
    return Piece(shard=shard, videos=tuple(group.videos))


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
