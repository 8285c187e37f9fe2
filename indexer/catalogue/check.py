"""Is the catalogue sound? Looks at the database's own structure, then at every video's row and vectors."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Row, func, null, select, text, true

from indexer.catalogue.chunks import chunks
from indexer.catalogue.database import Database
from indexer.catalogue.models import Clip, Vector, Video
from indexer.catalogue.records import EncoderRecord, id_of_key
from indexer.catalogue.seals import broken_seals, check_settings
from indexer.catalogue.stored import stored_vectors
from indexer.catalogue.vector_queries import encoder_record
from indexer.catalogue.vectors import ENERGY_DIMS, HISTOGRAM_BINS, vector_problem
from rspnet_core.errors import LibraryError

SAMPLE = 200
"""Videos whose values are read by a check that is not deep."""
VIDEOS_PER_READ = 50
FLOAT_BYTES = 4


def database_problems(database: Database, *, deep: bool) -> list[str]:
    """Problems in words; an error of the database itself is one of them."""
    problems: list[str] = []
    try:
        with database.reading() as connection:
            if database.is_sqlite:
                problems += _sqlite_problems(connection, deep=deep)
            if database.has_seals:
                check_settings(connection)
            damaged = damaged_videos(connection, database, deep=deep)
            problems += [f"video {video}: {reason}" for video, reason in damaged.items()]
    except LibraryError as error:
        problems.append(str(error))
    return problems


def _sqlite_problems(connection: Connection, *, deep: bool) -> list[str]:
    found = connection.scalars(text("PRAGMA integrity_check" if deep else "PRAGMA quick_check")).all()
    problems = [f"catalogue: {line}" for line in found if line != "ok"]
    orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    return problems + [f"catalogue: a row of {orphan[0]} belongs to no {orphan[2]}" for orphan in orphans]


def damaged_videos(connection: Connection, database: Database, *, deep: bool) -> dict[str, str]:
    """Id -> problem. All rows (if they have seals) and sizes; values of all when ``deep``, else of a sample."""
    keys = list(connection.scalars(select(Vector.video_key).order_by(Vector.video_key)))
    sample = keys if deep else keys[:: max(1, len(keys) // SAMPLE)]
    return _in_order(_problems(connection, database, None, sample))


def damaged_among(connection: Connection, database: Database, keys: Iterable[int]) -> dict[str, str]:
    """Id -> problem, of the videos of these keys: those that are not there, rows, sizes and values of the others."""
    problems: dict[int, str] = {}
    for chunk in chunks(keys):
        there = set(connection.scalars(select(Video.key).where(Video.key.in_(chunk))))
        problems |= dict.fromkeys(set(chunk) - there, "it was stored, and its row is missing")
        problems |= _problems(connection, database, chunk, chunk)
    return _in_order(problems)


def _in_order(problems: Mapping[int, str]) -> dict[str, str]:
    return {id_of_key(key): problem for key, problem in sorted(problems.items())}


def _problems(
    connection: Connection, database: Database, rows_of: list[int] | None, values_of: Iterable[int]
) -> dict[int, str]:
    """Problems of the rows of these videos, or of all, and of the values of others that have none."""
    encoder = encoder_record(connection)
    broken = broken_seals(connection, rows_of, has_added=database.has_added) if database.has_seals else ()
    problems = dict.fromkeys(broken, "its row is not the one that was stored")
    dims = 0 if encoder is None else encoder.dims
    problems |= _structure_problems(connection, dims, rows_of, has_energy=database.has_energy)
    for chunk in chunks((key for key in values_of if key not in problems), VIDEOS_PER_READ):
        problems |= _value_problems(connection, chunk, encoder, has_energy=database.has_energy)
    return problems


def _structure_problems(
    connection: Connection, dims: int, keys: list[int] | None, *, has_energy: bool
) -> dict[int, str]:
    """Videos, of all or these, whose rows do not fit together; lengths are read without reading the values."""
    clips = (
        select(
            Clip.video_key,
            func.count().label("clips"),
            func.min(func.length(Clip.vector)).label("shortest"),
            func.max(func.length(Clip.vector)).label("longest"),
        )
        .where(true() if keys is None else Clip.video_key.in_(keys))
        .group_by(Clip.video_key)
        .subquery()
    )
    statement = (
        select(
            Video.key,
            Video.status,
            Video.num_clips,
            func.length(Vector.vector).label("vector"),
            func.length(Vector.colour_histogram).label("histogram"),
            func.length(Vector.motion_energy if has_energy else null()).label("energy"),
            func.coalesce(clips.c.clips, 0).label("clips"),
            clips.c.shortest,
            clips.c.longest,
        )
        .outerjoin(Vector, Vector.video_key == Video.key)
        .outerjoin(clips, clips.c.video_key == Video.key)
        .where(true() if keys is None else Video.key.in_(keys))
    )
    rows = connection.execute(statement, execution_options={"yield_per": 4096})
    found = ((row.key, _row_problem(row, dims * FLOAT_BYTES)) for row in rows)
    return {key: problem for key, problem in found if problem is not None}


def _row_problem(row: Row[tuple[int | str | None, ...]], vector_bytes: int) -> str | None:
    if row.status == "failed":
        return None if row.vector is None and row.clips == 0 else "failed, and yet it has vectors"
    if row.vector is None:
        return "its vector is missing"
    if row.clips != row.num_clips:
        return f"{row.clips} clips, expected {row.num_clips}"
    if {row.vector, row.shortest, row.longest} != {vector_bytes}:
        return f"a vector that does not have {vector_bytes} bytes"
    return _baseline_problem(row)


def _baseline_problem(row: Row[tuple[int | str | None, ...]]) -> str | None:
    if row.histogram != HISTOGRAM_BINS * FLOAT_BYTES:
        return f"a colour histogram of {row.histogram} bytes, expected {HISTOGRAM_BINS * FLOAT_BYTES}"
    if row.energy not in (None, ENERGY_DIMS * FLOAT_BYTES):
        return f"motion energy of {row.energy} bytes, expected {ENERGY_DIMS * FLOAT_BYTES}"
    return None


def _value_problems(
    connection: Connection, keys: list[int], encoder: EncoderRecord | None, *, has_energy: bool
) -> dict[int, str]:
    """Videos whose values are unsound or are not those that were stored; their sizes are known to be right."""
    if encoder is None:
        return dict.fromkeys(keys, "vectors of no known encoder")
    problems: dict[int, str] = {}
    for key, vectors, digest in stored_vectors(connection, keys, encoder.dims, has_energy=has_energy):
        if vectors is None:
            problems[key] = "values that are no vectors"
        elif vectors.digest() != digest:  # what was stored was sound
            problems[key] = vector_problem(vectors, encoder.parts) or "its vectors are not those that were stored"
    return problems
