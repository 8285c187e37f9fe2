from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from indexer.heatmap.explain import embed, explain, explain_pair
from indexer.heatmap.explanation import PairExplanation, Side
from indexer.heatmap.figures import heatmap_document
from indexer.heatmap.sheet import panel, render_frames, render_still
from indexer.heatmap.titles import TITLES
from rspnet_core.config import HEADS
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.explain.drawing import INK, PAPER, font
from rspnet_core.explain.regions import Box
from rspnet_core.models import BackboneModel, TwoHeadModel, create_model
from rspnet_core.models.features import clip_features
from rspnet_core.video.reading.decode import read_clips
from tests.rspnet_core.hand_set_encoder import FRAMES, QUARTERS, SIDE, SPEC, hand_set_encoder, share_in_quarter
from tests.rspnet_core.hand_set_encoder import write_scene as write


@pytest.fixture(scope="module")
def model() -> TwoHeadModel:
    return hand_set_encoder()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    folder = tmp_path_factory.mktemp("scenes")
    kinds = [("right", "upright"), ("right", "level"), ("left", "upright")]
    return {kind: write(folder, *kind) for kind in kinds}


@pytest.fixture(scope="module")
def same_motion(model: TwoHeadModel, scenes: dict[tuple[str, str], Path]) -> PairExplanation:
    return explain_pair(model, SPEC, scenes["right", "upright"], scenes["right", "level"])


@pytest.fixture(scope="module")
def same_texture(model: TwoHeadModel, scenes: dict[tuple[str, str], Path]) -> PairExplanation:
    return explain_pair(model, SPEC, scenes["right", "upright"], scenes["left", "upright"])


@pytest.fixture(scope="module")
def same_video(model: TwoHeadModel, scenes: dict[tuple[str, str], Path]) -> PairExplanation:
    return explain_pair(model, SPEC, scenes["right", "upright"], scenes["right", "upright"])


def test_the_head_named_motion_follows_motion_and_appearance_follows_texture(
    same_motion: PairExplanation, same_texture: PairExplanation
) -> None:
    assert same_motion.cosines["motion"] > 0.95 > 0.4 > same_motion.cosines["appearance"]
    assert same_texture.cosines["appearance"] > 0.95 > 0.4 > same_texture.cosines["motion"]


def test_the_map_named_motion_lies_on_what_moves_and_that_of_appearance_on_what_stands_still(
    same_motion: PairExplanation, same_texture: PairExplanation, same_video: PairExplanation
) -> None:
    for head, explanations in {"motion": (same_motion, same_video), "appearance": (same_texture, same_video)}.items():
        for side in (side for each in explanations for side in (each.query, each.match)):
            assert share_in_quarter(side.maps[head], head) > 0.8


def test_figures_named_motion_are_those_of_the_motion_head(same_motion: PairExplanation) -> None:
    heads = heatmap_document(same_motion, 0.5)["heads"]
    assert heads["motion"]["cosine"] > 0.95 > 0.4 > heads["appearance"]["cosine"]
    assert np.min(heads["motion"]["clip_similarities"]) > 0.95
    assert np.max(heads["appearance"]["clip_similarities"]) < 0.4


@pytest.mark.slow
@pytest.mark.parametrize(("head", "title"), [("motion", "Motion (RSP)"), ("appearance", "Appearance (A-VID)")])
def test_the_column_under_a_heads_title_shows_the_map_of_that_head(
    same_video: PairExplanation, head: str, title: str
) -> None:
    sheet = render_still(same_video)
    left = left_edge_of(title, sheet)
    tops = [y for y in range(sheet.height - 288) if is_panel(sheet, left, y, same_video, head)]
    assert len(tops) == 2  # of the query and of the match


def is_panel(sheet: Image.Image, left: int, top: int, explanation: PairExplanation, head: str) -> bool:
    """Whether the picture at this place is the head's panel, warm where what it sees is and not elsewhere."""
    cut = sheet.crop((left, top, left + 288, top + 288))
    panels = (panel(explanation, side, head, FRAMES // 2, 0.5) for side in (explanation.query, explanation.match))
    if not any(np.array_equal(cut, each) for each in panels):
        return False
    warmth = np.asarray(cut.resize((SIDE, SIDE))).astype(int) @ [1, 0, -1]  # warm colours are high on the scale
    other = next(name for name in HEADS if name != head)
    return warmth[QUARTERS[head]].mean() > warmth[QUARTERS[other]].mean() + 5


def left_edge_of(title: str, sheet: Image.Image) -> int:
    """Where a title stands in a sheet: the only place that shows exactly its pixels."""
    typeface = font(18, bold=True)
    stamp = Image.new("RGB", (round(typeface.getlength(title)), 24), PAPER)
    ImageDraw.Draw(stamp).text((0, 0), title, INK, typeface)
    wanted, pixels = np.asarray(stamp), np.asarray(sheet)
    strips = np.lib.stride_tricks.sliding_window_view(pixels[20:52], wanted.shape)[:, :, 0]
    found = np.argwhere([[np.array_equal(place, wanted) for place in row] for row in strips])
    assert len(found) == 1
    return int(found[0][1])


def test_titles_name_each_head_once(same_motion: PairExplanation) -> None:
    assert tuple(same_motion.cosines) == HEADS
    assert [TITLES[head] for head in HEADS] == ["Motion (RSP)", "Appearance (A-VID)"]


def test_the_best_pair_of_clips_has_the_highest_mean_cosine(
    model: TwoHeadModel, scenes: dict[tuple[str, str], Path], same_texture: PairExplanation
) -> None:
    means = sum(same_texture.similarities.values()) / 2
    assert means[same_texture.query.clip, same_texture.match.clip] == means.max()
    for head, matrix in same_texture.similarities.items():
        chosen = matrix[same_texture.query.clip, same_texture.match.clip]
        assert same_texture.cosines[head] == pytest.approx(float(chosen), abs=1e-5)


def test_any_pair_of_clips_can_be_explained(model: TwoHeadModel, scenes: dict[tuple[str, str], Path]) -> None:
    paths = scenes["right", "upright"], scenes["left", "upright"]
    embedded = [embed(model, SPEC, path.name, read_clips(path, SPEC.geometry)) for path in paths]
    explanation = explain(model, *embedded, positions=(1, 0))
    assert (explanation.query.clip, explanation.match.clip) == (1, 0)
    clips = read_clips(paths[0], SPEC.geometry)
    assert np.array_equal(explanation.query.frames, clips.frames[1])
    assert explanation.query.span_seconds == tuple(clips.spans_seconds[1])
    with pytest.raises(InvalidSetting, match=r"got clip 2, left-upright.mp4 has clips 0 to 1"):
        explain(model, *embedded, positions=(0, 2))


def test_a_pair_swapped_gives_the_same_maps_swapped(
    model: TwoHeadModel, scenes: dict[tuple[str, str], Path], same_motion: PairExplanation
) -> None:
    back = explain_pair(model, SPEC, scenes["right", "level"], scenes["right", "upright"])
    for head in HEADS:
        np.testing.assert_allclose(back.match.maps[head], same_motion.query.maps[head], atol=1e-5)
        assert back.scale(head) == pytest.approx(same_motion.scale(head))


def pair_of(query: np.ndarray, match: np.ndarray) -> PairExplanation:
    sides = [
        Side(name, 0, np.array([[0.0, 0.5]]), np.zeros((*maps.shape, 3), np.uint8), dict.fromkeys(HEADS, maps))
        for name, maps in (("query", query), ("match", match))
    ]
    return PairExplanation(*sides, cosines=dict.fromkeys(HEADS, 0.5), similarities={})


def test_one_scale_serves_both_videos_and_negative_places_are_its_lower_end() -> None:
    query, match = np.full((2, 4, 4), 1, np.float32), np.full((2, 4, 4), 2, np.float32)
    query[0, 0, 0], match[1, 1:3, 1] = -3, 4
    explanation = pair_of(query, match)
    assert explanation.scale("motion") == (0, 4)
    strength = explanation.strength(explanation.query, "motion")
    assert (strength[0, 0, 0], strength[1, 0, 0]) == (0, 0.25)
    assert explanation.boxes(explanation.match, "motion", 0.75) == [[], [Box(1, 1, 2, 3)]]
    shares = explanation.shares(explanation.match, "motion", 0.75)
    assert shares.energy == pytest.approx(8 / (30 * 2 + 8))
    assert shares.area == pytest.approx(2 / 32)


@pytest.mark.parametrize("value", [-1.0, 0.0, 2.0])
def test_a_map_in_which_nothing_stands_out_has_no_colour_and_no_rectangle(value: float) -> None:
    level = np.full((2, 4, 4), value, np.float32)
    explanation = pair_of(level, level)
    assert not explanation.strength(explanation.query, "motion").any()
    assert explanation.boxes(explanation.query, "motion", 0.5) == [[], []]
    assert render_still(explanation).size == render_still(explanation, 0.0).size


def test_films_show_every_frame_and_the_still_is_their_middle_one(same_motion: PairExplanation) -> None:
    frames, still = render_frames(same_motion), np.asarray(render_still(same_motion))
    assert (frames.dtype, frames.shape) == (np.uint8, (FRAMES, *still.shape))
    assert np.array_equal(frames[FRAMES // 2], still)
    assert not np.array_equal(frames[0], still)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_off_the_scale_is_refused(same_motion: PairExplanation, threshold: float) -> None:
    with pytest.raises(InvalidSetting, match="allowed is 0 to 1"):
        render_still(same_motion, threshold)


def test_a_head_that_cannot_be_explained_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(InvalidSetting, match="one linear layer"):
        explain_pair(create_model("tsm18", head="mlp").eval(), SPEC, Path("no"), Path("such file"))


def test_an_encoder_without_heads_is_explained_by_its_mean_features(scenes: dict[tuple[str, str], Path]) -> None:
    model = BackboneModel(hand_set_encoder().backbone).eval()
    explained = explain_pair(model, SPEC, scenes["right", "upright"], scenes["right", "level"])
    assert set(explained.cosines) == {"backbone"}
    clips = [read_clips(scenes["right", look], SPEC.geometry).frames for look in ("upright", "level")]
    means = [clip_features(model, each, SPEC.normalisation).mean(dim=(2, 3, 4)) for each in clips]
    cosines = torch.nn.functional.cosine_similarity(means[0][:, None], means[1][None], dim=2).numpy()
    np.testing.assert_allclose(explained.similarities["backbone"], cosines, atol=1e-5)
    for side in (explained.query, explained.match):  # every place's share; together they are the cosine
        assert side.maps["backbone"].mean() == pytest.approx(explained.cosines["backbone"], abs=0.05)
    assert render_still(explained).width < render_still(explained).height


def test_a_file_that_cannot_be_decoded_is_named(
    model: TwoHeadModel, scenes: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"<html>")
    with pytest.raises(VideoError, match=r"bad.mp4: .*"):
        explain_pair(model, SPEC, scenes["right", "upright"], bad)


def test_real_videos_are_explained(real_videos: Path, model: TwoHeadModel) -> None:
    videos = sorted((real_videos / "actions" / "videos" / "TennisServe").glob("*.mp4"))[:2]
    explanation = explain_pair(model, SPEC, *videos)
    for side in (explanation.query, explanation.match):
        assert side.frames.shape == (FRAMES, SIDE, SIDE, 3)
        assert all(np.isfinite(side.maps[head]).all() for head in HEADS)
