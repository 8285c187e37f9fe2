import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.errors import InvalidSetting
from rspnet_core.video.sampling import (
    even_clip_indices,
    even_segment_indices,
    random_clip_indices,
    random_segment_indices,
    resampled_indices,
    segment_bounds,
)

small = st.integers(1, 40)


@settings(max_examples=100)
@given(num_frames=st.integers(1, 300), num_clips=st.integers(1, 12), frames_per_clip=small, step=st.integers(1, 5))
def test_clips_agree_with_a_slow_reading_of_the_rule(num_frames, num_clips, frames_per_clip, step):
    needed = (frames_per_clip - 1) * step + 1
    last_start = max(num_frames - needed, 0)
    expected = []
    for clip in range(num_clips):
        start = round(last_start * clip / (num_clips - 1)) if num_clips > 1 else 0
        expected.append([(start + step * frame) % num_frames for frame in range(frames_per_clip)])
    indices = even_clip_indices(num_frames, num_clips, frames_per_clip, step)
    assert indices.dtype == np.int64
    exact_half = last_start * np.arange(num_clips) / max(num_clips - 1, 1) % 1 == 0.5
    # linspace may fall on either side of an exact half by its last bit
    assert (np.abs(indices - expected)[~exact_half] == 0).all()
    assert ((indices >= 0) & (indices < num_frames)).all()


def test_ten_clips_reach_from_the_first_frame_to_the_last():
    indices = even_clip_indices(100)
    assert indices.shape == (10, 16)
    assert indices[0, 0] == 0 and indices[-1, -1] == 99


def test_a_video_shorter_than_a_clip_is_looped():
    assert even_clip_indices(3, 2, 8).tolist() == [[0, 1, 2, 0, 1, 2, 0, 1]] * 2


def test_a_video_without_frames_is_refused():
    with pytest.raises(InvalidSetting, match="num_frames=0"):
        even_clip_indices(0)


@settings(max_examples=100)
@given(
    gaps_ms=st.lists(st.integers(1, 400), min_size=0, max_size=30),
    fps=st.sampled_from([1.0, 10.0, 24.0, 25.0, 29.97, 60.0]),
    start=st.floats(0, 1e5),
)
def test_each_tick_shows_the_last_frame_that_has_begun(gaps_ms, fps, start):
    times = np.concatenate([[0], np.cumsum(gaps_ms)]) / 1000
    expected = []
    tick = 0
    while tick / fps <= times[-1] + 1e-6:
        expected.append(max(i for i, time in enumerate(times) if time <= tick / fps + 1e-6))
        tick += 1
    assert resampled_indices(times, fps).tolist() == expected
    assert len(resampled_indices(times + start, fps)) == len(expected)


def test_resampling_to_the_own_frame_rate_changes_nothing():
    for fps in (24.0, 25.0, 30000 / 1001):
        assert resampled_indices(np.arange(5000) / fps, fps).tolist() == list(range(5000))


def test_resampling_by_timestamps_repeats_the_frame_of_a_long_pause():
    assert resampled_indices(np.array([0.0, 0.1, 0.5, 0.6]), 10).tolist() == [0, 1, 1, 1, 1, 2, 3]


def test_a_part_begins_with_the_frame_on_show_and_ends_before_its_end():
    times = np.arange(10) / 10
    assert segment_bounds(times, None, None) == (0, 10)
    assert segment_bounds(times, 0.25, 0.5) == (2, 5)
    assert segment_bounds(times, 0.3, 0.31) == (3, 4)
    assert segment_bounds(times, 0.95, 99) == (9, 10)


@settings(max_examples=100)
@given(num_frames=st.integers(1, 300), frames_per_clip=small, step=st.integers(1, 5), seed=st.integers(0, 9))
def test_a_random_clip_is_a_run_of_the_video(num_frames, frames_per_clip, step, seed):
    clip = random_clip_indices(num_frames, frames_per_clip, np.random.default_rng(seed), step=step)
    assert clip.dtype == np.int64
    assert clip.tolist() == [(clip[0] + step * frame) % num_frames for frame in range(frames_per_clip)]
    needed = (frames_per_clip - 1) * step + 1
    assert 0 <= clip[0] <= max(num_frames - needed, 0)


def test_a_random_clip_may_start_anywhere_it_fits():
    starts = {int(random_clip_indices(10, 4, np.random.default_rng(seed), step=2)[0]) for seed in range(60)}
    assert starts == {0, 1, 2, 3}


@settings(max_examples=100)
@given(num_frames=st.integers(1, 300), num_clips=st.integers(1, 12), frames_per_clip=small, seed=st.integers(0, 9))
def test_each_segment_gives_one_frame(num_frames, num_clips, frames_per_clip, seed):
    even = even_segment_indices(num_frames, num_clips, frames_per_clip)
    drawn = random_segment_indices(num_frames, frames_per_clip, np.random.default_rng(seed))
    assert even.shape == (num_clips, frames_per_clip) and drawn.shape == (frames_per_clip,)
    for clip in [*even, drawn]:
        for segment, frame in enumerate(clip):
            start, stop = segment * num_frames / frames_per_clip, (segment + 1) * num_frames / frames_per_clip
            assert np.floor(start) <= frame <= max(np.ceil(stop) - 1, np.floor(start)) <= num_frames - 1


def test_segments_are_as_drawn_in_the_docstring():
    assert even_segment_indices(12, 2, 3).tolist() == [[1, 5, 9], [3, 7, 11]]


@pytest.mark.parametrize("function", [random_clip_indices, random_segment_indices])
def test_a_random_clip_of_nothing_is_refused(function):
    with pytest.raises(InvalidSetting, match="num_frames=0"):
        function(0, 4, np.random.default_rng(0))
