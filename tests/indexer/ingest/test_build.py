import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import Catalogue, video_key
from indexer.index.lock import WriterLock
from indexer.ingest.build import build_library
from indexer.ingest.report import BuildReport
from indexer.retrieval.filters import Filters, keys_that_pass
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library
from rspnet_core.errors import (
    DatasetError,
    DeviceUnavailable,
    EncoderMismatch,
    InvalidSetting,
    LibraryBusy,
    LibraryError,
    NothingMatches,
    WeightsError,
)
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.scenes import Look, render


@pytest.fixture
def build(few_videos: Path, small_weights: Path):
    def run(**settings: object) -> BuildReport:
        return build_library(few_videos, **({"weights": str(small_weights), "device": "cpu"} | settings))

    return run


def ids_and_vectors(data: Path) -> dict[str, bytes]:
    with Library.open(data, device="cpu") as library:
        rows = list(library.catalogue.videos(status="indexed"))
        return {row.path: library.catalogue.video_vector(row.id).tobytes() for row in rows}


def test_second_build_embeds_nothing(build, few_videos: Path) -> None:
    first, second = build(), build()
    assert (first.indexed, first.skipped, first.failed) == (4, 0, [])
    assert (second.indexed, second.skipped, second.dropped) == (0, 4, 0)
    with Library.open(few_videos, device="cpu") as library:
        assert library.info()["generation"] == 1


def test_only_what_changed_is_embedded_and_what_is_gone_is_dropped(build, few_videos: Path) -> None:
    build()
    before = ids_and_vectors(few_videos)
    first, second, third, fourth = sorted(few_videos.rglob("*.mp4"))
    shutil.copy(fourth, first)
    second.unlink()
    report = build()
    assert (report.indexed + report.reused, report.skipped, report.dropped) == (1, 2, 1)
    after = ids_and_vectors(few_videos)
    names = [str(path.relative_to(few_videos)) for path in (first, second, third, fourth)]
    assert after.keys() == before.keys() - {names[1]}
    assert after[names[0]] == before[names[3]] != before[names[0]]


def test_a_touched_file_of_the_same_content_is_not_embedded_again(build, few_videos: Path) -> None:
    build()
    for video in few_videos.rglob("*.mp4"):
        os.utime(video, (1, 1))
    report = build()
    assert (report.indexed, report.skipped) == (0, 4)


def test_a_renamed_file_keeps_its_vectors_and_takes_the_label_of_its_new_folder(build, few_videos: Path) -> None:
    build()
    before = set(ids_and_vectors(few_videos).values())
    later = datetime.now(UTC)
    video = next(few_videos.rglob("*.mp4"))
    (few_videos / "Renamed").mkdir()
    video.rename(few_videos / "Renamed" / "v_Renamed_g09_c01.mp4")
    report = build()
    assert (report.indexed, report.reused, report.dropped) == (0, 1, 1)
    assert set(ids_and_vectors(few_videos).values()) == before
    with Library.open(few_videos, device="cpu") as library:
        assert [row.label for row in library.catalogue.videos() if row.path == "Renamed/v_Renamed_g09_c01.mp4"] == [
            "Renamed"
        ]
        with pytest.raises(NothingMatches):
            keys_that_pass(library.catalogue, Filters(added_since=later))


def test_only_what_was_not_there_before_is_added_since_then(build, few_videos: Path) -> None:
    build()
    later = datetime.now(UTC)
    one, other, *_ = sorted(few_videos.rglob("*.mp4"))
    shutil.copy(one, few_videos / "copy.mp4")
    write_video(
        other, render("Spin", Look.of_group(7, seed=1), playback_speed=1, phase=0.3, num_frames=20, fps=25), fps=25
    )
    build()
    with Library.open(few_videos, device="cpu") as library:
        keys = keys_that_pass(library.catalogue, Filters(added_since=later))
        assert keys is not None
        assert [row.path for row in library.catalogue.videos() if video_key(row.id) in keys] == ["copy.mp4"]


def test_unreadable_files_are_failures_with_reasons_and_are_tried_again(build, few_videos: Path) -> None:
    broken = few_videos / "broken.mp4"
    broken.write_text("not a video")
    os.mkfifo(few_videos / "pipe.mp4")
    for _ in range(2):
        report = build()
        reasons = {failure.path: failure.reason for failure in report.failed}
        assert reasons.keys() == {"broken.mp4", "pipe.mp4"}
        assert "not a regular file" in reasons["pipe.mp4"]
        assert "not a video" in reasons["broken.mp4"]
    shutil.copy(next((few_videos / "Bounce").glob("*.mp4"), sorted(few_videos.rglob("v_*.mp4"))[0]), broken)
    report = build()
    assert report.indexed + report.reused == 1


@pytest.mark.parametrize("name", ["-rf.mp4", "new\nline.mp4", "<img src=x onerror=alert(1)>.mp4", "é" * 100 + ".mp4"])
def test_odd_names_are_indexed_and_found(build, few_videos: Path, name: str) -> None:
    next(few_videos.rglob("*.mp4")).rename(few_videos / name)
    assert build().indexed == 4
    with Library.open(few_videos, device="cpu") as library:
        hit = library.search(few_videos / name, top=1)[0]
        assert (Path(hit.path).name, hit.score) == (name, pytest.approx(1, abs=1e-3))


def test_a_name_that_is_not_utf8_is_indexed(build, few_videos: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe.mp4")
    next(few_videos.rglob("*.mp4")).rename(few_videos / odd)
    assert build().indexed == 4
    assert odd in ids_and_vectors(few_videos)


def test_ctrl_c_publishes_what_is_done_and_the_next_build_goes_on(
    build, few_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.ingest.committer.VIDEOS_PER_COMMIT", 1)  # a fast machine would store all at once

    def stop_at_two(report: BuildReport) -> None:
        if report.indexed == 2:
            raise KeyboardInterrupt

    stopped = build(progress=stop_at_two)
    assert (stopped.interrupted, stopped.indexed) == (True, 2)
    with Library.open(few_videos, device="cpu") as library:
        assert len(library.search(next(few_videos.rglob("*.mp4")), top=5)) == 2
    assert verify_library(few_videos).problems == []
    rest = build()
    assert (rest.indexed, rest.skipped, rest.interrupted) == (2, 2, False)


def test_a_library_keeps_its_encoder_when_none_is_named(build, few_videos: Path) -> None:
    build()
    before = ids_and_vectors(few_videos)
    shutil.copy(next(few_videos.rglob("*.mp4")), few_videos / "copy.mp4")
    build_library(few_videos, device="cpu")
    assert ids_and_vectors(few_videos).items() >= before.items()


def test_a_build_killed_while_the_weights_are_kept_leaves_no_record_without_weights(
    build, few_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("indexer.ingest.build.save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            build()
    with Catalogue.open(few_videos / ".rspnet" / "catalogue.sqlite", write=False) as catalogue:
        assert catalogue.encoder() is None
    assert build().indexed == 4


def test_vectors_of_two_encoders_never_mix(build, few_videos: Path) -> None:
    build()
    with pytest.raises(EncoderMismatch, match="--index"):
        build(pooling="mean")
    with pytest.raises(EncoderMismatch):
        build(fps=25.0)


def test_two_data_folders_share_one_library(few_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(few_videos, other)
    index = tmp_path / "index"
    for data in (few_videos, other, few_videos):
        report = build_library(data, index=index, weights=str(small_weights), device="cpu")
        assert report.dropped == 0
    with Library.open(index, device="cpu") as library:
        assert library.info()["videos"]["indexed"] == 8


def test_a_second_writer_is_told_who_writes(build, few_videos: Path) -> None:
    build()
    with WriterLock(few_videos / ".rspnet"), pytest.raises(LibraryBusy, match=str(os.getpid())):
        build()


def test_mistakes_are_named_before_anything_is_written(few_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("mine")
    weights = str(small_weights)
    mistakes = [
        (DatasetError, {"data": empty, "weights": weights}),
        (DatasetError, {"data": tmp_path / "absent", "weights": weights}),
        (DeviceUnavailable, {"data": few_videos, "weights": weights, "device": "cuda:99"}),
        (DeviceUnavailable, {"data": few_videos, "weights": weights, "device": "tpu"}),
        (InvalidSetting, {"data": few_videos, "weights": weights, "index": full}),
        (LibraryError, {"data": few_videos, "weights": weights, "index": full / "letter.txt"}),
        (WeightsError, {"data": few_videos, "weights": str(full / "letter.txt")}),
    ]
    for error, settings in mistakes:
        with pytest.raises(error):
            build_library(**settings)
    assert [path.name for path in full.iterdir()] == ["letter.txt"]
    assert not list(empty.iterdir())


@pytest.mark.slow
def test_a_ray_cluster_builds_the_same_library(build, few_videos: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (few_videos / "bad.mp4").write_text("hello")
    build()
    report = build(index=tmp_path / "ray", engine_name="ray", workers=1)
    assert (report.indexed, len(report.failed)) == (4, 1)
    assert ids_and_vectors(tmp_path / "ray") == ids_and_vectors(few_videos)
