import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.index import generations
from indexer.index.index_types import FILE_NAME
from indexer.index.manifest import Segment
from indexer.index.vector_index import VectorIndex
from rspnet_core.errors import DeviceUnavailable, LibraryDamaged
from tests.indexer.storage import DIMS, unit_vectors


def make_keys(count, seed=0):
    return np.sort(np.random.default_rng(seed).choice(2**63 - 1, size=count, replace=False)).astype(np.int64)


def build(keys, vectors, batch=50):
    batches = ((keys[at : at + batch], vectors[at : at + batch]) for at in range(0, len(keys), batch))
    return VectorIndex.build(batches, vectors.shape[1])


def nearest_by_sorting(keys, vectors, query, top, allowed):
    """The oracle: score every vector, sort by descending score and ascending key."""
    scores = [round(float(vector.astype(np.float64) @ query.astype(np.float64)), 6) for vector in vectors]
    ranked = sorted((-score, int(key)) for score, key in zip(scores, keys, strict=True) if key in allowed)
    return [(key, -score) for score, key in ranked[:top]]


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 120),
    top=st.integers(1, 150),
    queries=st.integers(1, 25),
    levels=st.integers(1, 3),
    seed=st.integers(0, 999),
    share=st.one_of(st.none(), st.floats(0, 1)),
)
def test_search_agrees_with_sorting_all_scores_ties_included(count, top, queries, levels, seed, share):
    # Small whole numbers: sums are exact, and most scores occur many times.
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-levels, levels + 1, size=(count, 4)).astype(np.float32)
    asked = generator.integers(-levels, levels + 1, size=(queries, 4)).astype(np.float32)
    keys = make_keys(count, seed)
    allowed = None if share is None else keys[generator.random(count) < share]
    scores, found = build(keys, vectors).search(asked, top, allowed_keys=allowed)
    for row, query in enumerate(asked):
        expected = nearest_by_sorting(keys, vectors, query, top, set(keys if allowed is None else allowed))
        assert list(zip(found[row].tolist(), scores[row].tolist(), strict=True)) == expected


def test_a_stored_vector_finds_itself_first_with_score_1():
    keys, vectors = make_keys(300), unit_vectors(300, parts={"backbone": 512})
    scores, found = build(keys, vectors).search(vectors, 3)
    assert (found[:, 0] == keys).all()
    assert np.abs(scores[:, 0] - 1).max() < 1e-5
    assert (scores.dtype, found.dtype) == (np.float32, np.int64)


def test_equal_vectors_come_in_order_of_their_keys_however_many_are_asked_together():
    keys = make_keys(200)
    vectors = np.repeat(unit_vectors(1, parts={"backbone": 768}), 200, axis=0)
    index = build(keys, vectors)
    for together in (1, 19, 40):
        scores, found = index.search(np.repeat(vectors[:1], together, axis=0), 7)
        assert (found == keys[:7]).all()
        assert len(np.unique(scores)) == 1


def test_allowed_keys_that_the_index_lacks_are_no_hits():
    keys, vectors = make_keys(20), unit_vectors(20)
    index = build(keys, vectors)
    wanted = np.array([keys[3], 5, keys[3], keys[9], 2**63 - 1], dtype=np.int64)
    _, found = index.search(vectors[:1], 10, allowed_keys=wanted)
    assert sorted(found[0].tolist()) == [keys[3], keys[9]]
    scores, found = index.search(vectors[:2], 10, allowed_keys=np.empty(0, np.int64))
    assert scores.shape == found.shape == (2, 0)


def test_an_empty_index_finds_nothing():
    index = VectorIndex.build([], DIMS)
    assert len(index) == index.bytes_per_search == 0
    assert index.search(unit_vectors(2), 5)[1].shape == (2, 0)


def test_an_index_is_the_same_after_publishing(tmp_path):
    keys, vectors = make_keys(500), unit_vectors(500)
    index = build(keys, vectors)
    content = generations.Content(content_version="c", fingerprint="f", count=500, dims=DIMS)
    generations.publish(tmp_path, index.writers(), content)
    with generations.open_current(tmp_path) as generation:
        again = VectorIndex.read(generation.verified, generation.segments[0], DIMS)
    assert (again.keys == keys).all()
    assert again.bytes_per_search == 500 * DIMS * 4
    for mine, other in zip(index.search(vectors, 9), again.search(vectors, 9), strict=True):
        assert (mine == other).all()


def test_an_error_of_the_disk_is_not_swallowed_while_writing():
    class FullDisk:
        def write(self, data):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        build(make_keys(5), unit_vectors(5)).writers()[FILE_NAME](FullDisk())


@pytest.mark.parametrize(
    ("count", "dims", "cut"), [(9, DIMS, None), (10, DIMS + 1, None), (10, DIMS, 40), (10, DIMS, 0)]
)
def test_an_index_of_another_shape_or_cut_short_is_damaged(tmp_path, count, dims, cut):
    with (tmp_path / FILE_NAME).open("wb") as file:
        build(make_keys(10), unit_vectors(10)).writers()[FILE_NAME](file)
    data = (tmp_path / FILE_NAME).read_bytes()
    (tmp_path / FILE_NAME).write_bytes(data[:cut])
    with (tmp_path / FILE_NAME).open("rb") as file, pytest.raises(LibraryDamaged, match="repair"):
        VectorIndex.read(lambda _: file, Segment(generation=1, count=count, files={}), dims)


def test_keys_must_ascend():
    with pytest.raises(LibraryDamaged, match="ascend"):
        build(make_keys(5)[::-1].copy(), unit_vectors(5))


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:x", ""])
def test_a_device_that_is_not_there_is_an_error(device):
    with pytest.raises(DeviceUnavailable, match="use cpu"):
        build(make_keys(5), unit_vectors(5)).to(device)


@pytest.mark.gpu
def test_the_gpu_answers_like_the_cpu():
    keys, vectors = make_keys(5000), unit_vectors(5000, parts={"backbone": 512})
    queries = unit_vectors(40, seed=9, parts={"backbone": 512})
    expected_scores, expected = build(keys, vectors).search(queries, 50)
    try:
        index = build(keys, vectors).to("cuda")
    except DeviceUnavailable as error:
        pytest.skip(str(error))
    scores, found = index.search(queries, 50)
    assert np.abs(scores - expected_scores).max() < 2e-6
    assert (found == expected).mean() > 0.99
    _, filtered = index.search(queries, 5, allowed_keys=keys[::2])
    assert np.isin(filtered, keys[::2]).all()
