import os
from hashlib import sha256
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.ingest.plan import plan_build
from rspnet_core.errors import DatasetError
from rspnet_core.video.datasets.dataset import Dataset, VideoFile
from tests.indexer.storage import ENCODER, make_entry, make_vectors


def library_of(folder: Path, names: list[str]) -> Catalogue:
    """A catalogue in which the files of ``folder`` stand as they are now."""
    catalogue = Catalogue.open(folder / "catalogue.sqlite", write=True)
    catalogue.set_encoder(ENCODER)
    root_id = catalogue.root_id(str(folder))
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
        status = (folder / name).stat()
        entry = make_entry(name, root_id=root_id, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
        catalogue.commit_indexed(entry, make_vectors(seed))
    return catalogue


def dataset_of(names: list[str], **facts: object) -> Dataset:
    return Dataset("flat folder", [VideoFile(name, None, None, {}) for name in names], [], **facts)


def test_videos_below_an_unreadable_folder_are_not_taken_for_gone(tmp_path: Path) -> None:
    with library_of(tmp_path, ["open/a.mp4", "locked/b.mp4", "c.mp4"]) as catalogue:
        plan = plan_build(dataset_of(["c.mp4"], unreadable=["locked/"]), tmp_path, 1, catalogue)
        assert plan.gone == [make_entry("open/a.mp4").id]
        assert plan.unchanged == 1


@pytest.mark.timeout(30)
def test_what_took_a_files_place_after_the_scan_is_refused_with_a_reason(tmp_path: Path) -> None:
    with library_of(tmp_path, ["a.mp4"]) as catalogue:
        catalogue.commit_indexed(make_entry("empty.mp4", size_bytes=0), make_vectors(7))
        os.mkfifo(tmp_path / "pipe.mp4")  # of a known size, so its content would be compared
        plan = plan_build(dataset_of(["a.mp4", "pipe.mp4"]), tmp_path, 1, catalogue)
        assert [(entry.path, reason) for entry, reason in plan.refused] == [("pipe.mp4", "not a regular file")]
        assert (plan.unchanged, plan.embed) == (1, [])


def test_a_changed_label_or_split_is_updated_without_embedding(tmp_path: Path) -> None:
    with library_of(tmp_path, ["a.mp4"]) as catalogue:
        for file in (VideoFile("a.mp4", "New", None, {}), VideoFile("a.mp4", None, None, {1: "test"})):
            plan = plan_build(Dataset("x", [file], []), tmp_path, 1, catalogue)
            assert ([entry.path for entry in plan.update], plan.embed) == (["a.mp4"], [])


def test_splits_are_not_forgotten_when_the_lists_are_not_found(tmp_path: Path) -> None:
    with library_of(tmp_path, ["a.mp4"]) as catalogue:
        listed = VideoFile("a.mp4", None, None, {1: "test"})
        catalogue.update_entries(plan_build(Dataset("x", [listed], []), tmp_path, 1, catalogue).update)
        with pytest.raises(DatasetError, match="--split-lists"):
            plan_build(dataset_of(["a.mp4"]), tmp_path, 1, catalogue)


def test_a_file_that_vanishes_after_the_scan_is_refused_with_a_reason(tmp_path: Path) -> None:
    with library_of(tmp_path, ["a.mp4"]) as catalogue:
        plan = plan_build(dataset_of(["a.mp4", "late.mp4"]), tmp_path, 1, catalogue)
        assert [(entry.path, "cannot be read" in reason) for entry, reason in plan.refused] == [("late.mp4", True)]


def test_new_content_of_a_known_size_is_hashed_and_embedded(tmp_path: Path) -> None:
    with library_of(tmp_path, ["a.mp4"]) as catalogue:
        (tmp_path / "a.mp4").write_text("b.mp4")
        os.utime(tmp_path / "a.mp4", ns=(1, 1))
        plan = plan_build(dataset_of(["a.mp4"]), tmp_path, 1, catalogue)
        assert [entry.path for entry in plan.embed] == ["a.mp4"]
        assert plan.embed[0].content_hash is not None


def test_a_known_content_at_a_new_path_moved_where_a_video_of_it_leaves_and_else_is_a_copy(tmp_path: Path) -> None:
    def twins(path: str) -> VideoFile:
        (tmp_path / path).write_text("same")
        return VideoFile(path, None, None, {})

    with library_of(tmp_path, ["stays.mp4", "goes.mp4"]) as catalogue:
        for name in ("stays.mp4", "goes.mp4"):
            entry = catalogue.known(1)[name]
            catalogue.drop([entry.id])
            known = make_entry(name, size_bytes=4, modified_ns=0, content_hash=sha256(b"same").hexdigest())
            catalogue.commit_indexed(known, make_vectors())
        files = [twins(path) for path in ("stays.mp4", "new1.mp4", "new2.mp4")]
        plan = plan_build(Dataset("x", files, []), tmp_path, 1, catalogue)
        assert [(twin, entry.path) for twin, entry in plan.moved] == [(make_entry("goes.mp4").id, "new1.mp4")]
        assert [entry.path for _, entry in plan.copy] == ["new2.mp4"]
        assert plan.gone == [make_entry("goes.mp4").id]
        other = catalogue.root_id("elsewhere")
        catalogue.commit_indexed(
            make_entry("far.mp4", root_id=other, size_bytes=4, content_hash=sha256(b"same").hexdigest()), make_vectors()
        )
        plan = plan_build(Dataset("x", files, []), tmp_path, 1, catalogue, gone_roots=[other])
        assert [entry.path for _, entry in plan.moved] == ["new1.mp4", "new2.mp4"]
