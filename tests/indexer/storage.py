"""Small rows and vectors for the tests of storage."""

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
from sqlalchemy import NullPool, create_engine, select, update

import indexer  # whose Library is imported where it is used: processes that only write start without PyTorch
from indexer.catalogue.catalogue import FILE_NAME, Catalogue, EncoderRecord, VideoEntry, VideoVectors, id_of_key
from indexer.catalogue.models import Vector
from indexer.catalogue.publish import publish_index
from indexer.catalogue.seals import seal_videos
from indexer.catalogue.stored import stored_vectors
from indexer.catalogue.vector_queries import encoder_record
from indexer.catalogue.vectors import ENERGY_DIMS
from indexer.index import generations
from indexer.index.place import Place
from indexer.ingest.roots import change_folders, data_folders
from rspnet_core.errors import LibraryError, NothingMatches

PARTS = {"backbone": 8, "motion": 4, "appearance": 4}
DIMS = sum(PARTS.values())
ENCODER = EncoderRecord(fingerprint="f" * 16, description={"backbone": "tiny", "trained": False}, parts=PARTS)


def unit_vectors(count, seed=0, parts=PARTS):
    """Float32 (count, D), each part of unit length."""
    generator = np.random.default_rng(seed)
    drawn = [generator.normal(size=(count, length)) for length in parts.values()]
    return np.hstack([part / np.linalg.norm(part, axis=1, keepdims=True) for part in drawn]).astype(np.float32)


def make_vectors(seed=0, num_clips=3):
    starts = np.arange(num_clips) / 3
    return VideoVectors(
        video=unit_vectors(1, seed)[0],
        clips=unit_vectors(num_clips, seed + 1),
        spans_seconds=np.stack([starts, starts + 0.1], axis=1),
        colour_histogram=np.random.default_rng(seed).dirichlet(np.ones(512)).astype(np.float32),
        motion_energy=unit_vectors(1, seed, {"motion": ENERGY_DIMS})[0],
    )


def make_entry(path, **facts):
    defaults = {"root_id": 1, "size_bytes": 10, "modified_ns": 20, "content_hash": f"hash of {path!a}"}
    return VideoEntry(path=path, **(defaults | facts))


def filled(catalogue, count=5):
    """Put an encoder, a root and ``count`` indexed videos into a new catalogue; returns their ids."""
    catalogue.set_encoder(ENCODER)
    assert catalogue.root_id("/data") == 1
    entries = [
        make_entry(f"Class{i % 2}/{i}.mp4", label=f"Class{i % 2}", group=f"g{i}", splits={1: "test"})
        for i in range(count)
    ]
    for seed, entry in enumerate(entries):
        catalogue.commit_indexed(entry, make_vectors(seed))
    return [entry.id for entry in entries]


def make_older(connection, revision):
    """Turn the tables of a catalogue into those of an older revision."""
    forget_added(connection)
    if revision == "0005":
        return
    connection.exec_driver_sql("DROP TABLE changes")
    if revision == "0004":
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0004'")
        return
    connection.exec_driver_sql("ALTER TABLE vectors DROP COLUMN motion_energy")
    keys = list(connection.scalars(select(Vector.video_key)))
    for key, vectors, _ in stored_vectors(connection, keys, encoder_record(connection).dims, has_energy=False):
        connection.execute(update(Vector).where(Vector.video_key == key).values(digest=vectors.digest()))
    if revision == "0003":
        connection.exec_driver_sql("ALTER TABLE retired DROP COLUMN motion_energy")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
        return
    for table in ("state", "encoder", "roots", "videos"):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN seal")
    connection.exec_driver_sql("DROP TABLE retired")
    if revision < "0002":
        for column in ("predicted_class", "predicted_probability"):
            connection.exec_driver_sql(f"ALTER TABLE videos DROP COLUMN {column}")
    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")


def forget_added(connection):
    """Turn the tables of a catalogue, or the rows of a segment, into those of revision 0005."""
    connection.exec_driver_sql("UPDATE videos SET added_ns = NULL")
    seal_videos(connection)
    connection.exec_driver_sql("ALTER TABLE videos DROP COLUMN added_ns")
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0005'")


def publish_older(folder):
    """Publish a library of one segment again the way that the version of revision 0005 did."""
    memory = sqlite3.connect(":memory:", isolation_level=None)
    with generations.open_current(folder) as generation:
        index, content = generation.verified("index.faiss").read(), generation.manifest.content
        memory.deserialize(generation.verified("rows.sqlite").read())
    with create_engine("sqlite+pysqlite://", creator=lambda: memory, poolclass=NullPool).connect() as connection:
        forget_added(connection)
        rows = memory.serialize()
    writers = {"index.faiss": lambda sink: sink.write(index), "rows.sqlite": lambda sink: sink.write(rows)}
    generations.publish(folder, writers, content)


def forget_rows(folder):
    """Publish the index of a library again the way that older versions did: without rows."""
    with generations.open_current(folder) as generation:
        index = generation.verified("index.faiss").read()
        content = generation.manifest.content
    generations.publish(folder, {"index.faiss": lambda sink: sink.write(index)}, content)


def make_library(folder, count=5):
    """Publish a library of ``count`` videos whose vectors no encoder made; returns their ids. Its queries are ids."""
    Place.prepare(folder, None)
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        ids = filled(catalogue, count)
        publish_index(catalogue, folder)
    return ids


def copied(library, to, videos):
    """A copy of a library of the folder ``videos``, which it still finds from wherever it lies."""
    copy = shutil.copytree(library, to)
    (folder,) = (Path(folder.path) for folder in data_folders(copy))
    if folder != videos:
        change_folders(copy, rename=(folder, videos), drop=())
    return copy


def answers(folder, ids):
    """All that a reader is shown: searches with moments, with filters, rows, vectors and ``info``, as plain values."""
    weights = indexer.PartWeights(motion=1, appearance=2)
    with indexer.Library.open(folder, device="cpu") as library:
        catalogue = library.catalogue
        clips = [catalogue.clip_vectors(key) for key in ids]
        return {
            "searches": [library.search(key, top=4, moments=True, weights=weights).to_json() for key in ids[:3]],
            "filtered": library.search(ids[0], top=len(ids), label="Class1", split="test").to_json(),
            "rows": list(catalogue.videos()),
            "clips": [each.vectors.tobytes() for each in clips],
            "spans": [each.spans_seconds.tobytes() for each in clips],
            "vectors": [rows.tobytes() for _, rows in catalogue.all_vectors()],
            "histograms": [rows.tobytes() for _, rows in catalogue.colour_histograms()],
            "info": library.info(),
        }


def stored(target):
    """Id -> vector as bytes of every video of the catalogue at ``target`` now; empty before there are tables."""
    try:
        with Catalogue.open(target, write=False) as catalogue:
            batches = list(catalogue.all_vectors())
    except LibraryError:
        return {}
    return {id_of_key(int(key)): row.tobytes() for keys, rows in batches for key, row in zip(keys, rows, strict=True)}


def search_twice(library, video_id):
    """Two answers as JSON: all videos with moments, and those of a class."""
    every = library.search(video_id, top=10, moments=True, weights=indexer.PartWeights(motion=1, appearance=1))
    try:
        of_class = json.dumps(library.search(video_id, top=10, label="Class1").to_json())
    except NothingMatches as error:
        of_class = str(error)
    return [json.dumps(every.to_json()), of_class]
