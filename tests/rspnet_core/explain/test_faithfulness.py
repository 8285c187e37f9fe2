from itertools import product

import numpy as np
import pytest
import torch

from rspnet_core.config import HEADS, Normalisation
from rspnet_core.errors import InvalidSetting, MissingHead
from rspnet_core.explain.faithfulness import (
    changed_by_a_level,
    faithfulness,
    hide,
    moved,
    top_cells,
)
from rspnet_core.explain.verdict import Faithfulness
from rspnet_core.models import TwoHeadModel, create_torchvision_model
from rspnet_core.models.features import clip_features
from tests.rspnet_core.hand_set_encoder import FRAMES, MOVING, SPEC, STILL, hand_set_encoder, scene

BIAS = 0.0005


@pytest.fixture
def model() -> TwoHeadModel:
    """The hand-set encoder with a bias, so that its cosines also fall when a head sees less of the same."""
    encoder = hand_set_encoder()
    with torch.no_grad():
        for head in encoder.heads.values():
            head.bias[2] = BIAS
    return encoder


@pytest.mark.parametrize("head", HEADS)
def test_hiding_what_the_map_marks_costs_more_than_hiding_other_areas(model: TwoHeadModel, head: str) -> None:
    clip = scene("right", "upright", FRAMES)
    score = faithfulness(model, SPEC.normalisation, clip, clip, head)
    assert score.cosine == pytest.approx(1)
    assert score.area_share == 0.25
    assert 20 <= len(score.random_drops) <= 100
    assert score.verdict == "true"
    assert score.deletion_area < score.insertion_area
    assert score.deletion[0] == score.insertion[-1] == score.cosine
    assert score.deletion[-1] == score.insertion[0]
    assert score.drop > score.random_drop_interval[1]
    assert score.beaten_share == 1


def test_hiding_all_motion_leaves_the_motion_head_with_nothing_but_its_bias(model: TwoHeadModel) -> None:
    clip = scene("right", "upright", FRAMES)
    score = faithfulness(model, SPEC.normalisation, clip, clip, "motion")
    x = clip_features(model, clip[None], SPEC.normalisation)[0, :2].mean(dim=(1, 2, 3)).numpy()
    assert score.drop == pytest.approx(1 - BIAS / np.hypot(np.linalg.norm(x), BIAS), abs=1e-4)


def test_random_areas_are_the_same_for_the_same_seed(model: TwoHeadModel) -> None:
    clip = scene("left", "level", FRAMES)
    first, again, other = (
        faithfulness(model, SPEC.normalisation, clip, clip, "motion", draws=4, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.random_drops != other.random_drops


def test_top_cells_are_the_highest_by_sorting() -> None:
    cells = np.random.default_rng(0).normal(size=(2, 4, 5)).astype(np.float32)
    mask = top_cells(cells, 0.25)
    assert mask.sum() == 10
    assert cells[mask].min() > cells[~mask].max()


@pytest.mark.parametrize(("share", "count"), [(0.001, 1), (0.999, 3)])
def test_at_least_one_cell_is_hidden_and_never_all(share: float, count: int) -> None:
    assert top_cells(np.ones((1, 2, 2), np.float32), share).sum() == count


def test_random_masks_have_the_size_of_the_maps_own_and_lie_elsewhere() -> None:
    mask = np.zeros((2, 4, 4), bool)
    mask[0, 1:3, 1] = mask[1, 0, 0] = True
    masks = moved(mask, 12, np.random.default_rng(0))
    assert len({each.tobytes() for each in [mask, *masks]}) == 13
    assert {each.sum() for each in masks} == {3}


def test_where_there_are_few_other_places_other_shapes_are_drawn_and_all_there_are_at_most() -> None:
    assert len(moved(np.array([[[True, False]]]), 10, np.random.default_rng(0))) == 1
    column = np.zeros((1, 3, 4), bool)
    column[0, :, 1] = True
    masks = moved(column, 50, np.random.default_rng(0))
    same_shape = [mask for mask in masks if mask.all(axis=1).any()]
    assert len({mask.tobytes() for mask in [column, *masks]}) == 51
    assert {int(mask.sum()) for mask in masks} == {3}
    assert len(same_shape) == 3
    assert [mask.tobytes() for mask in masks[:3]] == [mask.tobytes() for mask in same_shape]
    assert len(moved(column, 1000, np.random.default_rng(0))) == 12 * 11 * 10 // 6 - 1


def test_hidden_pixels_have_the_clips_mean_colour_and_the_others_are_untouched() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    mask = np.random.default_rng(1).random((2, 2, 3)) < 0.5
    hidden = hide(clip, mask)
    colour = clip.reshape(-1, 3).astype(float).mean(axis=0).round()
    for t, y, x in product(range(4), range(5), range(6)):
        inside = mask[t * 2 // 4, y * 2 // 5, x * 3 // 6]
        assert (hidden[t, y, x] == (colour if inside else clip[t, y, x])).all()


def test_scene_patches_lie_apart() -> None:
    """The scenes prove something only if the two patches do not touch."""
    assert MOVING[0].stop < STILL[0].start


def test_summary_of_random_drops() -> None:
    score = scored(0.25, (0.0, 0.1, 0.2, 0.3))
    assert score.random_drop_mean == pytest.approx(0.15)
    assert score.random_drop_interval == pytest.approx((0.0075, 0.2925))
    assert score.beaten_share == 0.75
    assert score.chance == 2 / 5


def scored(drop: float, random_drops: tuple[float, ...], noise_floor: float = 0.001) -> Faithfulness:
    curve = tuple(np.linspace(0.9, 0.1, 9).tolist())
    return Faithfulness(0.9, drop, random_drops, 0.25, noise_floor, curve, curve[::-1])


def test_the_interval_of_a_share_is_wilsons() -> None:
    """Eight of ten: 0.490 to 0.943, as tables have it; all of 100 leave room for 3.7 % that do as well."""
    assert scored(0.25, (0.0,) * 8 + (0.3,) * 2).beaten_interval == pytest.approx((0.490, 0.943), abs=0.001)
    assert scored(0.25, (0.0,) * 100).beaten_interval == pytest.approx((0.963, 1), abs=0.001)


def test_areas_under_the_curves_are_their_means() -> None:
    score = scored(0.25, (0.0,))
    assert (score.deletion_area, score.insertion_area) == (pytest.approx(0.5), pytest.approx(0.5))


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (scored(0.25, (0.0,) * 95 + (0.3,) * 4), "true"),
        (scored(0.25, (0.0,) * 94 + (0.3,) * 5), "no better than chance"),
        (scored(0.0, (0.0,) * 100), "too small to tell"),
        (scored(0.0009, (-0.0009,) * 100), "too small to tell"),
        (scored(0.0009, (-0.002,) * 100), "no better than chance"),
        (scored(0.25, (0.0,) * 10), "too few places to tell"),
    ],
)
def test_a_verdict_needs_drops_above_the_noise_and_enough_random_areas(score: Faithfulness, verdict: str) -> None:
    assert score.verdict == verdict


def test_a_map_that_knows_nothing_is_seldom_called_true() -> None:
    rng = np.random.default_rng(0)
    called = [scored(*(drops[0], tuple(drops[1:]))).verdict == "true" for drops in rng.normal(size=(2000, 72))]
    assert np.mean(called) == pytest.approx(0.05, abs=0.02)


def test_noise_changes_each_value_by_a_level_at_most() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    changed = changed_by_a_level(clip, np.random.default_rng(1))
    difference = changed.astype(int) - clip
    assert changed.dtype == np.uint8
    assert set(np.unique(difference)) == {-1, 0, 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"area_share": 0.0}, "area_share: got 0.0"),
        ({"area_share": 1.0}, "area_share: got 1.0"),
        ({"draws": 0}, "draws: got 0"),
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, float], message: str) -> None:
    clip = scene("left", "level", FRAMES)
    with pytest.raises(InvalidSetting, match=message):
        faithfulness(hand_set_encoder(), SPEC.normalisation, clip, clip, "motion", **settings)


def test_a_feature_map_of_one_cell_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="one cell"):
        top_cells(np.ones((1, 1, 1), np.float32), 0.25)


def test_an_encoder_without_heads_is_refused() -> None:
    clip = scene("left", "level", FRAMES)
    with pytest.raises(MissingHead):
        faithfulness(create_torchvision_model("r3d_18").eval(), Normalisation(), clip, clip, "appearance")
