"""The table of containers, by measured truth: each suffix that counts as a video's is written, and read."""

from pathlib import Path

import numpy as np
import pytest

from indexer.ingest.build import build_library
from rspnet_core.config import ClipGeometry
from rspnet_core.video.datasets.tree import walk
from rspnet_core.video.reading.containers import CONTAINERS, VIDEO_SUFFIXES
from rspnet_core.video.reading.decode import read_clips
from tests.conftest import REPOSITORY
from tests.rspnet_core.video.ffmpeg_oracle import ffmpeg, mean_difference, needs_ffmpeg, shown, write

CLIPS = ClipGeometry(num_clips=1, frames_per_clip=4, size=64)
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
X265 = ("-c:v", "libx265", "-x265-params", "log-level=none:pools=none")
MPEG1, MPEG2, MPEG4 = ("-c:v", "mpeg1video"), ("-c:v", "mpeg2video"), ("-c:v", "mpeg4")
THEORA = ("-c:v", "libtheora")
DV = ("-c:v", "dvvideo", "-pix_fmt", "yuv420p", "-s", "720x576")
REAL = ("-c:v", "rv20", "-s", "128x96", "-f", "rm")
WRITTEN = {
    "mov": {
        **dict.fromkeys((".mp4", ".m4v", ".mov", ".f4v"), H264),
        **dict.fromkeys((".3gp", ".3g2"), ("-c:v", "mpeg4", "-s", "128x96")),
        ".mj2": ("-c:v", "mpeg4", "-f", "mp4"),
    },
    "matroska": {
        ".mkv": H264,
        ".mk3d": (*H264, "-f", "matroska"),
        ".webm": ("-c:v", "libvpx", "-deadline", "realtime"),
    },
    "avi": {".avi": MPEG4, ".divx": (*MPEG4, "-f", "avi")},
    "mpegts": {".ts": H264, ".mts": H264, ".m2ts": H264, ".m2t": H264},
    "mpeg": {".mpg": MPEG1, ".mpeg": MPEG1, ".mpe": (*MPEG1, "-f", "mpeg"), ".vob": MPEG2},
    "mpegvideo": {".m1v": MPEG1, ".m2v": MPEG2},
    "flv": {".flv": ("-c:v", "flv")},
    "asf": {".wmv": ("-c:v", "wmv2"), ".asf": ("-c:v", "wmv2")},
    "ogg": {".ogv": THEORA, ".ogm": (*THEORA, "-f", "ogg"), ".ogg": THEORA},
    "gif": {".gif": ()},
    "ivf": {".ivf": ("-c:v", "libvpx", "-deadline", "realtime")},
    "mxf": {".mxf": MPEG2},
    "rm": {".rm": REAL, ".rmvb": REAL},
    "yuv4mpegpipe": {".y4m": ("-pix_fmt", "yuv420p")},
    "dv": {".dv": DV, ".dif": (*DV, "-f", "dv")},
    "nut": {".nut": MPEG4},
    "wtv": {".wtv": MPEG2},
    "mjpeg": {".mjpeg": (), ".mjpg": ("-f", "mjpeg")},
    "h264": {".h264": H264, ".264": H264},
    "hevc": {".hevc": X265, ".h265": X265, ".265": X265},
    "m4v": {".mp4v": (*MPEG4, "-f", "m4v"), ".m4v": (*MPEG4, "-f", "m4v")},
    "obu": {".obu": ("-c:v", "libaom-av1", "-cpu-used", "8", "-usage", "realtime", "-f", "obu")},
}
"""Demuxer -> suffix -> how ffmpeg writes it."""

pytestmark = needs_ffmpeg


def test_every_suffix_of_the_table_is_measured():
    assert WRITTEN.keys() == {container.demuxer for container in CONTAINERS}
    assert {suffix for kinds in WRITTEN.values() for suffix in kinds} >= VIDEO_SUFFIXES


def test_the_docs_show_the_table():
    page = (REPOSITORY / "docs/videos.md").read_text()
    for container in CONTAINERS:
        suffixes = " ".join(f"`{suffix}`" for suffix in container.suffixes) or "any"
        assert f"| {container.title} | {suffixes} |" in page


@pytest.mark.parametrize("demuxer", WRITTEN)
def test_what_counts_as_a_video_is_read(tmp_path, demuxer):
    for suffix, how in WRITTEN[demuxer].items():
        path = write(tmp_path / f"a{suffix}", *how, frames=6)
        assert list(walk(tmp_path).videos) == [path.name]
        clips = read_clips(path, CLIPS)
        assert clips.info.container == demuxer
        assert mean_difference(clips.frames[0], shown(path, 64)[:4]) < 1, suffix
        path.unlink()


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("stream") / "a.ts"
    return write(path, *MPEG2, "-g", "4", frames=16).read_bytes()


@pytest.mark.parametrize("start", [1, 100, 187, 188 + 50])
@pytest.mark.parametrize("suffix", [".ts", ""])
def test_a_transport_stream_may_start_inside_a_packet(tmp_path, stream, start, suffix):
    path = tmp_path / f"recording{suffix}"
    path.write_bytes(stream[start:])
    assert list(walk(tmp_path).videos) == [path.name]
    assert read_clips(path, CLIPS).info.num_frames >= 8


@pytest.mark.parametrize("start", [0, 77])
def test_packets_of_204_bytes_are_read(tmp_path, stream, start):
    path = tmp_path / "recording"
    padded = b"".join(stream[at : at + 188] + bytes(16) for at in range(0, len(stream), 188))
    path.write_bytes(padded[start:])
    assert list(walk(tmp_path).videos) == [path.name]
    assert read_clips(path, CLIPS).info.num_frames >= 8


def write_sound(folder: Path) -> list[str]:
    """Sound, subtitles and photographs under names and in containers that videos have too."""
    sine = ("-f", "lavfi", "-i", "sine", "-t", "0.5")
    for name, codec in (("a.ogg", "libvorbis"), ("b.mp4", "aac"), ("c.mkv", "aac"), ("d.webm", "libopus"),
                        ("e.ts", "mp2"), ("f.wmv", "wmav2"), ("g.mp3", "libmp3lame"), ("h.m4a", "aac")):  # fmt: skip
        ffmpeg(*sine, "-c:a", codec, folder / name)
    for brand in (b"crx ", b"heic", b"mif1", b"avif"):
        name = folder / f"IMG_{brand.decode().strip()}.photo"
        name.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\1mif1heic" + bytes(2000))
    (folder / "index.ts").write_text("export const answer = 42;\n")
    (folder / "film.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", folder / "photo.jpg")
    return ["b.mp4", "c.mkv", "d.webm", "e.ts", "f.wmv"]


def test_sound_photographs_and_sidecars_are_no_videos_that_failed(tmp_path, small_weights):
    data = tmp_path / "data"
    data.mkdir()
    opened = write_sound(data)
    write(data / "film.mp4", *H264)
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", data / "one-frame.gif")
    for _ in range(2):
        report = build_library(data, index=tmp_path / "index", weights=str(small_weights), device="cpu")
        assert report.failed == [] and report.total == 2
        assert sorted(file.path for file in report.passed_over) == opened
    assert report.skipped == 2


def test_a_damaged_video_still_fails(tmp_path, small_weights):
    write(tmp_path / "ok.mp4", *H264)
    for name in ("zeros.dv", "zeros.ts", "zeros.mjpeg", "zeros.mp4"):
        (tmp_path / name).write_bytes(np.zeros(5000, np.uint8).tobytes())
    report = build_library(tmp_path, weights=str(small_weights), device="cpu")
    assert len(report.failed) == 4 and report.passed_over == []
