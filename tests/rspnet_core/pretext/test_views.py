"""Which frames a step sees: index arithmetic of the release's pairing; batches depend on (seed, step) alone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rspnet_core.config import Augmentation
from rspnet_core.pretext.views import ViewPlan
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


def plan_of(lengths: list[int], *, num_videos: int = 4, seed: int = 0, programs: int = 0, step: int = 2) -> ViewPlan:
    return ViewPlan(store_of(lengths), 4, step, 32, STILL, num_videos, programs, 25, seed)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=4, max_size=9),
    seed=st.integers(0, 99),
    step=st.integers(0, 30),
    frame_step=st.integers(1, 4),
)
def test_clips_lie_in_their_videos_and_differ_as_the_release_pairs_them(
    lengths: list[int], seed: int, step: int, frame_step: int
) -> None:
    plan = plan_of(lengths, seed=seed, step=frame_step)
    planned = plan.plan(np.random.default_rng(seed), step)
    firsts = np.array([plan.store.index.videos[video].first for video in planned.videos])[:, None]
    sizes = np.array([lengths[video] for video in planned.videos])
    for places in planned.frames.values():
        assert ((places >= firsts) & (places < firsts + sizes[:, None])).all()
    slow, fast = planned.frames["slow"], planned.frames["fast"]
    assert (planned.has_speeds == (sizes > 3 * 2 * frame_step)).all()
    long = planned.has_speeds
    assert (slow[:, 0] == fast[:, 0]).all()
    assert (np.diff(slow[long], axis=1) == frame_step).all()
    assert (np.diff(fast[long], axis=1) == 2 * frame_step).all()
    steps = np.where(planned.anchor_is_fast, 2, 1)[:, None] * frame_step
    assert (np.diff(planned.frames["anchor"], axis=1) == steps)[long].all()
    assert (planned.frames["covered"] == slow).all()


def test_each_video_is_seen_once_an_epoch_in_an_order_of_its_own() -> None:
    plan = plan_of([9] * 12)
    epochs = [
        np.concatenate([plan.plan(np.random.default_rng(0), 3 * epoch + step).videos for step in range(3)])
        for epoch in range(2)
    ]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    lengths = [30] * 5
    one, same, later, other = (
        plan_of(lengths, seed=seed, programs=2).batch(step, 0.5) for seed, step in ((1, 3), (1, 3), (1, 4), (2, 3))
    )
    assert one.clips.equal(same.clips)
    assert one.video_ids.equal(same.video_ids)
    assert not one.clips.equal(later.clips)
    assert not one.clips.equal(other.clips)


def test_the_clips_of_a_role_show_the_planned_frames() -> None:
    plan = plan_of([40] * 5)
    batch = plan.batch(2, 0.0)
    planned = plan.plan(np.random.default_rng((0, 2)), 2)
    for role in ("anchor", "slow", "fast"):
        greys = batch.clips[batch.places[role]].mean(dim=(3, 4))[:, 0] * 0.229 + 0.485
        assert torch.allclose(greys * 255, torch.from_numpy(planned.frames[role]).clamp(max=255).float(), atol=0.6)


def test_a_covered_clip_is_the_slow_one_with_one_still_over_all_of_its_frames() -> None:
    plan = plan_of([40] * 6, num_videos=6)
    batch = plan.batch(0, 0.0)
    slow, covered = (batch.clips[batch.places[role]].mean(dim=(1, 3, 4)) for role in ("slow", "covered"))
    ratio = (covered[:, -1] - covered[:, 0]) / (slow[:, -1] - slow[:, 0])  # 1 - weight of the still
    assert ((ratio > 0.49) & (ratio < 1.001)).all()
    assert (ratio < 0.99).any()


@pytest.mark.parametrize("programs", [0, 3])
def test_roles_follow_each_other(programs: int) -> None:
    batch = plan_of([30] * 4, programs=programs).batch(0, 0.2)
    assert len(batch.clips) == 4 * 4 + 2 * programs
    assert batch.places["covered"] == slice(12, 16)
    assert batch.places.get("rendered", slice(16, 16)) == slice(16, 16 + 2 * programs)
    assert batch.clips.isfinite().all()
