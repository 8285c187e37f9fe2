"""What a transaction of the catalogue writes: rows of a video with all that hangs on them, the mark of new content."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, literal, select, update

from indexer.catalogue.changes import note_change
from indexer.catalogue.models import Clip, Split, State, Vector
from indexer.catalogue.records import VideoEntry
from indexer.catalogue.seals import seal_of_state
from indexer.catalogue.stored import retire
from indexer.catalogue.vector_queries import encoder_record
from indexer.catalogue.vectors import VideoVectors, pack

_LARGEST = 2**63 - 1


def columns(entry: VideoEntry) -> dict[str, Any]:
    """The columns that a file brings with it."""
    names = ("path", "root_id", "size_bytes", "content_hash", "label", "group")
    media = ("width", "height", "fps", "num_frames", "duration_seconds")
    # A file system can hold times after the year 2262, which 63 bits of nanoseconds cannot.
    time = {"modified_ns": max(-_LARGEST, min(entry.modified_ns, _LARGEST))}
    return {name: getattr(entry, name) for name in (*names, *media)} | time


def retire_videos(connection: Connection, keys: list[int]) -> None:
    """Keep the vectors of videos that leave for the generations that still show them."""
    encoder = encoder_record(connection)
    if encoder is not None:
        retire(connection, keys, encoder.dims)


def insert_splits(connection: Connection, splits: Mapping[int, Mapping[int, str]]) -> None:
    """Write the official splits of new rows: key -> fold -> side."""
    rows = [
        {"video_key": key, "fold": fold, "split": side} for key, sides in splits.items() for fold, side in sides.items()
    ]
    if rows:
        connection.execute(insert(Split), rows)


def clip_rows(key: int, vectors: VideoVectors) -> list[dict[str, Any]]:
    """The rows of a video's clips."""
    packed, step = pack(vectors.clips), vectors.clips.shape[1] * 4
    return [
        {
            "video_key": key,
            "position": position,
            "start_seconds": start,
            "end_seconds": end,
            "vector": packed[position * step : (position + 1) * step],
        }
        for position, (start, end) in enumerate(vectors.spans_seconds.tolist())
    ]


def copy_rows(connection: Connection, table: type[Vector] | type[Clip], source: int, target: int) -> None:
    """Give the video ``target`` a copy of the rows that ``source`` has in ``table``."""
    rest = [column for column in table.__table__.columns if column.name != "video_key"]
    rows = select(literal(target), *rest).where(table.video_key == source)
    connection.execute(insert(table).from_select(["video_key", *(column.name for column in rest)], rows))


def new_content(connection: Connection, *, stored: Iterable[int] = (), gone: Iterable[int] = ()) -> None:
    """Say that there is something new to publish: the videos of these keys, besides what describes the library."""
    version = secrets.token_hex(8)
    note_change(connection, version, stored, gone)
    connection.execute(update(State).values(content_version=version, seal=seal_of_state(version)))
