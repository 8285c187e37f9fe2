"""The three clips of pre-training: index arithmetic, and the frames of a real file."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rspnet_core.config import SpeedSampling
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.video.reading.decode import read_random_clips
from rspnet_core.video.sampling import speed_triplet


@given(
    num_frames=st.integers(1, 200),
    frames_per_clip=st.integers(1, 20),
    speeds=st.lists(st.integers(1, 8), min_size=2, max_size=2, unique=True),
    step=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_two_clips_play_alike_and_one_otherwise(
    num_frames: int, frames_per_clip: int, speeds: list[int], step: int, seed: int
) -> None:
    same, other = speeds
    clips = speed_triplet(num_frames, frames_per_clip, (same, other), np.random.default_rng(seed), step=step)
    assert clips.shape == (3, frames_per_clip)
    assert clips.dtype == np.int64
    assert clips.min() >= 0
    assert clips.max() < num_frames
    for row, speed in zip(clips, (same, same, other), strict=True):
        assert ((np.diff(row) - speed * step) % num_frames == 0).all()
        if (frames_per_clip - 1) * speed * step < num_frames:
            assert (np.diff(row) > 0).all()  # looped only where the video is shorter than the clip


def test_places_are_drawn_over_the_whole_video() -> None:
    rng = np.random.default_rng(0)
    starts = {int(speed_triplet(10, 4, (1, 2), rng)[2, 0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


@pytest.mark.parametrize("speeds", [(1, 1), (0, 2)])
def test_equal_speeds_and_speed_0_are_refused(speeds: tuple[int, int]) -> None:
    with pytest.raises(InvalidSetting, match="must differ"):
        speed_triplet(10, 4, speeds, np.random.default_rng(0))


def test_frames_are_those_of_the_file_at_both_speeds(sample_videos: Path) -> None:
    path = next(path for path in sorted(sample_videos.rglob("*.mp4")) if "Spin" in path.name)
    whole = SpeedSampling(frames_per_clip=75, frame_size=64, fps=None, anchor_at_first_speed=True)
    everything = read_random_clips(path, whole, (0,)).frames[0]  # as long as the video, at 1x: its frames in order
    sampling = SpeedSampling(frames_per_clip=5, frame_step=2, speeds=(1, 3), frame_size=64, fps=None)
    clips = read_random_clips(path, sampling, (1, 2, 3))
    assert clips.frames.shape == (3, 5, 64, 64, 3)
    assert clips.aspect == 160 / 128
    for clip, speed in zip(clips.frames, (clips.speeds[0], clips.speeds[0], clips.speeds[1]), strict=True):
        shown = [np.flatnonzero((everything == frame).all(axis=(1, 2, 3))).tolist() for frame in clip]
        assert any(all(start + 2 * speed * n in at for n, at in enumerate(shown)) for start in shown[0])


def test_a_seed_decides_the_clips(sample_videos: Path) -> None:
    path = sorted(sample_videos.rglob("*.mp4"))[0]
    sampling = SpeedSampling(frames_per_clip=4, frame_size=64)
    one, again, another = (read_random_clips(path, sampling, (seed, 0)) for seed in (1, 1, 2))
    assert (one.frames == again.frames).all()
    assert one.speeds == again.speeds
    assert not (one.frames == another.frames).all()


def test_without_speed_augmentation_the_anchor_plays_at_the_first_speed(sample_videos: Path) -> None:
    path = sorted(sample_videos.rglob("*.mp4"))[0]
    sampling = SpeedSampling(frames_per_clip=2, frame_size=64, speeds=(1, 2, 4), anchor_at_first_speed=True)
    drawn = {read_random_clips(path, sampling, (seed,)).speeds for seed in range(12)}
    assert drawn == {(1, 2), (1, 4)}


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42 nothing")
    with pytest.raises(VideoError):
        read_random_clips(tmp_path / "no.mp4", SpeedSampling(), (0,))
