"""Small rows and vectors for the tests of storage."""

import numpy as np

from indexer.catalogue import EncoderRecord, VideoEntry, VideoVectors

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
    )


def make_entry(path, **facts):
    defaults = {"root_id": 1, "size_bytes": 10, "modified_ns": 20, "content_hash": f"hash of {path!a}"}
    return VideoEntry(path=path, **(defaults | facts))


def filled(catalogue, count=5):
    """Put an encoder, a root and ``count`` indexed videos into a new catalogue; returns their ids."""
    catalogue.set_encoder(ENCODER)
    assert catalogue.root_id("/data") == 1
    entries = [make_entry(f"Class{i % 2}/{i}.mp4", label=f"Class{i % 2}", group=f"g{i}") for i in range(count)]
    for seed, entry in enumerate(entries):
        catalogue.commit_indexed(entry, make_vectors(seed))
    return [entry.id for entry in entries]
