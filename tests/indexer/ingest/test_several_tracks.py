"""A build says which video track of a file it took."""

from pathlib import Path

from indexer.cli.console import build_lines
from indexer.ingest.build import build_library
from tests.rspnet_core.video.ffmpeg_oracle import needs_ffmpeg
from tests.rspnet_core.video.reading.test_tracks import write_tracks


@needs_ffmpeg
def test_files_with_several_video_tracks_are_named_with_the_one_that_is_taken(tmp_path: Path) -> None:
    write_tracks(tmp_path / "two.mkv", "red:64x48", "lime:128x96")
    write_tracks(tmp_path / "one.mkv", "red:64x48")
    report = build_library(tmp_path, backbone="energy", device="cpu")
    note = "1 files hold several video tracks, one is indexed: two.mkv track 2 of 2"
    assert note in report.to_json()["notes"]
    assert f"note: {note}" in build_lines(report, tmp_path)
    assert note not in build_library(tmp_path, device="cpu").to_json()["notes"]  # nothing was decoded
