"""All frames of many videos as one array, ready to be cut into clips by index.

    STORE/index.json        videos (path, frames, aspect, hash of the file) in the order of their frames; the shards
    STORE/shard-000.mp4     some thousand frames, of one video after another, H.264
    STORE/frames-128.u8     made when it is first opened: the decoded frames, uint8 (N, 128, 128, 3), mapped into memory

A frame costs 100 to 300 bytes in a shard, 49 kB decoded. Shards are read by the product's own decoders, or by OpenCV
where these are not installed.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from torch import Tensor

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.config import Settings, WholeVideo
from rspnet_core.errors import DatasetError, VideoError

INDEX = "index.json"
JOURNAL = "unfinished.jsonl"
"""What there is instead while a store is written; see ``unfinished``."""
MAX_SHARD_FRAMES = 4096
"""More than this are not decoded at once."""
_MOST_OF_GPU = 0.6
"""Part of a GPU's free memory that frames may take; the rest is for training."""

Frames = NDArray[np.uint8]


class StoredVideo(Settings):
    """One video of a store."""

    path: str
    """Relative to the folder that it came from, with ``/``."""
    first: int = Field(ge=0)
    """Place of its first frame among all frames."""
    frames: int = Field(ge=1)
    aspect: float = Field(gt=0, le=100)
    """Width of the video's frames by their height; stored ones are squares."""
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Of the original file."""


class Shard(Settings):
    """One file of frames."""

    file: str = Field(pattern=r"^shard-[0-9]{3,6}\.mp4$")
    first: int = Field(ge=0)
    frames: int = Field(ge=1, le=MAX_SHARD_FRAMES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class StoreIndex(Settings):
    """What ``index.json`` holds."""

    version: int = Field(default=1, ge=1, le=1)
    side: int = Field(ge=16, le=512)
    """Of the square frames, in pixels."""
    fps: float | None = Field(gt=0, le=240)
    """Frames a second of all videos; None: each as recorded."""
    videos: tuple[StoredVideo, ...] = Field(min_length=1)
    shards: tuple[Shard, ...] = Field(min_length=1)

    @property
    def num_frames(self) -> int:
        """Of all videos together."""
        return self.videos[-1].first + self.videos[-1].frames

    def shares_videos(self, other: "StoreIndex") -> bool:
        """Whether a file's content is in both: then what searches the other has to leave its own recording out."""
        return not {video.sha256 for video in self.videos}.isdisjoint(video.sha256 for video in other.videos)


@dataclass(frozen=True)
class FrameStore:
    """An open store."""

    index: StoreIndex
    frames: Tensor
    """uint8 (N, side, side, 3), RGB: mapped from the disk, or on a device after ``on``."""
    copied_to: torch.device | None = None
    """The GPU that each clip is copied to, where its memory is too small for all frames."""

    @property
    def paths(self) -> list[str]:
        """Of the videos, in order."""
        return [video.path for video in self.index.videos]

    def on(self, device: torch.device) -> "FrameStore":
        """The same whose clips are on a device, with all frames in its memory; on a CPU they stay mapped.

        They stay mapped too where they would take more than 0.6 of what is free of a GPU's memory, and each clip is
        copied (``copied_to``).
        """
        if device.type == "cpu":
            return self
        if self.frames.numel() > _MOST_OF_GPU * torch.cuda.mem_get_info(device)[0]:
            return replace(self, copied_to=device)
        return FrameStore(self.index, self.frames.to(device))

    def clips(self, indices: NDArray[np.int64]) -> Tensor:
        """Frames by their places among all: int64 (N, T) -> uint8 (N, T, side, side, 3), on the store's device."""
        places = torch.from_numpy(indices).to(self.frames.device, non_blocking=True)
        clips = self.frames[places.flatten()].view(*places.shape, *self.frames.shape[1:])
        if self.copied_to is None:
            return clips
        pinned = clips.pin_memory() if self.copied_to.type == "cuda" else clips
        return pinned.to(self.copied_to, non_blocking=True)


def open_store(folder: Path, *, workers: int | None = None) -> FrameStore:
    """Open a store; the first time its shards are decoded, about 2,000 frames a second and core.

    Args:
        folder: as ``write_store`` made it.
        workers: shards that are decoded at once; None is one a core.

    Raises:
        DatasetError: no store, a damaged one, or no room for the frames.
    """
    index = read_index(folder)
    shape = (index.num_frames, index.side, index.side, 3)
    decoded = folder / f"frames-{index.side}.u8"
    try:
        if not decoded.exists() or decoded.stat().st_size != int(np.prod(shape)):
            _decode_all(folder, index, decoded, shape, workers or os.cpu_count() or 1)
        frames = np.memmap(decoded, np.uint8, "c", shape=shape)  # copy on write: torch wants what may be written to
    except OSError as error:
        raise DatasetError(f"cannot keep the frames of {folder} ({error.strerror}); make room, or move it") from error
    return FrameStore(index, torch.from_numpy(frames))


def is_store(folder: Path) -> bool:
    """Whether a folder is a store rather than one of videos. Raises DatasetError for one that is not finished."""
    if (folder / INDEX).is_file():
        return True
    if (folder / JOURNAL).is_file():
        raise DatasetError(f"{folder} is a store that was not finished; give its `rspnet-train cache` command again")
    return False


def read_index(folder: Path) -> StoreIndex:
    """The index of a store. Raises DatasetError where there is none, or one whose parts do not fit together."""
    is_store(folder)  # says where one is not finished
    try:
        index = StoreIndex.model_validate_json((folder / INDEX).read_bytes())
    except OSError as error:
        raise DatasetError(f"{folder} is no store of frames ({error.strerror}); make one: rspnet-train cache") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DatasetError(f"{folder / INDEX}: {place}: {first['msg']}; write the store anew") from None
    for parts in (index.videos, index.shards):
        ends = [0, *(part.first + part.frames for part in parts)]
        if [part.first for part in parts] != ends[:-1] or ends[-1] != index.num_frames:
            raise DatasetError(
                f"{folder / INDEX}: its videos and shards do not follow each other; write the store anew"
            )
    if any(PurePosixPath(video.path).is_absolute() for video in index.videos):
        raise DatasetError(f"{folder / INDEX}: a path is absolute; write the store anew")
    return index


def _decode_all(folder: Path, index: StoreIndex, target: Path, shape: tuple[int, ...], workers: int) -> None:
    with replaced_when_complete(target) as temporary, _reader(index.side, workers) as read:
        frames = np.memmap(temporary, np.uint8, "w+", shape=shape)

        def decode(shard: Shard) -> None:
            path = folder / shard.file
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                    raise DatasetError(f"{path} is not the file that was written; copy the store again")
            pictures = read(path)
            if pictures.shape != (shard.frames, *shape[1:]):
                raise DatasetError(
                    f"{path} holds {pictures.shape}, the index says {shard.frames} frames; copy it again"
                )
            frames[shard.first : shard.first + shard.frames] = pictures

        with ThreadPoolExecutor(workers) as executor:
            for _ in executor.map(decode, index.shards):
                pass
        frames.flush()


@contextmanager
def _reader(side: int, workers: int) -> Iterator[Callable[[Path], Frames]]:
    """What reads all frames uint8 (n, side, side, 3), RGB, of a shard; called by several threads at once."""
    try:
        from rspnet_core.video.reading.sandbox import DecodePool
    except ModuleNotFoundError:  # no PyAV
        yield _frames_by_opencv
        return
    wanted = WholeVideo(frame_size=side, fps=None, max_frames=MAX_SHARD_FRAMES)

    def read(path: Path) -> Frames:
        try:
            return pool.frames(path, wanted).result()[0]
        except VideoError as error:
            raise DatasetError(f"{path}: {error}; copy the store again") from None

    with DecodePool(workers) as pool:
        yield read


def _frames_by_opencv(path: Path) -> Frames:
    import cv2

    reader = cv2.VideoCapture(str(path))
    pictures: list[Frames] = []
    while True:
        there, picture = reader.read()
        if not there:
            return np.stack(pictures)[..., ::-1]
        pictures.append(picture)
