"""Segments answer as one index of all vectors, and stay few."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.index.generations import Content, open_current, publish
from indexer.index.segments import KEYS_NAME, SegmentedIndex, batches, count_kept, open_index, write_keys
from indexer.index.vector_index import VectorIndex
from rspnet_core.errors import DeviceUnavailable, LibraryDamaged
from tests.indexer.storage import DIMS, unit_vectors


def index_of(keys, vectors):
    return VectorIndex.build([(keys, vectors)], vectors.shape[1])


def same(one, other):
    return all(np.array_equal(left, right) for left, right in zip(one, other, strict=True))


def drawn_segments(generator, count, vectors_of):
    """Segments of random keys, each replacing and taking out some of the earlier; and one index of what is left."""
    parts, alive = [], {}
    for _ in range(count):
        keys = np.unique(generator.integers(0, 60, size=generator.integers(0, 30))).astype(np.int64)
        stored = keys[generator.random(len(keys)) < 0.8]
        parts = [part.without(keys) for part in parts]
        vectors = vectors_of(len(stored))
        parts.append(index_of(stored, vectors))
        for key in keys.tolist():
            alive.pop(key, None)
        alive |= dict(zip(stored.tolist(), vectors, strict=True))
    keys = np.array(sorted(alive), np.int64)
    vectors = np.array([alive[key] for key in sorted(alive)], np.float32).reshape(len(keys), parts[0].dims)
    return SegmentedIndex(parts), index_of(keys, vectors)


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 6),
    top=st.integers(1, 80),
    queries=st.integers(1, 25),
    seed=st.integers(0, 9999),
    ties=st.booleans(),
    share=st.one_of(st.none(), st.floats(0, 1)),
)
def test_segments_answer_as_one_index_ties_removals_and_filters_included(count, top, queries, seed, ties, share):
    generator = np.random.default_rng(seed)

    def draw(number):
        if ties:  # small whole numbers: most scores occur many times
            return generator.integers(-1, 2, size=(number, 4)).astype(np.float32)
        return generator.normal(size=(number, 4)).astype(np.float32)

    segments, one = drawn_segments(generator, count, draw)
    allowed = None if share is None else one.keys[generator.random(len(one)) < share]
    asked = draw(queries)
    assert same(segments.search(asked, top, allowed_keys=allowed), one.search(asked, top, allowed_keys=allowed))
    assert np.array_equal(segments.keys, one.keys)
    assert len(segments) == len(one)
    assert segments.bytes_per_search == one.bytes_per_search
    places = generator.permutation(len(one))[: generator.integers(0, 20)]
    assert np.array_equal(segments.take(places), one.take(places))
    for key in range(60):
        ours, expected = segments.vector(key), one.vector(key)
        assert (ours is None) == (expected is None)
        assert ours is None or np.array_equal(ours, expected)
    for ours, expected in zip(batches(segments, 7), batches(one, 7), strict=True):
        assert same(ours, expected)


def test_a_device_that_is_not_there_is_an_error():
    segments = SegmentedIndex([index_of(np.array([3]), unit_vectors(1)), index_of(np.array([1]), unit_vectors(1))])
    assert len(segments.to("cpu").search(unit_vectors(1), 5)[1][0]) == 2
    with pytest.raises(DeviceUnavailable, match="use cpu"):
        segments.to("cuda:99")


@pytest.mark.gpu
def test_segments_on_a_gpu_answer_like_those_on_the_cpu():
    keys, vectors = np.arange(3000), unit_vectors(3000, parts={"backbone": 512})
    places = [slice(0, 2000), slice(2000, 2900), slice(2900, 3000)]
    segments = SegmentedIndex([index_of(keys[place], vectors[place]) for place in places])
    expected = segments.search(vectors[:20], 30)
    try:
        scores, found = segments.to("cuda").search(vectors[:20], 30)
    except DeviceUnavailable as error:
        pytest.skip(str(error))
    assert np.abs(scores - expected[0]).max() < 2e-6
    assert (found == expected[1]).mean() > 0.99


@pytest.mark.parametrize("added", [[1], [0], [100, 1, 0, 1, 3], [7, 7, 1]])
def test_segments_stay_few_and_a_video_is_written_again_a_few_times(added):
    sizes, written, total = [1000], 0, 1000
    for number in range(3000):
        new = added[number % len(added)]
        kept = count_kept(sizes, new)
        merged = sum(sizes[kept:]) + max(new, 1)
        sizes = [*sizes[:kept], merged]
        written, total = written + merged, total + max(new, 1)
        assert all(older >= 2 * newer for older, newer in pairwise(sizes))
    assert len(sizes) <= math.log2(total) + 1
    assert written < 2 * total * math.log2(total)


def test_one_more_video_in_a_large_library_is_a_segment_of_its_own():
    assert count_kept([1_000_000], 1) == 1
    assert count_kept([1_000_000, 100], 100) == 1
    assert count_kept([1_000_000, 300, 100], 1) == 3
    assert count_kept([1_000_000], 600_000) == 0


@pytest.mark.parametrize("keys", [np.arange(2), np.arange(3).astype(np.float32), np.array(["a", "b", "c"]), None])
def test_keys_that_are_none_are_damage(tmp_path, keys):
    facts = {"content_version": "c", "fingerprint": "f", "dims": DIMS}
    vectors = unit_vectors(3)
    index = index_of(np.arange(3), vectors)
    first = publish(tmp_path, index.writers(), Content(**facts, count=3))
    own = index_of(np.arange(1), vectors[:1])
    write = (lambda sink: sink.write(b"nothing")) if keys is None else lambda sink: write_keys(keys, sink)
    content = Content(**facts, count=1, replaced=3)
    publish(tmp_path, {**own.writers(), KEYS_NAME: write}, content, first.segments)
    with open_current(tmp_path) as generation, pytest.raises(LibraryDamaged, match=r"segment 000002.*repair"):
        open_index(generation)
