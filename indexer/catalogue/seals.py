"""Seals: a digest beside each descriptive row, so that one damaged byte of it is found before it is published.

SQLite keeps no checksums of its pages. What a search shows comes from a published generation, whose bytes are verified;
a seal protects the step before, from the catalogue to the next generation. Vectors have a digest of their own
(``vectors.py``). Writers check the few rows that describe the library when they open it, and those of videos when they
publish them.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from indexer.catalogue.models import Encoder, Root, Split, State, Video
from rspnet_core.errors import LibraryDamaged

SEALED = tuple(name for name in Video.__mapper__.columns.keys() if name != "seal")  # noqa: SIM118
"""The attributes of a video's row that its seal covers."""
_YOUNGER = {"added_ns"}
"""Attributes that are younger than seals: a row without them has the seal that older versions gave it."""
_REALS = {"fps", "duration_seconds", "predicted_probability"}


def _digest(values: Iterable[Any]) -> bytes:
    """BLAKE2b, 16 bytes, over texts, bytes, numbers and None, each as it comes back from any database."""
    plain = [value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value for value in values]
    return hashlib.blake2b(ascii(plain).encode(), digest_size=16).digest()


def seal_of_video(row: Mapping[str, Any], splits: Mapping[int, str]) -> bytes:
    """Of a row of ``videos`` by attribute names, those left out being None, and its splits by fold."""
    names = [name for name in SEALED if name not in _YOUNGER or row.get(name) is not None]
    values = [float(row[name]) if name in _REALS and row.get(name) is not None else row.get(name) for name in names]
    return _digest([*values, *(part for fold in sorted(splits) for part in (fold, splits[fold]))])


def seal_of_root(root_id: int, path: str) -> bytes:
    """Of a data folder."""
    return _digest([root_id, path])


def seal_of_encoder(fingerprint: str, description: Mapping[str, Any], parts: list[list[Any]]) -> bytes:
    """Of the encoder."""
    return _digest([fingerprint, json.dumps(description, sort_keys=True), json.dumps(parts)])


def seal_of_state(content_version: str) -> bytes:
    """Of the content version."""
    return _digest([content_version])


def seal_of_change(content_version: str, *, before: str, stored: bytes, gone: bytes) -> bytes:
    """Of what one transaction changed."""
    return _digest([content_version, before, stored, gone])


def check_state(content_version: str, seal: bytes | None) -> None:
    """LibraryDamaged unless the seal fits."""
    if seal_of_state(content_version) != seal:
        raise _damaged("content version")


def check_settings(connection: Connection) -> None:
    """LibraryDamaged unless the encoder, the data folders and the content version are those that were stored."""
    for version, seal in connection.execute(select(State.content_version, State.seal)):
        check_state(version, seal)
    for root_id, path, seal in connection.execute(select(Root.id, Root.path, Root.seal)):
        if seal_of_root(root_id, path) != seal:
            raise _damaged(f"data folder {root_id}")
    for *values, seal in connection.execute(
        select(Encoder.fingerprint, Encoder.description, Encoder.parts, Encoder.seal)
    ):
        if seal_of_encoder(*values) != seal:
            raise _damaged("encoder")


def _damaged(what: str) -> LibraryDamaged:
    return LibraryDamaged(
        f"the catalogue is damaged (its {what} is not what was stored); restore it from a backup, or remove the "
        "library's folder and build again"
    )


def broken_seals(connection: Connection, keys: Iterable[int] | None = None, *, has_added: bool = True) -> list[int]:
    """Keys, of all videos or among ``keys``, of the rows that are not those that were stored.

    ``has_added``: whether the tables have that column; those that no build has brought up to date yet have not.
    """
    return [key for key, before, now in _seals(connection, keys, has_added=has_added) if before != now]


def seal_videos(connection: Connection, keys: Iterable[int] | None = None) -> None:
    """Seal the rows of all videos, or those of ``keys``, as they are now."""
    rows = [{"of_key": key, "new": now} for key, _, now in _seals(connection, keys)]
    if rows:
        statement = update(Video).where(Video.key == bindparam("of_key")).values(seal=bindparam("new"))
        connection.execute(statement, rows)


def seal_all(connection: Connection) -> None:
    """Seal the rows of a catalogue of a version that had no seals."""
    seal_videos(connection)
    for row in connection.execute(select(State.id, State.content_version)).all():
        connection.execute(update(State).where(State.id == row.id).values(seal=seal_of_state(row.content_version)))
    for row in connection.execute(select(Root.id, Root.path)).all():
        connection.execute(update(Root).where(Root.id == row.id).values(seal=seal_of_root(row.id, row.path)))
    for row in connection.execute(select(Encoder.id, Encoder.fingerprint, Encoder.description, Encoder.parts)).all():
        seal = seal_of_encoder(row.fingerprint, row.description, row.parts)
        connection.execute(update(Encoder).where(Encoder.id == row.id).values(seal=seal))


def _seals(
    connection: Connection, keys: Iterable[int] | None, *, has_added: bool = True
) -> Iterable[tuple[int, bytes | None, bytes]]:
    """Key, the seal that is stored, and the seal that fits."""
    names = [name for name in SEALED if has_added or name not in _YOUNGER]
    columns = [getattr(Video, name) for name in names]
    videos = select(Video.seal, *columns)
    sides = select(Split.video_key, Split.fold, Split.split)
    if keys is not None:
        wanted = list(keys)
        videos, sides = videos.where(Video.key.in_(wanted)), sides.where(Split.video_key.in_(wanted))
    splits: dict[int, dict[int, str]] = defaultdict(dict)
    for key, fold, split in connection.execute(sides):
        splits[key][fold] = split
    for seal, *values in connection.execute(videos).all():
        row = dict(zip(names, values, strict=True))
        yield row["key"], seal, seal_of_video(row, splits.get(row["key"], {}))
