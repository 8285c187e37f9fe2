import numpy as np
import pytest

from indexer.ingest.pooling import Layout
from indexer.retrieval.search import PartWeights, best_moment, part_scores, weigh
from rspnet_core.errors import InvalidSetting, MissingHead

LAYOUT = Layout({"backbone": 4, "motion": 3, "appearance": 2})


def vectors(count: int) -> np.ndarray:
    return LAYOUT.unit(np.random.default_rng(count).normal(size=(count, LAYOUT.size)).astype(np.float32))


def test_one_inner_product_is_the_weighted_mean_of_the_cosines() -> None:
    query, stored = vectors(2)
    shares = PartWeights(backbone=1, motion=2, appearance=1).shares(LAYOUT)
    scores = part_scores(query, stored, LAYOUT)
    expected = (scores["backbone"] + 2 * scores["motion"] + scores["appearance"]) / 4
    assert weigh(query, shares, LAYOUT) @ stored == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weights", [PartWeights(), PartWeights(backbone=0, motion=3), PartWeights(appearance=0.2)])
def test_a_video_scores_one_with_itself_for_any_weights(weights: PartWeights) -> None:
    (vector,) = vectors(1)
    assert weigh(vector, weights.shares(LAYOUT), LAYOUT) @ vector == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("bad", [{"motion": -1.0}, {"motion": float("nan")}, {"backbone": 0.0}])
def test_weights_that_mean_nothing_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting, match="weight"):
        PartWeights(**bad)


def test_a_head_that_the_encoder_lacks_is_an_error_not_a_zero() -> None:
    headless = Layout({"backbone": 4})
    assert PartWeights().shares(headless) == {"backbone": 1.0}
    with pytest.raises(MissingHead, match="no motion"):
        PartWeights(motion=1).shares(headless)
    assert part_scores(vectors(2)[0][:4], vectors(2)[1][:4], headless)["motion"] is None


def test_best_moment_is_the_clip_most_like_any_clip_of_the_query() -> None:
    clips = vectors(7)
    assert best_moment(clips[4:5], clips) == 4
    slow = max(range(3), key=lambda j: max(float(clips[i] @ clips[j]) for i in range(3, 7)))
    assert best_moment(clips[3:], clips[:3]) == slow
