"""Group commit: what became of many video files, written in one transaction with one statement a table."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from indexer.catalogue.models import Clip, Vector, Video
from indexer.catalogue.prediction import Prediction
from indexer.catalogue.records import VideoEntry, id_of_key
from indexer.catalogue.rows import clip_rows, columns, insert_splits, retire_videos
from indexer.catalogue.seals import SEALED, seal_of_video
from indexer.catalogue.vector_queries import encoder_record
from indexer.catalogue.vectors import VideoVectors, pack, vector_problem
from rspnet_core.errors import LibraryError

VIDEOS_PER_COMMIT = 64
"""At stake when the machine dies: enough that the disk's flush is a small part of a commit, 2 MB of vectors."""
_INSERT = insert(Video).values({name: bindparam(name) for name in (*SEALED, "seal")})
_NOTHING = dict.fromkeys((*SEALED, "seal"))
PREDICTED = ("predicted_class", "predicted_probability")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A video file and what became of it: its vectors, or the reason why it has none."""

    entry: VideoEntry
    vectors: VideoVectors | None = None
    predicted: Prediction | None = None
    reason: str | None = None
    """Why it has no vectors, or what a file that was cut lacks."""


def write_outcomes(connection: Connection, outcomes: Sequence[Outcome]) -> list[int]:
    """Replace the rows of these files by new ones; returns the keys of those that readers are shown anew.

    Raises LibraryError when vectors are unsound, or two paths have one key; nothing may be committed then.
    """
    latest = {outcome.entry.path: outcome for outcome in outcomes}
    _check_vectors(connection, latest.values())
    was_there = replace_videos(connection, [(outcome.entry, _more(outcome)) for outcome in latest.values()])
    embedded = [(key, of.vectors) for key, of in zip(was_there, latest.values(), strict=True) if of.vectors is not None]
    if embedded:
        connection.execute(insert(Vector), [_vector_row(key, vectors) for key, vectors in embedded])
        connection.execute(insert(Clip), [row for key, vectors in embedded for row in clip_rows(key, vectors)])
    shown = {key for key, _ in embedded} | {key for key, same in was_there.items() if not same}
    return sorted(shown)


@dataclass(frozen=True, slots=True)
class _Before:
    """What is remembered of a row that makes room for a new one."""

    seal: bytes | None
    status: str
    added_ns: int | None


def replace_videos(connection: Connection, rows: Sequence[tuple[VideoEntry, dict[str, Any]]]) -> dict[int, bool]:
    """Put new rows in the place of all that hangs on their keys; key -> whether just this row was there before.

    A video that was indexed before keeps its date of that, another one has it from now on, or from what ``rows`` say.
    """
    by_key: dict[int, tuple[VideoEntry, dict[str, Any]]] = {}
    for entry, more in rows:
        key = entry.key
        if key in by_key:
            raise _equal_keys(key, entry.path, by_key[key][0].path)
        by_key[key] = (entry, more)
    there = _make_room(connection, {key: entry for key, (entry, _) in by_key.items()})
    described = [
        _NOTHING | columns(entry) | {"key": key, "added_ns": _added_ns(there.get(key), more)} | more
        for key, (entry, more) in by_key.items()
    ]
    for row, (entry, _) in zip(described, rows, strict=True):
        row["seal"] = seal_of_video(row, entry.splits)
    connection.execute(_INSERT, described)
    insert_splits(connection, {key: entry.splits for key, (entry, _) in by_key.items()})
    return {key: key in there and there[key].seal == row["seal"] for key, row in zip(by_key, described, strict=True)}


def _added_ns(before: _Before | None, more: Mapping[str, Any]) -> int | None:
    """When a video was first indexed, as far as that is known; a file that always failed never was."""
    if before is not None and (before.status == "indexed" or before.added_ns is not None):
        return before.added_ns
    return time.time_ns() if more["status"] == "indexed" else None


def _make_room(connection: Connection, entries: Mapping[int, VideoEntry]) -> dict[int, _Before]:
    """Delete the rows of these keys with all that hangs on them; returns what is remembered of them."""
    named = (Video.key, Video.root_id, Video.path, Video.seal, Video.status, Video.added_ns)
    there = {}
    for key, root_id, path, seal, status, added_ns in connection.execute(
        select(*named).where(Video.key.in_(list(entries)))
    ):
        if (root_id, path) != (entries[key].root_id, entries[key].path):
            raise _equal_keys(key, entries[key].path, path)
        there[key] = _Before(seal, status, added_ns)
    if there:
        retire_videos(connection, list(there))
        connection.execute(delete(Video).where(Video.key.in_(list(there))))
    return there


def _equal_keys(key: int, path: str, other: str) -> LibraryError:
    return LibraryError(f"{path!r} and {other!r} have the same id {id_of_key(key)}; rename one of them")


def _check_vectors(connection: Connection, outcomes: Iterable[Outcome]) -> None:
    encoder = encoder_record(connection)
    for outcome in outcomes:
        if outcome.vectors is None:
            continue
        if encoder is None:
            raise LibraryError("the catalogue has no encoder yet; call set_encoder before committing vectors")
        if problem := vector_problem(outcome.vectors, encoder.parts):
            path = outcome.entry.path
            raise LibraryError(f"{path!r} got {problem}; it was not stored: check the weights and the video")


def _more(outcome: Outcome) -> dict[str, Any]:
    if outcome.vectors is None:
        said: dict[str, Any] = {"status": "failed", "reason": outcome.reason, "num_clips": 0}
    else:
        said = {"status": "indexed", "reason": outcome.reason, "num_clips": len(outcome.vectors.clips)}
    predicted = (None, None) if outcome.predicted is None else astuple(outcome.predicted)
    return said | dict(zip(PREDICTED, predicted, strict=True))


def _vector_row(key: int, vectors: VideoVectors) -> dict[str, Any]:
    return {
        "video_key": key,
        "vector": pack(vectors.video),
        "colour_histogram": pack(vectors.colour_histogram),
        "motion_energy": None if vectors.motion_energy is None else pack(vectors.motion_energy),
        "digest": vectors.digest(),
    }
