"""Retrieval scores against hand-computed cases and against slow loops written from the definitions."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.benchmark.baselines import expected_average_precision, expected_top_k, histogram_vectors, random_baseline
from indexer.benchmark.protocol import score
from indexer.benchmark.ranking import LabelledVectors, descending_order, rank_gallery
from rspnet_core.errors import DatasetError, InvalidSetting


def labelled(prefix, labels, vectors, groups=None):
    ids = [f"{prefix}{number:04d}" for number in range(len(labels))]
    return LabelledVectors(ids, list(labels), groups or [None] * len(labels), np.asarray(vectors, dtype=np.float32))


def random_sides(seed, *, queries=12, gallery=30, classes="abcd", dimensions=6):
    rng = np.random.default_rng(seed)
    sides = []
    for prefix, size in (("q", queries), ("g", gallery)):
        vectors = rng.standard_normal((size, dimensions))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        sides.append(labelled(prefix, rng.choice(list(classes), size), vectors))
    return sides


def oracle(queries, gallery, k, *, exclude_self=False):
    """(top-k, mean average precision), one query and one gallery video at a time."""
    hits, precisions = [], []
    for query in range(len(queries)):
        others = [row for row in range(len(gallery)) if not (exclude_self and gallery.ids[row] == queries.ids[query])]
        scores = {row: np.float32(queries.vectors[query].astype(float) @ gallery.vectors[row]) for row in others}
        ranked = sorted(others, key=lambda row: (-scores[row], gallery.ids[row]))
        right = [gallery.labels[row] == queries.labels[query] for row in ranked]
        hits.append(any(right[:k]))
        at_hits = [sum(right[: rank + 1]) / (rank + 1) for rank in range(len(right)) if right[rank]]
        precisions.append(sum(at_hits) / len(at_hits) if at_hits else 0.0)
    return np.mean(hits), np.mean(precisions)


def test_scores_of_a_case_computed_by_hand():
    gallery = labelled("g", ["run", "jump", "run", "jump"], [[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]])
    queries = labelled("q", ["run", "jump", "jump"], [[1, 0], [1, 0], [0, 1]])
    scores = score(queries, gallery, ks=(1, 2), bootstrap_samples=0)
    # Rankings: query 0 and 1 see run jump run jump; query 2 sees jump run jump run.
    assert [result.first_hit_rank for result in scores.results] == [1, 2, 1]
    assert scores.top_k == pytest.approx({1: 2 / 3, 2: 1.0})
    assert scores.mean_average_precision == pytest.approx((5 / 6 + 1 / 2 + 5 / 6) / 3)
    assert scores.macro.top_k[1] == pytest.approx((1 + 1 / 2) / 2)
    assert scores.per_class["jump"].summary.top_k == pytest.approx({1: 1 / 2, 2: 1.0})
    assert (scores.per_class["jump"].queries, scores.per_class["jump"].gallery) == (2, 2)
    assert scores.confusion_labels == ("jump", "run")
    assert scores.confusion.tolist() == [[1, 1], [0, 1]]
    assert [(hit.id, hit.correct) for hit in scores.results[1].hits[:2]] == [("g0000", False), ("g0001", True)]
    assert scores.results[1].hits[1].score == pytest.approx(0.8)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 5, 20])
def test_scores_agree_with_plain_loops(seed, k):
    queries, gallery = random_sides(seed)
    top_k, precision = oracle(queries, gallery, k)
    scores = score(queries, gallery, ks=(k,), bootstrap_samples=0)
    assert scores.top_k[k] == pytest.approx(top_k)
    assert scores.mean_average_precision == pytest.approx(precision)


def test_leave_one_out_agrees_with_plain_loops():
    _, videos = random_sides(3)
    scores = score(videos, videos, ks=(1, 5), exclude_self=True, bootstrap_samples=0)
    for k in (1, 5):
        top_k, precision = oracle(videos, videos, k, exclude_self=True)
        assert (scores.top_k[k], scores.mean_average_precision) == (pytest.approx(top_k), pytest.approx(precision))
    assert all(hit.id != result.id for result in scores.results for hit in result.hits)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(1, 15))
def test_top_k_grows_with_k_and_precision_stays_within_bounds(seed, num_queries, num_gallery):
    queries, gallery = random_sides(seed, queries=num_queries, gallery=num_gallery)
    scores = score(queries, gallery, ks=range(1, num_gallery + 1), bootstrap_samples=20)
    for summary in (scores.overall, scores.macro):
        values = list(summary.top_k.values())
        assert values == sorted(values)
        assert 0 <= summary.mean_average_precision <= 1
    found = 1 - sum(result.first_hit_rank is None for result in scores.results) / num_queries
    assert scores.top_k[num_gallery] == pytest.approx(found)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.randoms())
def test_the_order_of_the_gallery_changes_nothing(seed, random):
    queries, gallery = random_sides(seed, gallery=15, dimensions=2)
    gallery.vectors[5] = gallery.vectors[9] = gallery.vectors[2]  # ties
    order = list(range(15))
    random.shuffle(order)
    first = score(queries, gallery, ks=(1, 5), bootstrap_samples=20)
    second = score(queries, gallery.take(np.array(order)), ks=(1, 5), bootstrap_samples=20)
    assert first.results == second.results
    assert (first.overall, first.macro, first.per_class) == (second.overall, second.macro, second.per_class)


def test_equal_scores_are_ranked_by_id_however_large_the_blocks():
    rng = np.random.default_rng(0)
    vector = rng.standard_normal(300).astype(np.float32)
    gallery = labelled("g", ["a"] * 61, np.tile(vector, (61, 1)))  # in float32, BLAS tells some of these apart
    queries = labelled("q", ["a"] * 9, rng.standard_normal((9, 300)))
    for block_bytes in (1, 5000, 1 << 28):
        results = rank_gallery(queries, gallery, exclude_self=False, block_bytes=block_bytes)
        assert {tuple(hit.id for hit in result.hits) for result in results} == {tuple(gallery.ids[:5])}


def test_blocks_do_not_change_the_results():
    queries, gallery = random_sides(1, queries=17, gallery=50)
    whole = rank_gallery(queries, gallery, exclude_self=False)
    assert rank_gallery(queries, gallery, exclude_self=False, block_bytes=50 * 32 * 3) == whole


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_descending_order_is_a_stable_sort(values):
    scores = np.array([values, values[::-1]], dtype=np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")
    np.testing.assert_array_equal(descending_order(scores), expected)


def test_a_class_without_gallery_videos_is_a_miss_and_is_named():
    queries = labelled("q", ["run", "swim"], [[1, 0], [1, 0]])
    gallery = labelled("g", ["run"], [[1, 0]])
    scores = score(queries, gallery, ks=(1,), bootstrap_samples=0)
    assert scores.top_k == {1: 0.5}
    assert scores.mean_average_precision == 0.5
    assert scores.classes_without_gallery == ("swim",)
    assert scores.per_class["swim"].gallery == 0


def test_k_beyond_the_gallery_is_left_out_and_named():
    queries, gallery = random_sides(0, gallery=10)
    scores = score(queries, gallery, bootstrap_samples=0)
    assert (list(scores.top_k), scores.omitted_ks) == ([1, 5, 10], (20, 50))
    loo = score(gallery, gallery, ks=(9, 10), exclude_self=True, bootstrap_samples=0)
    assert (list(loo.top_k), loo.omitted_ks) == ([9], (10,))


def test_within_family_scores_search_the_family_alone():
    queries, gallery = random_sides(7, queries=40, gallery=60, classes="abcdef")
    families = {"a": "first", "b": "first", "c": "second", "d": "second", "e": "alone"}
    scores = score(queries, gallery, ks=(1, 5), families=families, bootstrap_samples=50)
    assert list(scores.within_family) == ["first", "second"]  # one class is no choice, and f has no family
    values, counts = [], []
    for family, members in (("first", "ab"), ("second", "cd")):
        sides = [side.take(np.flatnonzero([label in members for label in side.labels])) for side in (queries, gallery)]
        top_k, precision = oracle(*sides, 5)
        found = scores.within_family[family]
        assert found.summary.top_k[5] == pytest.approx(top_k)
        assert found.summary.mean_average_precision == pytest.approx(precision)
        assert (found.queries, found.gallery, found.classes) == (len(sides[0]), len(sides[1]), 2)
        low, high = found.summary.top_k_intervals[5]
        assert low <= found.summary.top_k[5] <= high
        values.append(top_k)
        counts.append(len(sides[0]))
    assert scores.within_overall.top_k[5] == pytest.approx(np.average(values, weights=counts))


def test_a_family_leaves_each_query_out_of_its_own_gallery():
    videos = labelled("v", ["a", "b", "a", "c"], [[1, 0], [0.8, 0.6], [0, 1], [1, 0]])
    families = {"a": "first", "b": "first"}
    scores = score(videos, videos, ks=(1, 2, 3), families=families, exclude_self=True, bootstrap_samples=0)
    assert scores.within_family["first"].summary.top_k == pytest.approx({1: 0.0, 2: 2 / 3})
    assert scores.within_overall.top_k == pytest.approx({1: 0.0, 2: 2 / 3})


def test_intervals_contain_the_estimate_and_repeat_with_the_seed():
    queries, gallery = random_sides(5, queries=60, gallery=80)
    first = score(queries, gallery, bootstrap_samples=200)
    for summary in (first.overall, first.macro):
        for k, value in summary.top_k.items():
            low, high = summary.top_k_intervals[k]
            assert low <= value <= high
        low, high = summary.mean_average_precision_interval
        assert low < summary.mean_average_precision < high
    assert first.interval_unit == "query"
    assert score(queries, gallery, bootstrap_samples=200).overall == first.overall
    assert score(queries, gallery, bootstrap_samples=200, seed=1).overall != first.overall


def test_one_unit_gives_no_interval():
    queries = labelled("q", ["a", "a"], np.eye(2), groups=["g01", "g01"])
    scores = score(queries, labelled("g", ["a"], [[1, 0]]), ks=(1,))
    assert (scores.interval_unit, scores.interval_units) == ("group", 1)
    assert scores.overall.top_k_intervals is None


@pytest.mark.parametrize(("size", "relevant", "k"), [(5, 2, 1), (6, 3, 2), (6, 1, 6), (5, 0, 3), (4, 4, 1), (1, 1, 1)])
def test_random_baseline_is_the_mean_over_all_orders(size, relevant, k):
    hits, precisions = [], []
    for positions in itertools.combinations(range(1, size + 1), relevant):
        hits.append(bool(positions) and positions[0] <= k)
        precisions.append(np.mean([(i + 1) / rank for i, rank in enumerate(positions)]) if positions else 0.0)
    assert expected_top_k(size, relevant, k) == pytest.approx(np.mean(hits))
    assert expected_average_precision(size, relevant) == pytest.approx(np.mean(precisions))


def test_random_baseline_weighs_classes_by_their_queries():
    found = random_baseline(["a", "a", "b"], ["a", "b", "b", "b"], ks=(1, 9), families={"a": "f", "b": "f"})
    assert found.overall.top_k == pytest.approx({1: (2 * 1 / 4 + 3 / 4) / 3})
    assert found.within_family["f"].top_k == pytest.approx({1: (2 * 1 / 4 + 3 / 4) / 3})
    assert found.within_overall.top_k == pytest.approx({1: (2 * 1 / 4 + 3 / 4) / 3})
    alone = random_baseline(["a", "b", "b"], ["a", "b", "b"], ks=(1,), exclude_self=True)
    assert alone.overall.top_k == pytest.approx({1: (0 + 2 * 1 / 2) / 3})


def test_histogram_vectors_are_unit_length_whatever_the_counts():
    vectors = histogram_vectors(np.array([[9, 16, 0], [0.09, 0.16, 0], [0, 0, 0]], dtype=np.float32))
    np.testing.assert_allclose(vectors, [[0.6, 0.8, 0], [0.6, 0.8, 0], [0, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": ["x", "x"]}, "twice"),
        ({"labels": ["a"]}, "one of each"),
        ({"vectors": np.array([[1, np.nan], [0, 1]], dtype=np.float32)}, "not finite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(change, words):
    good = labelled("q", ["a", "b"], np.eye(2))
    with pytest.raises(DatasetError, match=words):
        dataclasses.replace(good, **change)


def test_a_benchmark_that_makes_no_sense_is_refused():
    queries, gallery = random_sides(0)
    with pytest.raises(DatasetError, match="both query and gallery"):
        score(gallery, gallery)
    with pytest.raises(DatasetError, match="0 labelled queries"):
        score(queries.take(np.arange(0)), gallery)
    with pytest.raises(DatasetError, match="one encoder"):
        score(dataclasses.replace(queries, vectors=queries.vectors[:, :3]), gallery)
    with pytest.raises(InvalidSetting, match="whole numbers"):
        score(queries, gallery, ks=(0, 1))
