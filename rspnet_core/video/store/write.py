"""A folder of videos -> a store of their frames, each video decoded once by the decoders that survive hostile files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rspnet_core.ahead import asked_ahead
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.config import WholeVideo
from rspnet_core.errors import DatasetError, InvalidSetting, VideoError
from rspnet_core.progress import Progress, silent
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.reading.sniff import open_regular
from rspnet_core.video.store.frame_store import INDEX, Frames, Shard, StoredVideo, StoreIndex

SHARD_FRAMES = 2048
"""A shard is closed once it has as many."""
_QUALITY = 24
"""x264's constant rate factor."""
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
    """Decode videos and keep their frames.

    Args:
        files: name in the store -> video.
        out: the store's folder, which must be new or empty.
        wanted: size and rate of the frames.
        pool: decodes, two videos more than it has processes ahead.
        progress: told after each video.

    Returns:
        The store's index, and the reasons of videos that cannot be read, by path; these are left out.

    Raises:
        InvalidSetting: ``out`` holds files already.
        DatasetError: no video can be read, or the disk refuses.
    """
    if out.exists() and any(out.iterdir()):
        raise InvalidSetting(f"{out} holds files already; name a new folder")
    videos: list[StoredVideo] = []
    shards: list[Shard] = []
    unreadable: dict[str, str] = {}
    waiting: list[Frames] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        asked = asked_ahead(files, lambda path: pool.frames(files[path], wanted), pool.workers + 2)
        for done, (path, future) in enumerate(asked, 1):
            try:
                frames, aspect = future.result()
            except VideoError as error:
                unreadable[path] = str(error)
            else:
                first = videos[-1].first + videos[-1].frames if videos else 0
                digest = _sha256(files[path])
                videos.append(StoredVideo(path=path, first=first, frames=len(frames), aspect=aspect, sha256=digest))
                waiting.append(frames)
            progress("videos", done, len(files))
            if sum(map(len, waiting)) >= SHARD_FRAMES:
                shards.append(_write_shard(out, shards, waiting, wanted.fps))
                waiting.clear()
        if not videos:
            raise DatasetError(
                f"none of {len(files)} videos can be read, such as {next(iter(unreadable.items()), None)}"
            )
        if waiting:
            shards.append(_write_shard(out, shards, waiting, wanted.fps))
        index = StoreIndex(side=wanted.frame_size, fps=wanted.fps, videos=tuple(videos), shards=tuple(shards))
        with replaced_when_complete(out / INDEX) as temporary:  # the last file: without it there is no store
            temporary.write_text(index.model_dump_json(indent=1), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"cannot write {out} ({error.strerror}); name a folder with room to write to") from error
    return index, unreadable


def _write_shard(out: Path, shards: list[Shard], waiting: list[Frames], fps: float | None) -> Shard:
    file = f"shard-{len(shards):03d}.mp4"
    frames = np.concatenate(waiting)
    write_video(out / file, frames, fps=fps or _RECORDED_FPS, crf=_QUALITY)
    first = shards[-1].first + shards[-1].frames if shards else 0
    return Shard(file=file, first=first, frames=len(frames), sha256=_sha256(out / file))


def _sha256(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
