import numpy as np
import pytest
from PIL import Image

from rspnet_core.video.footage import LIKELY, Footage, match
from rspnet_core.video.same_footage import SAME_FOOTAGE, agreement
from tests.rspnet_core.video.takes import take


def squashed(frames: np.ndarray, side: int) -> np.ndarray:
    """Grey, as the reader gives it: each frame squashed to a square, here by Pillow."""
    boxed = [Image.fromarray(frame).convert("L").resize((side, side), Image.Resampling.BOX) for frame in frames]
    return np.stack([np.asarray(picture) for picture in boxed])


def footage(frames: np.ndarray) -> Footage:
    return Footage(squashed(frames[::2], 16))


def looked_at(one: np.ndarray, other: np.ndarray) -> float | None:
    """Both looks at two videos; None where the first tells that they differ."""
    found = match(footage(one), footage(other))
    if found is None or found.correlation < LIKELY:
        return None
    return agreement(squashed(one, 64), squashed(other, 64), found)


TAKE = take(1)
NOISE = np.random.default_rng(0).normal(0, 2, TAKE.shape)
CHANGED = {
    "noisy": np.clip(TAKE + NOISE, 0, 255).astype(np.uint8),
    "darker": (TAKE * 0.7).astype(np.uint8),
    "cut at the start": TAKE[7:],
    "cut at the end": TAKE[:-7],
    "a few frames more": np.concatenate([TAKE[:1], TAKE[:1], TAKE, TAKE[-1:]]),
    "cropped in the middle": TAKE[:, 5:-5, 5:-5],
    "cropped at a corner": TAKE[:, 10:, :-10],
    "smaller": np.stack([np.asarray(Image.fromarray(frame).resize((72, 72))) for frame in TAKE]),
}


@pytest.mark.parametrize("change", CHANGED)
def test_copies_agree_whichever_way_they_are_asked(change: str) -> None:
    for found in (looked_at(TAKE, CHANGED[change]), looked_at(CHANGED[change], TAKE)):
        assert found is not None
        assert SAME_FOOTAGE < found <= 1 + 1e-6


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_another_take_in_front_of_the_same_wall_does_not_agree(seed: int) -> None:
    one, other = footage(TAKE), footage(take(seed))
    assert np.corrcoef(one.still.ravel(), other.still.ravel())[0, 1] > 0.95  # the wall
    found = match(one, other)
    assert found is not None
    assert found.correlation < LIKELY


def test_a_take_that_moves_alike_is_told_by_its_details() -> None:
    alike = take(1, worn=1)
    found = match(footage(TAKE), footage(alike))
    assert found is not None
    assert found.correlation > LIKELY
    assert agreement(squashed(TAKE, 64), squashed(alike, 64), found) < SAME_FOOTAGE


def test_a_scene_in_which_nothing_moves_says_so() -> None:
    assert footage(TAKE).has_motion
    assert not footage(np.repeat(TAKE[:1], 40, axis=0)).has_motion
    assert not footage(TAKE[:6]).has_motion


def test_another_scene_is_no_copy() -> None:
    assert match(footage(take(1, wall=9)), footage(TAKE)) is None


@pytest.mark.parametrize("frames", [TAKE[:1], TAKE[:3], np.zeros_like(TAKE)], ids=["one", "three", "black"])
def test_a_video_too_short_or_black_breaks_nothing(frames: np.ndarray) -> None:
    for one, other in ((frames, TAKE), (TAKE, frames), (frames, frames)):
        found = looked_at(one, other)
        assert found is None or found < SAME_FOOTAGE or one is other
