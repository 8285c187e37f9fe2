"""Questions of several videos: against the formula, brute force over the library, and all that can be asked."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import Library, PartWeights
from indexer.ingest.pooling import Layout
from indexer.retrieval.composition import UNLIKE, Composition, Examples
from indexer.retrieval.rarity import PairScores
from rspnet_core.errors import InvalidSetting, QueryNotFound

LAYOUT = Layout({"backbone": 5, "motion": 4, "appearance": 3})


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    return LAYOUT.unit(np.random.default_rng(seed).normal(size=(count, LAYOUT.size)).astype(np.float32))


@pytest.fixture(scope="module")
def library(built: Path):
    with Library.open(built, device="cpu") as library:
        yield library


@pytest.fixture(scope="module")
def ids(library) -> list[str]:
    return [video.id for video in library.catalogue.videos(status="indexed")]


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 99))
def test_a_score_is_the_mean_of_cosines_less_those_to_be_unlike(likes: int, unlikes: int, seed: int):
    *examples, stored = unit_vectors(likes + unlikes + 1, seed)
    question = Composition(likes=likes, unlikes=unlikes).compose(np.stack(examples), LAYOUT)
    for place in LAYOUT.slices().values():
        cosines = [float(example[place] @ stored[place]) for example in examples]
        like = np.mean(cosines[:likes])
        expected = (like - UNLIKE * np.mean(cosines[likes:])) / (1 - UNLIKE) if unlikes else like
        assert question[place] @ stored[place] == pytest.approx(expected, abs=1e-5)


def test_what_is_as_near_to_all_examples_has_that_cosine_as_its_score():
    """So that scores of composed questions stay on the scale of the others."""
    for composition in (Composition(likes=3, unlikes=2), Composition(likes=2, has_look=True)):
        for part in LAYOUT.dims:
            assert composition.coefficients(part).sum() == pytest.approx(1)


def test_examples_come_in_the_order_of_their_composition():
    assert [*Examples(like=("a", "b"), unlike=("c",))] == ["a", "b", "c"]
    assert Examples(like=("a", "b"), unlike=("c",)).composition == Composition(likes=3, unlikes=1)
    assert Examples(look_of="a").map(str.upper).used() == {"look_of": "A"}
    assert Examples().composition == Composition()


@pytest.mark.parametrize("others", [{"like": ("b",)}, {"unlike": ("b",)}])
def test_a_look_goes_with_no_other_examples(others: dict):
    with pytest.raises(InvalidSetting, match="goes with one query alone"):
        Examples(look_of="a", **others)


def test_there_is_a_limit_of_examples():
    Examples(like=("a",) * 8, unlike=("b",) * 7)
    with pytest.raises(InvalidSetting, match="got 17 examples with the query, allowed are at most 16"):
        Examples(like=("a",) * 8, unlike=("b",) * 8)


def brute_force(library: Library, score) -> list[str]:
    """Ids by ``score(parts of the stored vector)``, best first."""
    places = library.layout.slices()
    videos = [video.id for video in library.catalogue.videos(status="indexed")]
    scores = {
        video: score({part: library.catalogue.video_vector(video)[place] for part, place in places.items()})
        for video in videos
    }
    return sorted(videos, key=scores.__getitem__, reverse=True)


def parts_of(library: Library, video_id: str) -> dict[str, np.ndarray]:
    vector = library.catalogue.video_vector(video_id)
    return {part: vector[place] for part, place in library.layout.slices().items()}


def test_the_motion_of_one_and_the_look_of_another(library, ids):
    moves, looks = parts_of(library, ids[0]), parts_of(library, ids[20])
    expected = brute_force(
        library, lambda own: moves["motion"] @ own["motion"] + looks["appearance"] @ own["appearance"]
    )
    found = library.search(ids[0], look_of=ids[20], top=5, moments=True)
    assert [hit.id for hit in found] == expected[:5]
    assert found.query["weights"] == {"backbone": 0, "motion": 0.5, "appearance": 0.5}
    assert found.query["look_of"]["id"] == ids[20]
    for hit in found:
        own = parts_of(library, hit.id)
        assert hit.scores["motion"] == pytest.approx(float(moves["motion"] @ own["motion"]), abs=1e-4)
        assert hit.scores["appearance"] == pytest.approx(float(looks["appearance"] @ own["appearance"]), abs=1e-4)
        assert 0 <= hit.start_seconds < hit.end_seconds


def test_more_like_these_less_like_those(library, ids):
    query, also, less = (parts_of(library, ids[number])["backbone"] for number in (0, 5, 9))
    expected = brute_force(library, lambda own: ((query + also) / 2 - UNLIKE * less) @ own["backbone"])
    found = library.search(ids[0], like=[ids[5]], unlike=[ids[9]], top=len(ids))
    assert [hit.id for hit in found][:10] == expected[:10]
    alone = [hit.id for hit in library.search(ids[0], top=len(ids))]
    assert [hit.id for hit in found].index(ids[9]) > alone.index(ids[9])
    assert ([each["id"] for each in found.query["like"]], [each["id"] for each in found.query["unlike"]]) == (
        [ids[5]],
        [ids[9]],
    )


def test_a_file_as_an_example_is_embedded(library, ids, sample_videos: Path):
    file = min(sample_videos.rglob("*.mp4"))
    by_file, by_id = (library.search(ids[3], like=[like], top=4) for like in (file, ids[0]))
    assert [hit.id for hit in by_file] == [hit.id for hit in by_id]
    assert by_file.query["like"] == ({"path": str(file)},)


def test_wrong_examples_are_named(library, ids):
    with pytest.raises(QueryNotFound, match=r"absent.mp4.*neither a file nor the id"):
        library.search(ids[0], unlike=["absent.mp4"])
    with pytest.raises(InvalidSetting, match="appearance has weight 0"):
        library.search(ids[0], look_of=ids[1], weights=PartWeights(backbone=0, motion=1))


def test_percentiles_are_those_among_questions_made_alike():
    """Of three videos there are six ordered choices of motion, look and a target; each is drawn equally often."""
    vectors, composition = unit_vectors(3), Composition(likes=2, has_look=True)
    pairs = PairScores(vectors, ["a", "b", "c"], LAYOUT).of(composition)
    place = LAYOUT.slices()["motion"]
    scores = [
        composition.compose(vectors[[first, second]], LAYOUT)[place] @ vectors[target][place]
        for first, second, target in permutations(range(3))
    ]
    for value in np.linspace(min(scores) - 0.1, max(scores) + 0.1, 9):
        found = pairs.percentiles(value, dict.fromkeys(("backbone", "appearance")) | {"motion": value}, {"motion": 1.0})
        assert found["mix"] == pytest.approx(np.mean(np.array(scores) < value), abs=0.06)
    assert len(pairs) == 3 * 256


def test_no_example_is_compared_with_itself_and_chance_looks_at_other_classes_only():
    """Videos of one class are all alike, of two classes orthogonal: any relation would score 1."""
    layout = Layout({"backbone": 2})
    vectors = np.array([[1, 0]] * 10 + [[0, 1]] * 10, np.float32)
    pairs = PairScores(vectors, ["a"] * 10 + ["b"] * 10, layout, Composition(likes=3))
    chance = pairs.chance({"backbone": 1.0}, 0.01)
    assert 0 < chance.unrelated_pairs < len(pairs)
    assert chance.score == pytest.approx(0)


def test_one_to_be_unlike_is_drawn_near_the_one_to_be_like():
    """Three kinds of 13 videos that are the same: any other video to be unlike would let a score pass 1."""
    layout = Layout({"backbone": 3})
    pairs = PairScores(np.repeat(np.eye(3, dtype=np.float32), 13, axis=0), ["a"] * 39, layout).of(
        Composition(unlikes=1)
    )
    found = pairs.percentiles(1.01, dict.fromkeys(("backbone", "motion", "appearance")), {"backbone": 1.0})
    assert found["mix"] == 1
    assert pairs.percentiles(0.99, dict.fromkeys(LAYOUT.dims), {"backbone": 1.0})["mix"] == pytest.approx(
        26 / 37, abs=0.03
    )


def test_too_few_videos_for_a_question_have_no_percentiles():
    pairs = PairScores(unit_vectors(2), [None, None], LAYOUT).of(Composition(unlikes=1))
    assert len(pairs) == 0
    assert set(pairs.percentiles(0.5, dict.fromkeys(LAYOUT.dims, 0.5), {"motion": 1.0}).values()) == {None}
    assert pairs.chance({"motion": 1.0}).score is None


def test_several_examples_of_a_kind_are_compared_with_questions_of_one_of_each():
    """They are alike themselves: the mean of unrelated ones would vary less than theirs."""
    pairs = PairScores(unit_vectors(9), [None] * 9, LAYOUT)
    assert pairs.of(Composition(likes=4)) is pairs
    assert pairs.of(Composition(likes=4, unlikes=3)) is pairs.of(Composition(likes=2, unlikes=1))
    assert pairs.of(Composition(likes=2, has_look=True)).composition == Composition(likes=2, has_look=True)
