"""An index of inverted files finds what an exact one finds, whatever the weights and filters, from the same files."""

import tracemalloc
from itertools import islice

import numpy as np
import pytest

from indexer.index import index_types, ivf_index
from indexer.index.generations import Content, open_current, publish
from indexer.index.index_types import FILE_NAME, FLAT, IVF, build_index
from indexer.index.ivf_index import FEW, IvfIndex
from indexer.index.manifest import Segment
from indexer.index.segments import SegmentedIndex, open_index
from indexer.index.vector_index import VectorIndex
from indexer.ingest.simulate import PARTS, synthetic_vectors
from rspnet_core.errors import DeviceUnavailable, LibraryDamaged
from tests.indexer.storage import unit_vectors

COUNT = 14_000
LENGTHS = [*PARTS.values()]
MIXES = {"backbone": (1, 0, 0), "motion": (0, 1, 0), "appearance": (0, 0, 1), "all": (1, 1, 1), "heads": (0, 0.3, 0.7)}


@pytest.fixture(scope="module")
def keys():
    return np.sort(np.random.default_rng(0).choice(2**62, size=COUNT, replace=False)).astype(np.int64)


@pytest.fixture(scope="module")
def vectors():
    return np.stack(list(islice(synthetic_vectors(), COUNT)))


@pytest.fixture(scope="module")
def exact(keys, vectors):
    return VectorIndex.build([(keys, vectors)], sum(LENGTHS))


@pytest.fixture(scope="module")
def index(exact):
    made = IvfIndex.of(exact, LENGTHS)
    assert isinstance(made, IvfIndex)
    return made


def weighted(vectors, mix):
    return vectors * np.repeat(np.float32(MIXES[mix]), LENGTHS)


def found(truth, keys):
    return np.mean([np.isin(own, near).mean() for own, near in zip(truth, keys, strict=True)])


@pytest.mark.parametrize("share", [None, 0.8])
@pytest.mark.parametrize("mix", MIXES)
def test_nearly_all_of_an_exact_search_is_found_with_its_scores(mix, share, exact, index, keys, vectors):
    allowed = None if share is None else keys[np.random.default_rng(1).random(COUNT) < share]
    queries = weighted(vectors[5::140], mix)
    truth_scores, truth = exact.search(queries, 10, allowed_keys=allowed)
    scores, near = index.search(queries, 10, allowed_keys=allowed)
    assert found(truth, near) > 0.975
    best = (truth == near).all(axis=1)
    assert best.mean() > 0.7
    assert np.abs(scores[best] - truth_scores[best]).max() <= 2e-6
    assert (np.diff(scores, axis=1) <= 0).all()
    assert allowed is None or np.isin(near, allowed).all()


def test_it_says_what_it_finds_and_reads_less(exact, index):
    known = index.approximation
    assert 0.95 < known.recall <= 1
    assert index.recall == known.recall
    assert len(known.probes) == len(LENGTHS)
    assert index.bytes_per_search < exact.bytes_per_search / 2
    assert exact.recall == 1


def test_few_videos_left_by_a_filter_are_compared_exactly(exact, index, keys, vectors):
    few = keys[::7]
    for mine, other in zip(*(each.search(vectors[:9], 10, allowed_keys=few) for each in (index, exact)), strict=True):
        assert (mine == other).all()


def test_a_search_for_more_than_its_lists_hold_is_exact(monkeypatch, exact, index, keys, vectors):
    monkeypatch.setattr(ivf_index, "FEW", 0)
    far = keys[np.argsort(vectors[:, :512] @ vectors[0, :512])[:2000]]
    queries = weighted(vectors[:3], "backbone")
    for top in (10, 1500):
        truth = exact.search(queries, top, allowed_keys=np.sort(far))[1]
        near = index.search(queries, top, allowed_keys=np.sort(far))[1]
        assert near.shape == truth.shape
        assert found(truth, near) > 0.97
    assert (index.search(queries, COUNT)[1] == exact.search(queries, COUNT)[1]).all()
    assert index.search(queries, 5, allowed_keys=np.empty(0, np.int64))[1].shape == (3, 0)
    assert (index.search(np.zeros((1, 768), np.float32), 4)[1] == keys[:4]).all()


def test_what_is_taken_out_is_found_no_more(exact, index, keys, vectors):
    gone = np.append(keys[3:1000:3], 1)
    without = index.without(gone)
    left = np.setdiff1d(keys, gone)
    assert len(without) == len(left)
    assert (without.keys == left).all()
    assert without.vector(keys[3]) is None
    assert (without.vector(keys[4]) == vectors[4]).all()
    assert without.vector(5) is None
    assert (without.take(np.array([2, 3, 0])) == vectors[[2, 4, 0]]).all()
    queries = weighted(vectors[3:300:30], "all")
    near = without.search(queries, 10)[1]
    assert not np.isin(near, gone).any()
    assert found(exact.search(queries, 10, allowed_keys=left)[1], near) > 0.97
    assert len(without.without(keys)) == 0
    assert without.without(keys).search(queries, 10)[1].shape == (10, 0)
    assert len(index) == COUNT


@pytest.fixture(scope="module")
def published(index, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    facts = {"content_version": "c", "fingerprint": "f", "count": COUNT, "dims": index.dims}
    publish(folder, index.writers(), Content(**facts, index_type=IVF, approximation=index.approximation))
    return folder


def test_it_is_the_same_after_publishing_and_goes_on_when_its_files_are_gone(published, index, vectors):
    with open_current(published) as generation:
        again = open_index(generation)
    assert isinstance(again, IvfIndex)
    for name in generation.manifest.files:
        (generation.path / name).rename(generation.path / f"{name}.away")
    queries = weighted(vectors[:50], "all")
    for mine, other in zip(index.search(queries, 9), again.search(queries, 9), strict=True):
        assert (mine == other).all()
    for name in generation.manifest.files:
        (generation.path / f"{name}.away").rename(generation.path / name)


def test_beside_a_segment_of_later_videos_it_answers_as_one(published, exact, keys, vectors):
    with open_current(published) as generation:
        large = open_index(generation)
    later = VectorIndex.build([(keys[:200], vectors[:200][::-1])], exact.dims)
    both = SegmentedIndex([large.without(keys[:200]), later])
    assert both.recall == large.recall
    one = VectorIndex.build([(keys, np.concatenate([vectors[:200][::-1], vectors[200:]]))], exact.dims)
    queries = weighted(vectors[:200:10], "motion")
    assert found(one.search(queries, 10)[1], both.search(queries, 10)[1]) > 0.97


@pytest.mark.parametrize("wrong", ["count", "dims", "fewer parts", "another index", "no numbers"])
def test_files_of_something_else_are_damage(published, index, wrong):
    with open_current(published) as generation:
        (segment,) = generation.segments
        names = dict.fromkeys(segment.files)
        changed = segment.model_copy(
            update={
                "count": {"count": COUNT + 1},
                "fewer parts": {"approximation": index.approximation.model_copy(update={"probes": (1, 1)})},
                "no numbers": {"approximation": None},
            }.get(wrong, {})
        )

        def verified(name):
            return generation.verified(FILE_NAME if wrong == "another index" else name)

        with pytest.raises(LibraryDamaged, match="repair"):
            IvfIndex.read(verified, changed, index.dims + (wrong == "dims"))
    assert FILE_NAME in names


def test_a_file_that_faiss_cannot_read_is_damage(published, tmp_path, index):
    segment = Segment(
        generation=1,
        count=COUNT,
        approximation=index.approximation,
        files={f"part{part}.faiss": {"size_bytes": 1, "sha256": "0" * 64} for part in range(3)},
    )
    (tmp_path / "cut").write_bytes(b"Iw")
    with (tmp_path / "cut").open("rb") as file, pytest.raises(LibraryDamaged, match="repair"):
        IvfIndex.read(lambda _: file, segment, index.dims)


def test_the_kind_follows_from_the_size_or_is_asked_for(monkeypatch, keys, vectors):
    lengths = [PARTS["motion"]]
    vectors = vectors[:, PARTS["backbone"] :][:, : lengths[0]]
    monkeypatch.setattr(index_types, "MOST_EXACT", COUNT)
    assert build_index([(keys, vectors)], lengths).kind == FLAT
    monkeypatch.setattr(index_types, "MOST_EXACT", COUNT - 1)
    assert build_index([(keys, vectors)], lengths, FLAT).kind == FLAT
    assert build_index([(keys, vectors)], lengths).kind == IVF
    few = build_index([(keys[:FEW], vectors[:FEW])], lengths, IVF)
    assert few.kind == FLAT
    assert few.approximation is None


def test_vectors_without_clusters_are_searched_exactly():
    drawn = unit_vectors(FEW + 1, parts={"backbone": 64})
    assert build_index([(np.arange(len(drawn)), drawn)], [64], IVF).kind == FLAT


def test_a_device_that_is_not_there_is_an_error(index):
    assert index.to("cpu") is index
    with pytest.raises(DeviceUnavailable, match="use cpu"):
        index.to("cuda:99")


def test_vectors_in_a_mapped_file_are_never_copied_as_a_whole(published, keys):
    with open_current(published) as generation:
        again = open_index(generation)
    one = again.take(np.array([5]))
    tracemalloc.start()
    try:
        again.take(np.array([5, 6]))
        again.vector(keys[5])
        again.search(one, 10)
        again.search(one, COUNT)
        again.search(one, 10, allowed_keys=keys[::3])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < COUNT * again.dims * 4 / 2
