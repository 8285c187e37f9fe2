"""The three clips of pre-training: their indices for any video, and the frames of files of several codecs."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.config import ClipGeometry, SingleSampling, SpeedSampling
from rspnet_core.errors import InvalidSetting
from rspnet_core.video.reading.decode import RandomClips, read_clips, read_random_clips
from rspnet_core.video.reading.pictures import Scaler
from rspnet_core.video.reading.probe import read_packets
from rspnet_core.video.sampling import speed_triplet
from tests.rspnet_core.video.made_videos import Frames, make_video, turned

SIDE = 64
TWO_SPEEDS = st.lists(st.integers(1, 8), min_size=2, max_size=2, unique=True).map(lambda pair: (pair[0], pair[1]))


@settings(deadline=None)
@given(
    num_frames=st.integers(1, 120),
    frames_per_clip=st.integers(1, 16),
    speeds=TWO_SPEEDS,
    step=st.integers(1, 3),
    seed=st.integers(0, 10**6),
)
def test_indices_are_a_start_and_equal_steps_looped_over_the_video(
    num_frames: int, frames_per_clip: int, speeds: tuple[int, int], step: int, seed: int
) -> None:
    clips = speed_triplet(num_frames, frames_per_clip, speeds, np.random.default_rng(seed), step=step)
    assert (clips.dtype, clips.shape) == (np.dtype(np.int64), (3, frames_per_clip))
    for row, speed in zip(clips.tolist(), (speeds[0], speeds[0], speeds[1]), strict=True):
        assert row == [(row[0] + n * speed * step) % num_frames for n in range(frames_per_clip)]
        reach = (frames_per_clip - 1) * speed * step
        if reach < num_frames:
            assert row[-1] == row[0] + reach <= num_frames - 1
        else:
            assert row[0] == 0  # a video that is too short is looped from its start
    again = speed_triplet(num_frames, frames_per_clip, speeds, np.random.default_rng(seed), step=step)
    assert (clips == again).all()


@pytest.mark.parametrize(("num_frames", "speeds"), [(12, (1, 2)), (20, (3, 1)), (4, (1, 4))])
def test_all_places_are_drawn_and_no_clip_hangs_on_another(num_frames: int, speeds: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    starts = [tuple(speed_triplet(num_frames, 4, speeds, rng)[:, 0].tolist()) for _ in range(4000)]
    allowed = [range(max(num_frames - 3 * speed, 1)) for speed in (speeds[0], *speeds)]
    for row, places in enumerate(allowed):
        counts = np.bincount([start[row] for start in starts], minlength=len(places))
        assert len(counts) == len(places)
        assert counts.min() > 0.7 * len(starts) / len(places)
    if len(allowed[0]) > 1:
        equal = np.mean([start[0] == start[1] for start in starts])
        assert equal == pytest.approx(1 / len(allowed[0]), abs=0.05)


@pytest.mark.parametrize(
    "values",
    [
        {"num_frames": 0},
        {"num_frames": -3},
        {"frames_per_clip": 0},
        {"step": 0},
        {"speeds": (2, 2)},
        {"speeds": (1, 0)},
        {"speeds": (-1, 2)},
    ],
    ids=str,
)
def test_numbers_below_1_and_equal_speeds_are_refused(values: dict[str, object]) -> None:
    name, value = next(iter(values.items()))
    settings = {"num_frames": 10, "frames_per_clip": 4, "speeds": (1, 2), "step": 1} | values
    with pytest.raises(InvalidSetting) as error:
        speed_triplet(rng=np.random.default_rng(0), **settings)  # type: ignore[arg-type]
    assert f"{name}={value}" in str(error.value)


def all_frames(path: Path) -> Frames:
    """Every frame that decodes in order, squashed to SIDE x SIDE."""
    scaler = Scaler(SIDE, SIDE, read_packets(path).display)
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return np.stack([scaler(frame) for frame in container.decode(video=0)])


def places(clips: RandomClips, everything: Frames) -> list[list[int]]:
    """Where in the video the frames of c_i, c_j and c_k are, exactly."""
    found = []
    for clip in clips.frames:
        at = [np.flatnonzero((everything == frame).all(axis=(1, 2, 3))) for frame in clip]
        assert all(len(where) == 1 for where in at), [where.tolist() for where in at]
        found.append([int(where[0]) for where in at])
    return found


def sampling(**values: object) -> SpeedSampling:
    return SpeedSampling.model_validate({"frames_per_clip": 4, "frame_size": SIDE, "fps": None, **values})


def test_the_made_videos_frames_can_be_told_apart(tmp_path: Path) -> None:
    frames = all_frames(make_video(tmp_path / "a.mp4", num_frames=40))
    assert len(np.unique(frames.reshape(40, -1), axis=0)) == 40


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("h264.mp4", {}),
        ("h264.mkv", {"gop": 5}),
        ("upright.mp4", {"width": 64, "height": 112}),
        ("mpeg4.avi", {"codec": "mpeg4"}),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}}),
    ],
)
@pytest.mark.parametrize("frames_per_clip", [3, 10])
def test_frames_are_those_that_reading_in_order_gives(
    tmp_path: Path, name: str, options: dict[str, object], frames_per_clip: int
) -> None:
    path = make_video(tmp_path / name, num_frames=40, **options)  # type: ignore[arg-type]
    everything = all_frames(path)
    for seed in range(3):
        clips = read_random_clips(path, sampling(frames_per_clip=frames_per_clip, speeds=(1, 3)), (seed,))
        assert clips.frames.shape == (3, frames_per_clip, SIDE, SIDE, 3)
        assert clips.aspect == options.get("width", 96) / options.get("height", 64)  # type: ignore[operator]
        assert sorted(clips.speeds) == [1, 3]
        for at, speed in zip(places(clips, everything), (clips.speeds[0], *clips.speeds), strict=True):
            assert set(np.diff(at)) == {speed}


def test_a_short_video_is_looped(tmp_path: Path) -> None:
    path = make_video(tmp_path / "short.mp4", num_frames=5)
    clips = read_random_clips(path, sampling(frames_per_clip=8, anchor_at_first_speed=True), (0,))
    assert clips.speeds == (1, 2)
    at = places(clips, all_frames(path))
    assert at == [[0, 1, 2, 3, 4, 0, 1, 2], [0, 1, 2, 3, 4, 0, 1, 2], [0, 2, 4, 1, 3, 0, 2, 4]]


def test_a_video_of_one_frame_gives_clips_of_it(tmp_path: Path) -> None:
    path = make_video(tmp_path / "one.mp4", num_frames=1)
    clips = read_random_clips(path, sampling(), (0,))
    assert (clips.frames == all_frames(path)[0]).all()


def test_speeds_count_frames_of_the_resampled_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "fast.mp4", num_frames=60, fps=50)
    clips = read_random_clips(path, sampling(fps=25, speeds=(1, 3), frame_step=2, anchor_at_first_speed=True), (0,))
    steps = [set(np.diff(at)) for at in places(clips, all_frames(path))]
    assert steps == [{4}, {4}, {12}]


def test_frames_of_a_turned_video_are_upright_and_so_is_its_aspect(tmp_path: Path) -> None:
    path = turned(make_video(tmp_path / "a.mp4", num_frames=30), 90)
    clips = read_random_clips(path, sampling(), (0,))
    assert clips.aspect == 64 / 96
    for at, speed in zip(places(clips, all_frames(path)), (clips.speeds[0], *clips.speeds), strict=True):
        assert set(np.diff(at)) == {speed}


def test_a_seed_decides_speeds_and_places_and_another_gives_others(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    everything = all_frames(path)
    drawn = []
    for seed in [(0, 1), (0, 2), (1, 1), (2, 5, 7)]:
        one, again = (read_random_clips(path, sampling(speeds=(1, 2, 4)), seed) for _ in range(2))
        assert one.speeds == again.speeds
        assert (one.frames == again.frames).all()
        drawn.append((one.speeds, places(one, everything)))
    assert all(first != second for n, first in enumerate(drawn) for second in drawn[:n])


def test_every_ordered_pair_of_speeds_is_drawn(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=8, width=32, height=32)
    chosen = sampling(frames_per_clip=1, speeds=(1, 2, 4), frame_size=16)
    drawn = {read_random_clips(path, chosen, (seed,)).speeds for seed in range(40)}
    assert drawn == {(1, 2), (1, 4), (2, 1), (2, 4), (4, 1), (4, 2)}


def test_where_a_clip_lies_does_not_depend_on_how_large_frames_are_kept(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    small, large = (read_random_clips(path, sampling(frame_size=size), (4,)) for size in (SIDE, 96))
    assert small.speeds == large.speeds
    assert large.frames.shape == (3, 4, 96, 96, 3)


def test_a_single_clip_is_a_run_or_spans_the_whole_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    everything = all_frames(path)
    values = {"frames_per_clip": 5, "frame_size": SIDE, "fps": None}
    for seed in range(4):
        run = read_random_clips(path, SingleSampling(frame_step=2, **values), (seed,))
        assert run.frames.shape == (1, 5, SIDE, SIDE, 3) and run.speeds == (1,)
        assert set(np.diff(places(run, everything)[0])) == {2}
        spread = places(read_random_clips(path, SingleSampling(span="segments", **values), (seed,)), everything)[0]
        assert [place // 8 for place in spread] == [0, 1, 2, 3, 4]


def test_clips_of_segments_look_at_the_whole_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    whole = read_clips(path, ClipGeometry(num_clips=40, frames_per_clip=1, size=SIDE)).frames[:, 0]
    clips = read_clips(path, ClipGeometry(num_clips=2, frames_per_clip=4, size=SIDE, span="segments"))
    assert (clips.frames == whole[[[2, 12, 22, 32], [7, 17, 27, 37]]]).all()
