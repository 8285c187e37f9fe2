"""Clips that tasks want beside the triplet: which frames they show, how they are turned, and that all else stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from rspnet_core.config import Augmentation, ViewSampling
from rspnet_core.pretext.batches import BatchMaker, SeenVideos
from rspnet_core.pretext.store import StoreReader
from rspnet_core.pretext.variants import Variants
from rspnet_core.pretext.views import ViewBatch, ViewPlan
from rspnet_core.video.sampling import view_positions, windows_fit
from tests.rspnet_core.pretext.test_views import STILL, store_of

T, STEP, CLIP = 4, 2, 6  # a clip of speed 1 reaches over 6 frames


def reader_of(
    lengths: list[int],
    variants: dict[str, Variants],
    *,
    has_triplet: bool = False,
    augmentation: Augmentation = STILL,
    num_videos: int = 4,
) -> StoreReader:
    plan = ViewPlan(num_videos, (1, 2), "release", augmentation, 0, None, variants, has_triplet)
    return StoreReader(store_of(lengths), ViewSampling(frames_per_clip=T, frame_step=STEP), BatchMaker(plan, 32))


def frames_of(batch: ViewBatch, role: str) -> np.ndarray:
    """Which frames of the store each clip shows, (K, R, T): a frame's grey is its number."""
    greys = (batch.of(role).mean(dim=(3, 4))[:, 0] * 0.229 + 0.485) * 255
    return greys.unflatten(0, (-1, len(batch.video_ids))).round().int().numpy()


def batches(lengths: list[int], variants: Variants, steps: int = 8) -> list[tuple[np.ndarray, ViewBatch]]:
    reader = reader_of(lengths, {"own": variants})
    return [(frames_of(batch, "own"), batch) for batch in (reader.batch(step, 0.0) for step in range(steps))]


def test_each_clip_plays_as_its_kind_says() -> None:
    variants = Variants(2, (1, 2), ("forwards", "backwards", "shuffled"), picks="different", layout="together")
    seen: set[int] = set()
    for frames, batch in batches([63] * 4, variants):
        kinds = batch.truths["own"].kinds
        assert (kinds[:, 0] != kinds[:, 1]).all()
        for video, clip in np.ndindex(4, 2):
            speed, order = variants.kinds[kinds[video, clip]]
            shown, straight = frames[clip, video], np.sort(frames[clip, video])
            assert (np.diff(straight) == speed * STEP).all()
            assert order == "shuffled" or (shown == (straight if order == "forwards" else straight[::-1])).all()
            seen.add(int(kinds[video, clip]))
        assert (frames.min(axis=2)[0] == frames.min(axis=2)[1]).all()  # all begin with their window
    assert seen == set(range(6))


def test_clips_in_turn_follow_each_other_half_a_clip_apart_and_repetitions_show_them_again() -> None:
    for frames, batch in batches([40] * 4, Variants(3, layout="in turn", repeats=2)):
        assert batch.has_speeds.all()
        assert (frames[1:3, :, 0] - frames[:2, :, -1] == CLIP // 2).all()
        assert (frames[:3] == frames[3:]).all()


CLOZE = Variants(3, (1,), ("forwards", "turned", "permuted", "remote", "exchanged"), picks="middle", layout="in turn")


def test_the_clip_in_the_middle_alone_is_altered_and_a_remote_one_lies_beyond_the_others() -> None:
    told: set[tuple[str, bool]] = set()
    for frames, batch in batches([40] * 4, CLOZE, steps=30):
        truth = batch.truths["own"]
        assert batch.has_speeds.all()
        assert not truth.kinds[:, [0, 2]].any()
        assert not truth.turns[:, [0, 2]].any()
        assert (truth.tiles[:, [0, 2]] == torch.arange(4)).all()
        assert (np.diff(frames[[0, 2]], axis=2) == STEP).all()
        for video, kind in enumerate(truth.kinds[:, 1].tolist()):
            before, middle, after = frames[:, video]
            operation = CLOZE.operations[kind]
            assert after[0] - before[-1] == CLIP + 2 * (CLIP // 2)
            assert (np.diff(np.sort(middle)) == STEP).all()
            assert (middle == np.sort(middle)).all() == (operation != "exchanged")
            is_first = middle.min() < before[0]
            if operation == "remote":
                assert (before[0] - middle.max() if is_first else middle[0] - after[-1]) == CLIP // 2
            else:
                assert middle.min() - before[-1] == after[0] - middle.max() == CLIP // 2
            assert bool(truth.turns[video, 1]) == (operation == "turned")
            assert bool((truth.tiles[video, 1] != torch.arange(4)).any()) == (operation == "permuted")
            told.add((operation, is_first))
    assert told == {(operation, False) for operation in CLOZE.operations} | {("remote", True)}


def test_blocks_follow_each_other_directly_under_one_crop_and_in_colours_of_their_own() -> None:
    blocks = Variants(5, layout="in blocks")
    for frames, batch in batches([40] * 4, blocks):
        assert batch.has_speeds.all()
        assert set((frames[1:, :, 0] - frames[:-1, :, -1]).ravel().tolist()) <= {1, 2}  # 1.2 frames, at these clips
    plan = ViewPlan(4, (1, 2), "release", Augmentation(), 0, None, {"own": blocks}, has_triplet=False)
    draws = plan.draws(0, np.arange(4), np.ones(4))
    for name, part in draws._asdict().items():
        is_one = part.view(5, 4).eq(part[:4]).all()
        assert bool(is_one) == (name in {"left", "top", "width", "height", "is_flipped"})


@given(
    frames_per_clip=st.integers(2, 32), step=st.integers(1, 8), num_frames=st.integers(1, 900), seed=st.integers(0, 99)
)
def test_no_frame_is_in_two_blocks_of_a_video_that_is_long_enough(
    frames_per_clip: int, step: int, num_frames: int, seed: int
) -> None:
    assume((frames_per_clip - 1) * step >= 5)
    views = Variants(5, layout="in blocks").drawn(np.random.default_rng(seed), 3).views
    assume(windows_fit(num_frames, views, frames_per_clip, step=step).all())
    frames = np.floor(view_positions(num_frames, views, frames_per_clip, step=step)).reshape(3, -1)
    assert (np.diff(frames, axis=1) >= 1).all()
    assert frames.max() < num_frames


def test_clips_apart_have_places_of_their_own() -> None:
    starts = np.concatenate([frames[:, :, 0] for frames, _ in batches([60] * 4, Variants(2))], axis=1)
    assert (starts[0] != starts[1]).mean() > 0.7


def test_pairs_lie_as_their_relation_says() -> None:
    variants = Variants(2, (1, 2), ("forwards", "backwards"), layout="anyhow", in_twins=True)
    told: set[int] = set()
    for frames, batch in batches([63] * 4, variants):
        assert batch.has_speeds.all()
        first, last = frames.min(axis=2), frames.max(axis=2)
        for video, relation in enumerate(batch.truths["own"].relations.tolist()):
            is_before = [last[a, video] < first[b, video] for a, b in ((0, 1), (1, 0))]
            assert is_before == [relation == 1, relation == 2]
            told.add(relation)
    assert told == {0, 1, 2}


def test_twins_have_one_transform_at_places_of_their_own() -> None:
    variants = Variants(2, (1, 2), ("forwards", "backwards"), layout="anyhow", in_twins=True)
    places = []
    for frames, batch in batches([63] * 4, variants):
        truth = batch.truths["own"]
        assert truth.twins.tolist() == [0, 1, 0, 1]
        assert truth.kinds[:2].equal(truth.kinds[2:])
        within = frames - np.array([63 * video for video in batch.video_ids.tolist()])[None, :, None]
        shift = within[:, 2:] - within[:, :2]
        assert (shift == shift[:1, :, :1]).all()  # one clip lies to the other as its twin does
        places += shift[0, :, 0].tolist()
    assert np.mean(np.array(places) != 0) > 0.7


@pytest.mark.parametrize(
    ("variants", "needed"),
    [
        (Variants(speeds=(1, 2, 4)), 4 * CLIP),
        (Variants(2, (1, 2), layout="anyhow"), 4 * CLIP + CLIP // 2),
        (CLOZE, 5.5 * CLIP),
        (Variants(5, layout="in blocks"), int(5.8 * CLIP)),
    ],
)
def test_which_videos_are_long_enough_hangs_not_on_what_was_drawn(variants: Variants, needed: float) -> None:
    """Else the fast kinds would be of the long videos alone, and a picture would tell the speed."""
    lengths = [int(needed), int(needed) + 1] * 2
    for _, batch in batches(lengths, variants, steps=6):
        assert batch.has_speeds.tolist() == [video % 2 == 1 for video in batch.video_ids.tolist()]


@pytest.mark.parametrize("variants", [Variants(is_turned=True), CLOZE])
def test_turned_and_permuted_clips_are_those_that_were_not(variants: Variants) -> None:
    rng, num = torch.Generator().manual_seed(0), variants.num_clips
    pictures = torch.randint(256, (num, 4, 1, 32, 32, 3), generator=rng, dtype=torch.uint8)
    plain_ones = replace(variants, is_turned=False, operations=("forwards",))
    altered, plain = (reader_of([40] * 4, {"own": each}) for each in (variants, plain_ones))
    told: set[int] = set()
    for step in range(12):
        seen = altered.seen(step)
        frames = pictures.expand(num, 4, T, 32, 32, 3).contiguous()
        shown = SeenVideos(step, seen.rows, frames, seen.aspects, seen.has_speeds, seen.video_ids)
        one, other = (reader.maker.batch(shown, 0.0) for reader in (altered, plain))
        truth = one.truths["own"]
        for place, (clip, straight) in enumerate(zip(one.clips, other.clips, strict=True)):
            number, video = divmod(place, 4)
            turns, tiles = int(truth.turns[video, number]), truth.tiles[video, number].tolist()
            halves = [part for row in straight.rot90(turns, (2, 3)).chunk(2, dim=2) for part in row.chunk(2, dim=3)]
            a, b, c, d = (halves[tile] for tile in tiles)
            assert clip.equal(torch.cat([torch.cat([a, b], dim=3), torch.cat([c, d], dim=3)], dim=2))
            told.add(turns)
    assert told == {0, 1, 2, 3}


def test_clips_that_begin_together_share_their_draw_and_others_do_not() -> None:
    for layout, alike in (("together", True), ("apart", False)):
        variants = Variants(2, layout=layout)  # type: ignore[arg-type]
        reader = reader_of([40] * 4, {"own": variants}, augmentation=Augmentation())
        seen = reader.seen(0)
        pictures = torch.randint(256, (1, 4, 1, 32, 32, 3), dtype=torch.uint8).expand(2, 4, T, 32, 32, 3)
        still = SeenVideos(0, seen.rows, pictures, seen.aspects, seen.has_speeds, seen.video_ids)
        first, second = reader.maker.batch(still, 0.0).of("own").chunk(2)
        assert first.allclose(second) is alike


def test_the_triplet_and_other_tasks_clips_stay_as_they_are() -> None:
    """What is drawn for one task hangs on no other, so that a task that is added changes nothing of the rest."""
    rotation, order = Variants(is_turned=True), Variants(3, layout="in turn")
    plans: list[dict[str, Variants]] = [{}, {"rotation": rotation}, {"order": order, "rotation": rotation}]
    alone, one, both = (
        reader_of([60] * 4, plan, has_triplet=True, augmentation=Augmentation()).batch(3, 0.0) for plan in plans
    )
    for role in ("anchor", "slow", "fast"):
        assert alone.of(role).equal(one.of(role))
        assert alone.of(role).equal(both.of(role))
    assert one.of("rotation").equal(both.of("rotation"))
    assert list(both.places) == ["anchor", "slow", "fast", "order", "rotation"]
    assert [len(both.of(role)) for role in ("order", "rotation")] == [12, 4]


def test_a_part_of_a_batch_is_that_part_of_the_whole() -> None:
    variants = {
        "own": Variants(2, (1, 2), ("forwards", "shuffled", "permuted", "exchanged"), is_turned=True, in_twins=True)
    }
    reader, rows = reader_of([60] * 4, variants, augmentation=Augmentation()), np.array([1, 3])
    whole = reader.seen(2)
    everything = reader.maker.batch(whole, 0.0)
    part = reader.maker.batch(
        SeenVideos(2, rows, whole.frames[:, rows], whole.aspects[rows], whole.has_speeds[rows], whole.video_ids[rows]),
        0.0,
    )
    for clip in range(2):
        assert torch.allclose(part.of("own").chunk(2)[clip], everything.of("own").chunk(2)[clip][rows], atol=1e-5)
    values: list[tuple[Tensor, Tensor]] = list(zip(part.truths["own"], everything.truths["own"], strict=True))
    assert all(own.equal(all_of_them[rows]) for own, all_of_them in values)
