"""The clips that were drawn for a video: their indices for any length, and the frames of files of several codecs."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rspnet_core.config import ClipGeometry, SingleSampling, ViewSampling
from rspnet_core.errors import VideoError
from rspnet_core.video.reading.decode import RandomClips, read_clips, read_random_clip, read_views
from rspnet_core.video.reading.pictures import Scaler
from rspnet_core.video.reading.probe import read_packets
from rspnet_core.video.sampling import View, view_positions
from tests.rspnet_core.video.made_videos import Frames, make_video, turned

SIDE = 64
TRIPLET = [View(0.5, 1, 1), View(0.2, 1, 2), View(0.2, 2, 2)]
"""c_i, and a slow and a fast clip of one window."""


@settings(deadline=None)
@given(
    num_frames=st.integers(1, 120),
    frames_per_clip=st.integers(1, 16),
    speeds=st.lists(st.integers(1, 8), min_size=2, max_size=2).map(sorted),
    step=st.integers(1, 3),
    place=st.floats(0, 1, exclude_max=True),
)
def test_indices_are_a_start_and_equal_steps_looped_over_the_video(
    num_frames: int, frames_per_clip: int, speeds: list[int], step: int, place: float
) -> None:
    views = [View(place, speed, speeds[1]) for speed in speeds]
    slow, fast = view_positions(num_frames, views, frames_per_clip, step=step).tolist()
    assert slow[0] == fast[0]
    for row, speed in zip((slow, fast), speeds, strict=True):
        assert row == [(row[0] + n * speed * step) % num_frames for n in range(frames_per_clip)]
    reach = (frames_per_clip - 1) * speeds[1] * step
    if reach < num_frames:
        assert fast[-1] == fast[0] + reach <= num_frames - 1
    else:
        assert fast[0] == 0  # a video that is too short is looped from its start


@pytest.mark.parametrize(("num_frames", "speed", "starts"), [(12, 1, 9), (20, 3, 11), (4, 4, 1)])
def test_equal_parts_of_the_places_are_equal_starts(num_frames: int, speed: int, starts: int) -> None:
    places = (np.arange(1000) + 0.5) / 1000
    views = [View(place, speed, speed) for place in places]
    first = view_positions(num_frames, views, 4)[:, 0]
    assert np.unique(first).tolist() == list(range(starts))
    assert np.bincount(first.astype(int)).min() >= 1000 // starts - 1


@given(
    num_frames=st.integers(1, 80), frames=st.integers(2, 9), step=st.integers(1, 2), fast=st.sampled_from([1.5, 2, 4])
)
def test_the_release_stretches_a_short_video_over_the_window_and_loops_a_shorter_one(
    num_frames: int, frames: int, step: int, fast: float
) -> None:
    views = [View(0.9, 1, fast), View(0.9, fast, fast)]
    looped, stretched = (
        view_positions(num_frames, views, frames, step=step, stretches=stretches) for stretches in (False, True)
    )
    clip, reach = (frames - 1) * step, (frames - 1) * step * fast
    if num_frames > reach or num_frames <= clip:
        assert (looped == stretched).all()
    else:
        assert stretched[1, -1] == num_frames - 1
        for row, speed in zip(stretched, (1, fast), strict=True):
            expected = [speed * step * n * (num_frames - 1) / reach for n in range(frames)]
            assert row.tolist() == pytest.approx(expected, abs=1e-5)


def test_many_videos_are_placed_as_each_alone() -> None:
    views = np.random.default_rng(0).random((5, 3, 4)) * [1, 2, 0, 0.5] + [0, 0.5, 3, 0]
    lengths = np.array([1, 7, 20, 40, 41])
    together = view_positions(lengths[:, None], views, 6, step=2, stretches=True)
    alone = [view_positions(int(n), each, 6, step=2, stretches=True) for n, each in zip(lengths, views, strict=True)]
    assert (together == np.stack(alone)).all()


def test_a_clip_may_begin_later_in_its_window() -> None:
    views = [View(0.5, 1, 3.5), View(0.5, 1, 3.5, 1.5), View(0.5, 2, 3.5, 1.5)]
    first, *later = view_positions(60, views, 5, step=2).tolist()
    assert first == [16, 18, 20, 22, 24]  # half of the 32 places at which a window of 28 frames may begin
    assert later == [[28, 30, 32, 34, 36], [28, 32, 36, 40, 44]]


def test_speeds_may_be_fractions() -> None:
    assert view_positions(40, [View(0, 0.5, 0.5), View(0, 1.5, 1.5)], 4).tolist() == [
        [0, 0.5, 1, 1.5],
        [0, 1.5, 3, 4.5],
    ]


def all_frames(path: Path) -> Frames:
    """Every frame that decodes in order, squashed to SIDE x SIDE."""
    scaler = Scaler(SIDE, SIDE, read_packets(path).display)
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return np.stack([scaler(frame) for frame in container.decode(video=0)])


def places(clips: RandomClips, everything: Frames) -> list[list[int]]:
    """Where in the video the frames of each clip are, exactly."""
    found = []
    for clip in clips.frames:
        at = [np.flatnonzero((everything == frame).all(axis=(1, 2, 3))) for frame in clip]
        assert all(len(where) == 1 for where in at), [where.tolist() for where in at]
        found.append([int(where[0]) for where in at])
    return found


def sampling(**values: object) -> ViewSampling:
    return ViewSampling.model_validate({"frames_per_clip": 4, "frame_size": SIDE, "fps": None, **values})


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
    views = [View(0.7, 1, 1), View(0.4, 1, 3), View(0.4, 3, 3)]
    clips = read_views(path, sampling(frames_per_clip=frames_per_clip), views)
    assert clips.frames.shape == (3, frames_per_clip, SIDE, SIDE, 3)
    assert clips.aspect == options.get("width", 96) / options.get("height", 64)  # type: ignore[operator]
    assert clips.advances
    wanted = view_positions(40, views, frames_per_clip).astype(int).tolist()
    assert places(clips, all_frames(path)) == wanted


def test_a_short_video_is_looped_and_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "short.mp4", num_frames=5)
    clips = read_views(path, sampling(frames_per_clip=8), TRIPLET)
    at = places(clips, all_frames(path))
    assert at == [[0, 1, 2, 3, 4, 0, 1, 2], [0, 1, 2, 3, 4, 0, 1, 2], [0, 2, 4, 1, 3, 0, 2, 4]]
    assert not clips.advances


def test_a_video_too_short_for_its_clips_is_told_even_where_its_loop_looks_like_a_clip(tmp_path: Path) -> None:
    path = make_video(tmp_path / "short.mp4", num_frames=7)
    clips = read_views(path, sampling(frame_step=4), [View(0, 4, 4)])
    assert places(clips, all_frames(path)) == [[0, 2, 4, 6]]  # 0 16 32 48, looped
    assert not clips.advances


def test_a_short_video_is_stretched_where_that_is_asked_for(tmp_path: Path) -> None:
    path = make_video(tmp_path / "short.mp4", num_frames=5)
    clips = read_views(path, sampling(stretches=True), TRIPLET)
    assert places(clips, all_frames(path))[1:] == [[0, 0, 1, 2], [0, 1, 2, 4]]  # a window of 7 frames made of 5
    assert not clips.advances


def test_a_video_of_one_frame_gives_clips_of_it(tmp_path: Path) -> None:
    path = make_video(tmp_path / "one.mp4", num_frames=1)
    clips = read_views(path, sampling(), TRIPLET)
    assert (clips.frames == all_frames(path)[0]).all()


def test_speeds_count_by_the_clock(tmp_path: Path) -> None:
    path = make_video(tmp_path / "fast.mp4", num_frames=60, fps=50)
    views = [View(0, 1, 1), View(0, 3, 3), View(0, 0.5, 0.5), View(0, 1.5, 1.5)]
    at = places(read_views(path, sampling(fps=25), views), all_frames(path))
    assert [set(np.diff(row)) for row in at] == [{2}, {6}, {1}, {3}]  # half of a step at 25 fps is a frame at 50


@pytest.mark.parametrize(("fps", "advances"), [(25, False), (12.5, True)])
def test_frames_repeated_by_the_clock_are_told(tmp_path: Path, fps: float, advances: bool) -> None:
    path = make_video(tmp_path / "slow.mp4", num_frames=40, fps=15)
    assert read_views(path, sampling(fps=fps), TRIPLET).advances is advances


def test_frames_of_a_turned_video_are_upright_and_so_is_its_aspect(tmp_path: Path) -> None:
    path = turned(make_video(tmp_path / "a.mp4", num_frames=30), 90)
    clips = read_views(path, sampling(), TRIPLET)
    assert clips.aspect == 64 / 96
    assert places(clips, all_frames(path)) == view_positions(30, TRIPLET, 4).astype(int).tolist()


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42 nothing")
    with pytest.raises(VideoError):
        read_views(tmp_path / "no.mp4", sampling(), TRIPLET)


def test_a_seed_decides_a_single_clip(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    single = SingleSampling(frames_per_clip=4, frame_size=SIDE, fps=None)
    one, again, another = (read_random_clip(path, single, (seed, 0)).frames for seed in (1, 1, 2))
    assert (one == again).all()
    assert not (one == another).all()


def test_a_single_clip_is_a_run_or_spans_the_whole_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    everything = all_frames(path)
    values = {"frames_per_clip": 5, "frame_size": SIDE, "fps": None}
    for seed in range(4):
        run = read_random_clip(path, SingleSampling(frame_step=2, **values), (seed,))
        assert run.frames.shape == (1, 5, SIDE, SIDE, 3)
        assert set(np.diff(places(run, everything)[0])) == {2}
        spread = places(read_random_clip(path, SingleSampling(span="segments", **values), (seed,)), everything)[0]
        assert [place // 8 for place in spread] == [0, 1, 2, 3, 4]


def test_clips_of_segments_look_at_the_whole_video(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", num_frames=40)
    whole = read_clips(path, ClipGeometry(num_clips=40, frames_per_clip=1, size=SIDE)).frames[:, 0]
    clips = read_clips(path, ClipGeometry(num_clips=2, frames_per_clip=4, size=SIDE, span="segments"))
    assert (clips.frames == whole[[[2, 12, 22, 32], [7, 17, 27, 37]]]).all()
