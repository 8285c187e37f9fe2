"""What goes into the catalogue and comes out of it: plain values, no database objects.

A video's id is 16 hex digits, opaque and stable: a library that is rebuilt from the same folder has the same ids. As a
number of 63 bits, the same id is the video's key in the FAISS index.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Self

from indexer.catalogue.prediction import Prediction
from rspnet_core.errors import QueryNotFound

Status = Literal["indexed", "failed"]


def derive_key(root_id: int, path: str) -> int:
    """The key, 0 to 2^63 - 1, of the video at ``path`` (relative to its root; any bytes, as surrogate escapes)."""
    name = f"{root_id}/{path}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest()) >> 1


def id_of_key(key: int) -> str:
    """The id, 16 hex digits, that people and programs see."""
    return f"{key:016x}"


def video_key(video_id: str) -> int:
    """The FAISS key of an id; QueryNotFound when the text is no id."""
    if not re.fullmatch("[0-7][0-9a-f]{15}", video_id):
        raise QueryNotFound(
            "this is not the id of a video: an id has 16 hex digits, as `rspnet-index search` prints them"
        )
    return int(video_id, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderRecord:
    """The one encoder whose vectors a library holds."""

    fingerprint: str
    description: Mapping[str, Any]
    """All that is known of the encoder, as JSON values."""
    parts: Mapping[str, int]
    """The parts of a vector in their order and their lengths, e.g. backbone 512, motion 128, appearance 128."""

    @property
    def dims(self) -> int:
        """Length of a whole vector."""
        return sum(self.parts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEntry:
    """A video file as it was found; media facts are None until it was decoded."""

    path: str
    """Relative to its root; bytes that are not UTF-8 as surrogate escapes."""
    root_id: int
    size_bytes: int
    modified_ns: int
    content_hash: str | None = None
    label: str | None = None
    group: str | None = None
    splits: Mapping[int, str] = field(default_factory=dict)
    """Fold -> ``train``, ``test`` or ``val``."""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    num_frames: int | None = None
    duration_seconds: float | None = None

    @property
    def key(self) -> int:
        """The video's key in the FAISS index."""
        return derive_key(self.root_id, self.path)

    @property
    def id(self) -> str:
        """The video's id, 16 hex digits."""
        return id_of_key(self.key)

    def with_content(self, content_hash: str | None) -> Self:
        """The same file, its content known."""
        return replace(self, content_hash=content_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVideo:
    """What a build compares a file with."""

    id: str
    size_bytes: int
    modified_ns: int
    content_hash: str | None
    status: Status
    reason: str | None
    label: str | None
    group: str | None
    splits: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRow:
    """A video of the library; ``reason`` says why a failed one failed, or what the file of an indexed one lacks."""

    id: str
    path: str
    root_id: int
    size_bytes: int
    content_hash: str | None
    status: Status
    reason: str | None
    label: str | None
    group: str | None
    splits: dict[int, str]
    width: int | None
    height: int | None
    fps: float | None
    num_frames: int | None
    duration_seconds: float | None
    num_clips: int
    predicted: Prediction | None
    """None where the encoder has no classifier, and in a library of an older version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVideo:
    """An indexed video as a benchmark sees it; ``split`` is that of the fold asked for."""

    key: int
    path: str
    root_id: int
    label: str | None
    group: str | None
    split: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a library holds."""

    indexed: int
    failed: int
    clips: int

    @property
    def total(self) -> int:
        """All videos, indexed or failed."""
        return self.indexed + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """One run of a build; ``finished`` is None when it was killed or still runs."""

    id: int
    started: datetime
    finished: datetime | None
    layout: str
    """Of the data folder, as ``rspnet_core.video.datasets.dataset`` names it."""
    counts: dict[str, int]
