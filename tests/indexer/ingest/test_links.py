"""Links that leave the data folder: refused, allowed by folder, and never swapped between check and reading."""

import os
import shutil
from pathlib import Path

import pytest

from indexer.ingest.build import build_library
from indexer.ingest.report import BuildReport
from rspnet_core.config import ClipGeometry
from rspnet_core.video.datasets import dataset
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest


@pytest.fixture
def snapshot(sample_videos: Path, tmp_path: Path) -> Path:
    """A folder of links to blobs without a suffix, as hubs keep them; two are the same blob."""
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshots" / "1"
    folder.mkdir(parents=True)
    blobs.mkdir()
    first, second = sorted(sample_videos.rglob("*.mp4"))[:2]
    shutil.copyfile(first, blobs / "0f3a")
    shutil.copyfile(second, tmp_path / "secret.mp4")
    for name, target in {"a.mp4": "../../blobs/0f3a", "b.mp4": blobs / "0f3a", "c.mp4": "../../secret.mp4"}.items():
        (folder / name).symlink_to(target)
    return folder


def build(folder: Path, weights: Path, *allowed: Path) -> BuildReport:
    return build_library(folder, weights=str(weights), device="cpu", follow_links=allowed)


def test_links_are_refused_with_the_way_out_and_read_below_a_folder_that_is_named(
    snapshot: Path, small_weights: Path
) -> None:
    refused = build(snapshot, small_weights)
    assert refused.indexed == 0 and [failure.path for failure in refused.failed] == ["a.mp4", "b.mp4", "c.mp4"]
    assert all("--follow-links FOLDER" in failure.reason for failure in refused.failed)
    allowed = build(snapshot, small_weights, snapshot / ".." / ".." / "blobs")
    assert allowed.indexed == 2
    assert [failure.path for failure in allowed.failed] == ["c.mp4"]
    assert build(snapshot, small_weights, snapshot.parents[1] / "blobs").skipped == 2


def test_a_link_that_is_turned_after_the_check_shows_what_was_checked(
    snapshot: Path, small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = dataset.scan

    def turned(*arguments: object, **options: object) -> dataset.Dataset:
        found = scan(*arguments, **options)
        (snapshot / "a.mp4").unlink()
        (snapshot / "a.mp4").symlink_to("../../secret.mp4")
        return found

    monkeypatch.setattr("indexer.ingest.build.scan", turned)
    report = build(snapshot, small_weights, snapshot.parents[1] / "blobs")
    assert (report.indexed, [failure.path for failure in report.failed]) == (2, ["c.mp4"])
    blob = (snapshot.parents[1] / "blobs" / "0f3a").stat()
    from indexer.retrieval.library import Library

    with Library.open(snapshot, device="cpu") as library:
        assert {video.size_bytes for video in library.catalogue.videos(status="indexed")} == {blob.st_size}


def test_a_file_whose_place_a_link_took_is_not_read(snapshot: Path) -> None:
    geometry = ClipGeometry(num_clips=1, frames_per_clip=2, frame_step=1, size=32)
    link = Path(os.path.realpath(snapshot)) / "a.mp4"
    with DecodePool(1) as pool:
        (result,) = pool.map([DecodeRequest(link, geometry, hash_content=True, opened=link)])
    assert (result.clips, result.error) == (None, "a symbolic link took its place after it was checked")
