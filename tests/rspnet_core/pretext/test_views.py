"""Which frames a step sees: index arithmetic of both pairings; batches depend on (seed, step) alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rspnet_core.config import Augmentation, ViewSampling
from rspnet_core.errors import InvalidSetting
from rspnet_core.pretext.batches import BatchMaker, SeenVideos
from rspnet_core.pretext.rendered import Renderer
from rspnet_core.pretext.store import StoreReader
from rspnet_core.pretext.views import Covers, Pairing, ViewPlan
from rspnet_core.video.clips.batch_part import BatchPart
from rspnet_core.video.store.frame_store import FrameStore, Shard, StoredVideo, StoreIndex

STILL = Augmentation(min_crop_area=1, flip=False, jitter_probability=0, grey_probability=0, blur_probability=0)
HASH = "0" * 64


def store_of(lengths: list[int], side: int = 32) -> FrameStore:
    """Frame n of the store is grey of value n, so that a clip tells its frames."""
    firsts = np.cumsum([0, *lengths[:-1]]).tolist()
    videos = tuple(
        StoredVideo(path=f"{number}.mp4", first=first, frames=length, aspect=1.0, sha256=HASH)
        for number, (first, length) in enumerate(zip(firsts, lengths, strict=True))
    )
    shard = Shard(file="shard-000.mp4", first=0, frames=sum(lengths), sha256=HASH)
    index = StoreIndex(side=side, fps=25, videos=videos, shards=(shard,))
    greys = torch.arange(sum(lengths)).clamp(max=255).to(torch.uint8)
    return FrameStore(index, greys[:, None, None, None].expand(-1, side, side, 3).contiguous())


def reader_of(
    lengths: list[int],
    *,
    num_videos: int = 4,
    seed: int = 0,
    programs: int = 0,
    step: int = 2,
    pairing: Pairing = "release",
    speeds: tuple[float, ...] = (1, 2),
    covers: Covers | None = "other",
    augmentation: Augmentation = STILL,
) -> StoreReader:
    plan = ViewPlan(num_videos, speeds, pairing, augmentation, seed, covers)
    renderer = Renderer(programs, 4, 32, step / 25, augmentation) if programs else None
    return StoreReader(
        store_of(lengths), ViewSampling(frames_per_clip=4, frame_step=step), BatchMaker(plan, 32, renderer)
    )


@settings(deadline=None)
@example(lengths=[1, 1, 1, 1, 1, 1, 1, 1, 7], seed=2, step=0, frame_step=4, pairing="release", speeds=(1, 2, 4))
@given(
    lengths=st.lists(st.integers(1, 90), min_size=4, max_size=9),
    seed=st.integers(0, 99),
    step=st.integers(0, 30),
    frame_step=st.integers(1, 4),
    pairing=st.sampled_from(["release", "independent"]),
    speeds=st.sampled_from([(1, 2), (1, 2, 4), (2, 1, 3)]),
)
def test_clips_lie_in_their_videos_and_play_as_fast_as_was_drawn(
    lengths: list[int], seed: int, step: int, frame_step: int, pairing: Pairing, speeds: tuple[float, ...]
) -> None:
    reader = reader_of(lengths, seed=seed, step=frame_step, pairing=pairing, speeds=speeds)
    drawn, seen = reader.maker.plan.drawn(step), reader.seen(step)
    indices = reader.indices(step)
    firsts = np.array([reader.store.index.videos[video].first for video in seen.video_ids])[:, None, None]
    sizes = np.array([lengths[video] for video in seen.video_ids])
    assert ((indices >= firsts) & (indices < firsts + sizes[:, None, None])).all()
    pairs = np.array(speeds)[drawn.speed_places]
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert (seen.has_speeds == (sizes > 3 * pairs[:, 1] * frame_step)).all()
    long = seen.has_speeds
    steps = np.diff(indices[long], axis=2)
    own = np.where(drawn.anchor_is_fast, pairs[:, 1], pairs[:, 0])
    for clip, expected in enumerate((own, pairs[:, 0], pairs[:, 1])):
        assert (steps[:, clip] == expected[long, None] * frame_step).all()
    if pairing == "release":
        assert (indices[:, 1, 0] == indices[:, 2, 0]).all()


def test_independent_clips_start_at_places_of_their_own() -> None:
    starts = np.concatenate([reader_of([60] * 8, pairing="independent").indices(step)[:, 1:, 0] for step in range(6)])
    assert (starts[:, 0] != starts[:, 1]).mean() > 0.8


@pytest.mark.parametrize("speeds", [(1, 2), (4, 1, 2)])
def test_every_pair_of_speeds_is_drawn_with_a_slow_and_with_a_fast_anchor(speeds: tuple[float, ...]) -> None:
    plan = ViewPlan(64, speeds, "independent", STILL, seed=0)
    kinds = [kind for step in range(20) for kind in zip(*_kinds(plan, step), strict=True)]
    wanted = {(a, b, fast) for a in speeds for b in speeds for fast in (False, True) if a < b}
    assert set(kinds) == wanted
    counts = [kinds.count(kind) / len(kinds) for kind in wanted]
    assert min(counts) > 0.7 / len(wanted)


def _kinds(plan: ViewPlan, step: int) -> tuple[list[float], list[float], list[bool]]:
    drawn = plan.drawn(step)
    slow, fast = np.array(plan.speeds)[drawn.speed_places].T.tolist()
    return slow, fast, drawn.anchor_is_fast.tolist()


def test_the_batch_tells_the_speed_of_the_anchor() -> None:
    speeds = (4, 1, 2)
    reader = reader_of([60] * 8, num_videos=8, speeds=speeds)
    batch, indices = reader.batch(0, 0.0), reader.indices(0)
    told = [speeds[place] for place in batch.anchor_speeds.tolist()]
    assert (np.diff(indices[:, 0], axis=1) == 2 * np.array(told)[:, None]).all()


def test_each_video_is_seen_once_an_epoch_in_an_order_of_its_own() -> None:
    reader = reader_of([9] * 12)
    epochs = [np.concatenate([reader.seen(3 * epoch + step).video_ids for step in range(3)]) for epoch in range(2)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    lengths = [30] * 5
    one, same, later, other = (
        reader_of(lengths, seed=seed, programs=2).batch(step, 0.5) for seed, step in ((1, 3), (1, 3), (1, 4), (2, 3))
    )
    assert one.clips.equal(same.clips)
    assert one.video_ids.equal(same.video_ids)
    assert not one.clips.equal(later.clips)
    assert not one.clips.equal(other.clips)


@pytest.mark.parametrize("pairing", ["release", "independent"])
def test_a_part_of_a_batch_is_that_part_of_the_whole(pairing: Pairing) -> None:
    """So that several processes, or a video that cannot be read, change nothing about the others."""
    reader = reader_of([40] * 6, num_videos=6, pairing=pairing, covers=None, augmentation=Augmentation())
    whole, maker, rows = reader.seen(3), reader.maker, np.array([1, 4, 5])
    aspects = np.array([1.5, 0.7, 2.0, 1.0, 1.8, 1.2])
    everything = maker.batch(SeenVideos(3, whole.rows, whole.frames, aspects, whole.has_speeds, whole.video_ids), 0)
    part = maker.batch(
        SeenVideos(3, rows, whole.frames[:, rows], aspects[rows], whole.has_speeds[rows], whole.video_ids[rows]), 0
    )
    for role in ("anchor", "slow", "fast"):
        assert torch.allclose(part.of(role), everything.of(role)[rows], atol=1e-5)
    for name in ("video_ids", "speed_places", "anchor_is_fast", "positive_is_fast"):
        assert getattr(part, name).equal(getattr(everything, name)[rows])


def test_with_the_release_s_pairing_speed_alone_differs_within_a_pair() -> None:
    """Of videos that stand still, the slow and the fast clip are the same picture; independently they are not."""
    for pairing, alike in (("release", True), ("independent", False)):
        reader = reader_of([40] * 4, pairing=pairing, covers=None, augmentation=Augmentation())  # type: ignore[arg-type]
        rng = torch.Generator().manual_seed(0)
        seen = reader.seen(0)
        pictures = torch.randint(256, (1, 4, 1, 32, 32, 3), generator=rng, dtype=torch.uint8).expand(3, 4, 4, 32, 32, 3)
        still = SeenVideos(0, seen.rows, pictures, seen.aspects, seen.has_speeds, seen.video_ids)
        batch = reader.maker.batch(still, 0.0)
        assert batch.of("slow").allclose(batch.of("fast")) is alike
        assert not batch.of("anchor").allclose(batch.of("slow"))


def test_the_clips_of_a_role_show_the_planned_frames() -> None:
    reader = reader_of([40] * 5)
    batch, indices = reader.batch(2, 0.0), reader.indices(2)
    for clip, role in enumerate(("anchor", "slow", "fast")):
        greys = batch.of(role).mean(dim=(3, 4))[:, 0] * 0.229 + 0.485
        assert torch.allclose(greys * 255, torch.from_numpy(indices[:, clip]).clamp(max=255).float(), atol=0.6)


@pytest.mark.parametrize("covers", ["other", "same"])
def test_a_covered_clip_is_the_slow_one_with_one_still_over_all_of_its_frames(covers: Covers) -> None:
    batch = reader_of([40] * 6, num_videos=6, covers=covers).batch(0, 0.0)
    slow, covered = (batch.of(role).mean(dim=(1, 3, 4)) for role in ("slow", "covered"))
    kept = (covered[:, -1] - covered[:, 0]) / (slow[:, -1] - slow[:, 0])  # 1 - weight of the still
    assert ((kept > 0.49) & (kept < 1.001)).all()
    mixed = kept < 0.99
    assert mixed.any()
    stills = ((covered - kept[:, None] * slow) / (1 - kept[:, None]))[mixed, 0]
    sources = slow if covers == "same" else batch.of("anchor").mean(dim=(1, 3, 4)).roll(-1, dims=0)
    assert ((stills[:, None] - sources[mixed]).abs().min(dim=1).values < 1e-2).all()


def test_without_a_task_that_covers_no_covered_clips_are_made() -> None:
    batch = reader_of([40] * 4, covers=None).batch(0, 0.0)
    assert list(batch.places) == ["anchor", "slow", "fast"]
    assert len(batch.clips) == 12


@pytest.mark.parametrize("programs", [0, 3])
def test_roles_follow_each_other(programs: int) -> None:
    batch = reader_of([30] * 4, programs=programs).batch(0, 0.2)
    assert len(batch.clips) == 4 * 4 + 2 * programs
    assert batch.places["covered"] == slice(12, 16)
    assert batch.places.get("rendered", slice(16, 16)) == slice(16, 16 + 2 * programs)
    assert batch.clips.isfinite().all()


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=6, max_size=9), step=st.integers(0, 30), processes=st.integers(1, 6)
)
def test_processes_cut_together_what_one_does(lengths: list[int], step: int, processes: int) -> None:
    whole = reader_of(lengths, num_videos=6, pairing="independent")
    if 6 % processes:
        with pytest.raises(InvalidSetting, match=f"batch_size 6 does not divide by {processes} processes"):
            replace(whole, part=BatchPart(0, processes)).seen(step)
        return
    parts = [replace(whole, part=BatchPart(rank, processes)) for rank in range(processes)]
    expected, seen = whole.seen(step), [part.seen(step) for part in parts]
    for name in ("rows", "aspects", "has_speeds", "video_ids"):
        assert np.concatenate([getattr(each, name) for each in seen]).tolist() == getattr(expected, name).tolist()
    assert torch.cat([each.frames for each in seen], dim=1).equal(expected.frames)
    made, batches = whole.batch(step, 0.0), [part.batch(step, 0.0) for part in parts]
    for role in ("anchor", "slow", "fast"):
        assert torch.cat([batch.of(role) for batch in batches]).allclose(made.of(role), atol=1e-5)
    for name in ("video_ids", "speed_places", "anchor_is_fast", "positive_is_fast", "has_speeds"):
        assert torch.cat([getattr(batch, name) for batch in batches]).equal(getattr(made, name))
