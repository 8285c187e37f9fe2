"""The real and hostile videos that lie beside the checkout, where they do."""

from pathlib import Path

import pytest

from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library


@pytest.mark.parametrize(("folder", "readable"), [("originals", 36), ("hostile", 20)])
def test_every_file_is_indexed_or_failed_with_a_reason(
    folder: str, readable: int, real_videos: Path, small_weights: Path, tmp_path: Path
) -> None:
    report = build_library(real_videos / folder, index=tmp_path / "index", weights=str(small_weights), device="cpu")
    assert report.indexed + report.reused + len(report.failed) == report.total
    assert report.indexed + report.reused >= readable
    assert all(len(failure.reason) > 10 for failure in report.failed)
    assert verify_library(tmp_path / "index", deep=True).problems == []


@pytest.mark.slow
def test_the_action_clips_are_all_indexed_and_find_themselves(
    real_videos: Path, small_weights: Path, tmp_path: Path
) -> None:
    actions = real_videos / "actions"
    report = build_library(actions, index=tmp_path, weights=str(small_weights), device="cpu")
    assert (report.layout, report.indexed, report.failed) == ("UCF101", 791, [])
    with Library.open(tmp_path, device="cpu") as library:
        for video in sorted(actions.rglob("*.mp4"))[::100]:
            assert library.search(video, top=1)[0].score == pytest.approx(1, abs=1e-3)
