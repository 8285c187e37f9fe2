"""How rare a score is among a library's own pairs of videos."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.index.vector_index import VectorIndex
from indexer.ingest.pooling import Layout
from indexer.retrieval import rarity
from indexer.retrieval.library import Library
from indexer.retrieval.rarity import PairScores, library_pairs, percent_of_pairs
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import InvalidSetting

LAYOUT = Layout({"backbone": 4, "motion": 3})
SHARES = {"backbone": 0.25, "motion": 0.75}
NO_HEAD = {"appearance": None}


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    return LAYOUT.unit(np.random.default_rng(seed).normal(size=(count, LAYOUT.size)).astype(np.float32))


def test_a_percentile_is_the_share_of_all_pairs_that_are_less_alike():
    vectors = unit_vectors(9)
    labels = ["a", "b", "c"] * 3
    pairs = PairScores(vectors, labels, LAYOUT)
    weighted = [
        0.25 * vectors[i, :4] @ vectors[j, :4] + 0.75 * vectors[i, 4:] @ vectors[j, 4:]
        for i in range(9)
        for j in range(i)
    ]
    motion = [vectors[i, 4:] @ vectors[j, 4:] for i in range(9) for j in range(i)]
    found = pairs.percentiles(0.3, {"backbone": -1.0, "motion": 0.2} | NO_HEAD, SHARES)
    assert len(pairs) == 36
    assert found == {
        "mix": pytest.approx(np.mean(np.array(weighted) < 0.3)),
        "backbone": 0.0,
        "motion": pytest.approx(np.mean(np.array(motion) < 0.2)),
        "appearance": None,
    }


@given(st.integers(3, 30), st.floats(0.01, 0.99), st.integers(0, 5))
def test_no_more_unrelated_pairs_than_the_rate_exceed_the_line(count: int, rate: float, seed: int):
    vectors, labels = unit_vectors(count, seed), [None, *(str(number % 3) for number in range(count - 1))]
    chance = PairScores(vectors, labels, LAYOUT).chance(SHARES, rate)
    unrelated = [
        0.25 * vectors[i, :4] @ vectors[j, :4] + 0.75 * vectors[i, 4:] @ vectors[j, 4:]
        for i in range(count)
        for j in range(i)
        if labels[j] is not None and labels[i] != labels[j]
    ]
    if not unrelated:  # then all pairs
        assert chance.unrelated_pairs == count * (count - 1) // 2
    elif len(unrelated) * rate < 1:
        assert chance.score is None
        assert not chance.exceeded_by(1.0)
    else:
        above = sum(score > chance.score + 1e-6 for score in unrelated)
        assert above <= rate * len(unrelated) <= above + 2


def test_pairs_of_one_class_do_not_raise_the_line():
    vectors = unit_vectors(40)
    vectors[20:] = vectors[:20]  # twenty videos, each twice
    twice = [str(number % 20) for number in range(40)]
    assert PairScores(vectors, twice, LAYOUT).chance(SHARES, 0.01).score < 0.999
    assert PairScores(vectors, [None] * 40, LAYOUT).chance(SHARES, 0.01).score == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_pair_nothing_is_said(count: int):
    pairs = PairScores(unit_vectors(count), ["a"] * count, LAYOUT)
    assert pairs.percentiles(1.0, {"backbone": 1.0, "motion": 1.0} | NO_HEAD, SHARES)["mix"] is None
    assert pairs.chance(SHARES).score is None


def test_large_libraries_are_known_by_the_same_draw_each_time(monkeypatch: pytest.MonkeyPatch):
    class NoRows:
        @staticmethod
        def videos(ids):
            assert len(ids) == 5
            return []

    monkeypatch.setattr(rarity, "MOST_VIDEOS", 5)
    index = VectorIndex.build([(np.arange(1, 31), unit_vectors(30))], LAYOUT.size)
    first, again = (library_pairs(NoRows(), index, LAYOUT) for _ in range(2))
    assert len(first) == 10
    assert first.chance(SHARES, 0.5) == again.chance(SHARES, 0.5)


@pytest.mark.parametrize("rate", [0, 1, -0.1, 2, float("nan")])
def test_a_rate_that_cannot_be_is_refused(built, rate: float):
    with Library.open(built) as library, pytest.raises(InvalidSetting, match="above 0 and below 1"):
        library.search(next(iter(library.catalogue.videos())).id, false_alarms=rate)


def test_a_search_says_how_rare_its_hits_are(built):
    with Library.open(built) as library:
        video = next(iter(library.catalogue.videos()))
        result = library.search(video.id, top=32, weights=PartWeights(backbone=0.5, motion=0.5), false_alarms=0.01)
    document = result.to_json()
    mixes = [hit["percentiles"]["mix"] for hit in document["hits"]]
    assert mixes[0] == 1.0
    assert mixes == sorted(mixes, reverse=True)
    assert mixes[-1] < 0.9
    assert set(document["hits"][0]["percentiles"]) == {"mix", "backbone", "motion", "appearance"}
    assert document["chance"]["rate"] == 0.01
    assert 0 < sum(hit["score"] > document["chance"]["score"] for hit in document["hits"]) < 32


@pytest.mark.parametrize(
    ("percentile", "text"),
    [
        (None, ""),
        (0.0, "0.0%"),
        (0.5, "50.0%"),
        (0.9973, "99.7%"),
        (0.99973, "99.97%"),
        (0.999999, "99.9999%"),
        (1.0, "100.0%"),
    ],
)
def test_a_share_of_pairs_is_written_so_that_it_is_not_all_when_it_is_not(percentile: float | None, text: str):
    assert percent_of_pairs(percentile) == text
