"""Files that were cut: what decodes is read, and what is missing is said, in each container that declares a length."""

from pathlib import Path

import pytest

from indexer.cli.tables import info_table
from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library
from rspnet_core.config import ClipGeometry
from rspnet_core.video.reading.decode import read_clips
from tests.rspnet_core.video.ffmpeg_oracle import ffmpeg, needs_ffmpeg, write

CLIPS = ClipGeometry(num_clips=2, frames_per_clip=2, size=32)
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10")
KINDS = {
    "a.mp4": (*H264, "-movflags", "+faststart"),
    "a.mov": (*H264, "-movflags", "+faststart"),
    "a.mkv": H264,
    "a.webm": ("-c:v", "libvpx", "-deadline", "realtime"),
    "a.avi": ("-c:v", "mpeg4"),
    "a.flv": ("-c:v", "flv"),
    "a.wmv": ("-c:v", "wmv2"),
    "a.mxf": ("-c:v", "mpeg2video"),
    "a.rm": ("-c:v", "rv20", "-s", "128x96"),
    "a.ivf": ("-c:v", "libvpx", "-deadline", "realtime"),
}

pytestmark = needs_ffmpeg


def cut(path: Path, share: float = 0.35) -> Path:
    """Cut the file itself to a share of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_cut_file_is_read_as_far_as_it_goes_and_says_so(tmp_path, name):
    path = write(tmp_path / name, *KINDS[name], frames=100)
    whole = read_clips(path, CLIPS).info
    assert (whole.num_frames, whole.shortfall) == (100, None)
    info = read_clips(cut(path), CLIPS).info
    assert 10 <= info.num_frames <= 60
    assert info.shortfall == f"partial: declared 100 frames, found {info.num_frames}"


@pytest.mark.parametrize("suffix", ["mkv", "flv", "wmv", "mp4"])
def test_a_video_that_ends_before_its_sound_is_whole(tmp_path, suffix):
    picture = ("-f", "lavfi", "-i", "color=red:s=64x48:r=25:d=1")
    path = tmp_path / f"a.{suffix}"
    ffmpeg(*picture, "-f", "lavfi", "-i", "sine=d=4", *(H264 if suffix in ("mkv", "mp4") else ()), path)
    info = read_clips(path, CLIPS).info
    assert info.num_frames == 25 and info.shortfall is None


def test_frames_that_avi_repeats_by_empty_packets_are_not_missing(tmp_path):
    slow = ("-vf", "select=not(mod(n\\,10))", "-vsync", "vfr", "-c:v", "mpeg4")
    path = write(tmp_path / "a.avi", *slow, frames=10)
    assert read_clips(path, CLIPS).info.shortfall is None


def test_a_partial_video_is_indexed_and_named_everywhere(tmp_path, small_weights):
    data = tmp_path / "data"
    data.mkdir()
    cut(write(data / "cut.mp4", *KINDS["a.mp4"], frames=100))
    write(data / "whole.mp4", *H264)
    report = build_library(data, weights=str(small_weights), device="cpu")
    assert (report.indexed, report.failed) == (2, [])
    said = {file.path: file.reason for file in report.partial}
    assert said.keys() == {"cut.mp4"} and said["cut.mp4"].startswith("partial: declared 100 frames, found ")
    copy = data / "copy.mp4"
    copy.write_bytes((data / "cut.mp4").read_bytes())
    assert build_library(data, weights=str(small_weights), device="cpu").reused == 1
    with Library.open(data / ".rspnet", device="cpu") as library:
        assert library.info()["videos"] == {"indexed": 3, "failed": 0, "total": 3, "partial": 2}
        assert [row.path for row in library.catalogue.partial()] == ["copy.mp4", "cut.mp4"]
        assert info_table(library.info(), library.catalogue.partial()).row_count > 2
    verdict = verify_library(data / ".rspnet")
    assert verdict.problems == [] and f"cut.mp4: {said['cut.mp4']}" in verdict.notes
