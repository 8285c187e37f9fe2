from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import VideoError
from rspnet_core.video.reading import decode
from rspnet_core.video.reading.decode import probe, read_clips, read_poster
from rspnet_core.video.reading.decord_reader import reads_exactly
from rspnet_core.video.reading.pictures import Scaler, centre_square, scaled_size
from rspnet_core.video.reading.probe import read_packets
from rspnet_core.video.reading.pyav_reader import read_by_timestamp, seeks_exactly
from rspnet_core.video.sampling import even_clip_indices, resampled_indices
from tests.rspnet_core.video.made_videos import make_video, read_all_in_order, turned

DENSE = ClipGeometry(num_clips=4, frames_per_clip=16, size=64)
SPARSE = ClipGeometry(num_clips=3, frames_per_clip=3, frame_step=2, size=64)  # with gaps: decoders may seek

KINDS = {
    "long-groups.mp4": {"gop": 250},
    "b-frames.mp4": {"gop": 12, "options": {"bf": "3"}},
    "short-groups.mp4": {"gop": 2},
    "open-groups.mp4": {"gop": 10, "options": {"bf": "3", "x264-params": "open-gop=1"}},
    "open-groups.mkv": {"gop": 10, "options": {"bf": "3", "x264-params": "open-gop=1"}},
    "b-frames.mkv": {"gop": 12, "options": {"bf": "3"}},
    "intra.mov": {"gop": 1},
    "full-chroma.mp4": {"pixel_format": "yuv444p"},
    "ten-bits.mp4": {"pixel_format": "yuv420p10le"},
    "odd-size.mp4": {"width": 111, "height": 75, "pixel_format": "yuv444p"},
    "portrait.mp4": {"width": 64, "height": 100},
    "b-frames.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
    "mpeg4.mp4": {"codec": "mpeg4", "options": {"bf": "2"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:pools=none"}},
    "hevc-closed.mkv": {"codec": "libx265", "options": {"x265-params": "log-level=none:open-gop=0:pools=none"}},
    "vp8.webm": {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "10", "deadline": "realtime"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"lag-in-frames": "10", "deadline": "realtime", "cpu-used": "8"}},
    "stream.ts": {},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"bf": "2"}},
    "picture.gif": {"codec": "gif", "pixel_format": "rgb8"},
    "variable.mp4": {"pts": np.cumsum([1 + i % 3 for i in range(60)]).tolist()},
    "one-frame.mp4": {"num_frames": 1},
    "five-frames.avi": {"num_frames": 5, "codec": "mpeg4"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for name, settings in KINDS.items():
        make_video(folder / name, **settings)
    return folder


IN_ORDER = ("b-frames.avi", "mpeg4.mp4", "stream.ts", "mpeg2.mpg", "picture.gif", "five-frames.avi")


def clips_of(frames: np.ndarray, geometry: ClipGeometry) -> np.ndarray:
    return frames[even_clip_indices(len(frames), geometry.num_clips, geometry.frames_per_clip, geometry.frame_step)]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("geometry", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_frames_are_those_of_reading_in_order(made, name, geometry):
    frames = read_all_in_order(made / name, geometry.size)
    clips = read_clips(made / name, geometry)
    np.testing.assert_array_equal(clips.frames, clips_of(frames, geometry))
    assert clips.info.num_frames == len(frames)


def test_each_way_of_reading_is_taken_where_it_is_right(made):
    def way(name: str) -> str:
        packets = read_packets(made / name)
        return "decord" if reads_exactly(packets, 64) else "seek" if seeks_exactly(packets) else "in order"

    with_decord = {"long-groups.mp4", "b-frames.mp4", "b-frames.mkv", "intra.mov", "variable.mp4", "one-frame.mp4"}
    with_seeks = {"ten-bits.mp4", "full-chroma.mp4", "hevc.mp4", "vp9.webm", "open-groups.mp4", "open-groups.mkv"}
    assert {way(name) for name in with_decord} == {"decord"}
    assert {way(name) for name in with_seeks} == {"seek"}
    assert {way(name) for name in IN_ORDER} == {"in order"}


@pytest.mark.parametrize("name", ["b-frames.mp4", "long-groups.mp4", "variable.mp4"])
def test_pyav_with_seeks_gives_the_bytes_that_decord_gives(made, name, monkeypatch):
    with_decord = read_clips(made / name, DENSE).frames
    monkeypatch.setattr(decode, "READERS", decode.READERS[1:])
    np.testing.assert_array_equal(read_clips(made / name, DENSE).frames, with_decord)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in IN_ORDER])
def test_any_choice_of_frames_is_right_by_timestamp(made, name):
    frames = read_all_in_order(made / name, 64)
    packets = read_packets(made / name)
    scaler = Scaler(*scaled_size(packets.stored_width, packets.stored_height, short_side=64))
    rng = np.random.default_rng(0)
    for _ in range(6):
        wanted = np.unique(rng.integers(0, len(frames), rng.integers(1, 6)))
        read = read_by_timestamp(made / name, packets, wanted, lambda frame: centre_square(scaler(frame)))
        assert sorted(read) == wanted.tolist()
        np.testing.assert_array_equal([read[index] for index in wanted], frames[wanted])


def test_a_long_video_is_decoded_only_where_its_clips_are(tmp_path):
    path = make_video(tmp_path / "long.mp4", num_frames=400, gop=20)
    geometry = ClipGeometry(num_clips=3, frames_per_clip=4, size=64)
    whole = read_clips(path, geometry).frames
    np.testing.assert_array_equal(whole, clips_of(read_all_in_order(path, 64), geometry))
    content = bytearray(path.read_bytes())
    quarter = len(content) // 4
    content[quarter : quarter + 2000] = bytes(2000)  # frames that no clip needs
    path.write_bytes(content)
    assert len(read_all_in_order(path, 64)) < 200
    np.testing.assert_array_equal(read_clips(path, geometry).frames, whole)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_respected(tmp_path, degrees):
    plain = make_video(tmp_path / "plain.mp4")
    video = turned(plain, degrees)
    info = probe(video)
    assert info.rotation_degrees == degrees
    assert (info.width, info.height) == ((64, 96) if degrees % 180 else (96, 64))
    expected = np.rot90(read_clips(plain, DENSE).frames, k=degrees // 90, axes=(2, 3))
    np.testing.assert_array_equal(read_clips(video, DENSE).frames, expected)
    assert read_poster(video, 48).shape == ((48, 32, 3) if degrees % 180 else (48, 72, 3))


def test_probe_tells_what_the_video_is(made):
    info = probe(made / "b-frames.mp4")
    assert (info.width, info.height, info.num_frames, info.codec, info.container) == (96, 64, 60, "h264", "mov")
    assert info.fps == 25 and info.duration_seconds == pytest.approx(2.4)


def test_spans_are_the_clips_times(made):
    clips = read_clips(made / "long-groups.mp4", DENSE)
    starts = even_clip_indices(60, 4, 16)[:, 0] / 25
    np.testing.assert_allclose(clips.spans_seconds, np.stack([starts, starts + 16 / 25], axis=1))
    looped = read_clips(made / "five-frames.avi", DENSE)
    np.testing.assert_allclose(looped.spans_seconds, [[0, 5 / 25]] * 4)


def test_resampling_follows_timestamps(made):
    frames = read_all_in_order(made / "variable.mp4", 64)
    times = np.cumsum([1 + i % 3 for i in range(60)]) / 25
    source = resampled_indices(times - times[0], 10)
    clips = read_clips(made / "variable.mp4", DENSE.model_copy(update={"fps": 10.0}))
    np.testing.assert_array_equal(clips.frames, frames[source[even_clip_indices(len(source), 4, 16)]])


def test_a_part_of_a_video_is_read_alone(made):
    for name in ("long-groups.mp4", "b-frames.avi"):
        frames = read_all_in_order(made / name, 64)
        clips = read_clips(made / name, SPARSE, start_seconds=0.8, end_seconds=1.6)
        np.testing.assert_array_equal(clips.frames, clips_of(frames[20:40], SPARSE))
        assert clips.spans_seconds[0, 0] == pytest.approx(0.8) and clips.spans_seconds[-1, 1] == pytest.approx(1.6)


@pytest.mark.parametrize(("start", "end"), [(2.4, None), (99, 100), (1, 1), (1.5, 0.5), (-1, 1)])
def test_a_part_outside_of_the_video_is_refused(made, start, end):
    with pytest.raises(VideoError, match=r"the video lasts 2\.40 s"):
        read_clips(made / "long-groups.mp4", DENSE, start_seconds=start, end_seconds=end)


def test_the_poster_is_the_middle_frame(made):
    poster = read_poster(made / "long-groups.mp4", 64)
    assert poster.shape == (64, 96, 3)
    np.testing.assert_array_equal(poster[:, 16:80], read_all_in_order(made / "long-groups.mp4", 64)[30])


def test_the_flagged_one_of_two_video_streams_is_the_video(tmp_path):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = []
        for width, level in ((64, 50), (128, 200)):
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, 64, "yuv420p"
            streams.append((stream, np.full((64, width, 3), level, np.uint8)))
        for _ in range(20):
            for stream, pixels in streams:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream, _ in streams:
            container.mux(stream.encode())
    clips = read_clips(path, DENSE)
    assert clips.info.width == 64
    assert abs(int(clips.frames.mean()) - 50) < 4


def test_a_cut_file_gives_what_decodes_or_a_reason(tmp_path):
    whole = make_video(tmp_path / "whole.avi", codec="mpeg4").read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: len(whole) // 2])
    frames = read_all_in_order(cut, 64)
    assert 1 <= len(frames) < 60
    np.testing.assert_array_equal(read_clips(cut, DENSE).frames, clips_of(frames, DENSE))
    whole = make_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # its index stood at the end
    with pytest.raises(VideoError, match="damaged or cut off"):
        read_clips(tmp_path / "cut.mp4", DENSE)


@pytest.mark.parametrize("name", ["a\nb.mp4", "-rf.mp4", "http:x.mp4", "%d.mp4", "concat:a|b.mp4", "é" * 100 + ".mp4"])
def test_odd_names_are_only_names(tmp_path, made, name):
    path = tmp_path / name
    path.write_bytes((made / "b-frames.mp4").read_bytes())
    assert read_clips(path, DENSE).info.num_frames == 60


def test_a_name_that_ffmpeg_takes_for_a_pattern_opens_no_other_file(tmp_path):
    secret = tmp_path / "outside" / "secret.jpg"
    secret.parent.mkdir()
    Image.new("RGB", (128, 128), (255, 0, 255)).save(secret)
    path = tmp_path / "inside" / "clip%d.jpg"
    path.parent.mkdir()
    video = make_video(tmp_path / "video.mp4", num_frames=20, width=128, height=128)
    frames = read_all_in_order(video, 64)
    video.rename(path)
    for number in range(20):
        path.with_name(f"clip{number}.jpg").symlink_to(secret)
    assert reads_exactly(read_packets(path), 64)  # but for its name
    np.testing.assert_array_equal(read_clips(path, DENSE).frames, clips_of(frames, DENSE))


def test_a_name_that_is_not_utf_8_is_read_too(tmp_path, made):
    path = tmp_path / b"caf\xe9.mp4".decode("utf-8", "surrogateescape")
    path.write_bytes((made / "b-frames.mp4").read_bytes())
    assert read_clips(path, DENSE).info.num_frames == 60


def test_a_relative_path_is_read(made, monkeypatch):
    monkeypatch.chdir(made)
    assert read_clips("b-frames.mp4", DENSE).info.num_frames == 60


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match="no video stream"):
        read_clips(path, DENSE)


@pytest.mark.slow
def test_real_videos_are_read_as_in_order(real_videos):
    geometries = (ClipGeometry(num_clips=10, size=64), ClipGeometry(num_clips=4, frames_per_clip=3, size=64))
    num_read = 0
    for path in [*sorted(real_videos.glob("originals/*/*")), *sorted((real_videos / "hostile").iterdir())]:
        try:
            clips = [read_clips(path, geometry) for geometry in geometries]
        except VideoError as error:
            assert str(error)
            continue
        frames = read_all_in_order(path, 64)
        turns = clips[0].info.rotation_degrees // 90
        assert turns == 0 or path.name.startswith(("video_", "rotated"))
        for geometry, read in zip(geometries, clips, strict=True):
            np.testing.assert_array_equal(read.frames, clips_of(frames, geometry), err_msg=path.name)
        num_read += 1
    assert num_read >= 50
