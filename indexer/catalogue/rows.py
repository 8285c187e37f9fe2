"""What a transaction of the catalogue writes: rows of a video with all that hangs on them, the mark of new content."""

import secrets
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, insert, literal, select, update

from indexer.catalogue.models import Clip, Split, State, Vector, Video
from indexer.catalogue.queries import encoder_record
from indexer.catalogue.records import VideoEntry
from indexer.catalogue.seals import seal_of_state, seal_of_video
from indexer.catalogue.stored import retire
from indexer.catalogue.vectors import VideoVectors, pack
from rspnet_core.errors import LibraryError

_LARGEST = 2**63 - 1


def columns(entry: VideoEntry) -> dict[str, Any]:
    """The columns that a file brings with it."""
    names = ("path", "root_id", "size_bytes", "content_hash", "label", "group")
    media = ("width", "height", "fps", "num_frames", "duration_seconds")
    # A file system can hold times after the year 2262, which 63 bits of nanoseconds cannot.
    time = {"modified_ns": max(-_LARGEST, min(entry.modified_ns, _LARGEST))}
    return {name: getattr(entry, name) for name in (*names, *media)} | time


def replace_video(connection: Connection, entry: VideoEntry, **more: Any) -> bytes:
    """Delete the row of the same path with all that hangs on it, and insert the new one; returns its seal."""
    other = connection.execute(select(Video.root_id, Video.path).where(Video.key == entry.key)).first()
    if other is not None and (other.root_id, other.path) != (entry.root_id, entry.path):
        raise LibraryError(f"{entry.path!r} and {other.path!r} have the same id {entry.id}; rename one of them")
    if other is not None:
        retire_videos(connection, [entry.key])
    connection.execute(delete(Video).where(Video.key == entry.key))
    row = columns(entry) | {"key": entry.key} | more
    seal = seal_of_video(row, entry.splits)
    connection.execute(insert(Video).values(row | {"seal": seal}))
    insert_splits(connection, [entry])
    return seal


def retire_videos(connection: Connection, keys: list[int]) -> None:
    """Keep the vectors of videos that leave for the generations that still show them."""
    encoder = encoder_record(connection)
    if encoder is not None:
        retire(connection, keys, encoder.dims)


def insert_splits(connection: Connection, entries: Iterable[VideoEntry]) -> None:
    """Write the official splits of new rows."""
    rows = [
        {"video_key": entry.key, "fold": fold, "split": split}
        for entry in entries
        for fold, split in entry.splits.items()
    ]
    if rows:
        connection.execute(insert(Split), rows)


def clip_rows(key: int, vectors: VideoVectors) -> list[dict[str, Any]]:
    """The rows of a video's clips."""
    return [
        {
            "video_key": key,
            "position": position,
            "start_seconds": float(span[0]),
            "end_seconds": float(span[1]),
            "vector": pack(vector),
        }
        for position, (span, vector) in enumerate(zip(vectors.spans_seconds, vectors.clips, strict=True))
    ]


def copy_rows(connection: Connection, table: type[Vector] | type[Clip], source: int, target: int) -> None:
    """Give the video ``target`` a copy of the rows that ``source`` has in ``table``."""
    rest = [column for column in table.__table__.columns if column.name != "video_key"]
    rows = select(literal(target), *rest).where(table.video_key == source)
    connection.execute(insert(table).from_select(["video_key", *(column.name for column in rest)], rows))


def new_content(connection: Connection) -> None:
    """Say that there is something new to publish."""
    version = secrets.token_hex(8)
    connection.execute(update(State).values(content_version=version, seal=seal_of_state(version)))
