"""Full, read-only and failing disks, writers killed at each step: what was there is served, the next build goes on."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.publish import publish_index
from indexer.index import generations
from indexer.index.lock import WriterLock
from indexer.retrieval.maintenance import repair_library
from rspnet_core.errors import LibraryError
from tests.conftest import REPOSITORY
from tests.indexer.storage import answers, make_entry, make_library, make_vectors


@pytest.mark.parametrize("mode", ["all", "changes"])
@pytest.mark.parametrize(
    ("fault", "every"),
    [("kill", 10), *(pytest.param(fault, 1, marks=pytest.mark.slow) for fault in ("kill", "ENOSPC", "EIO"))],
)
def test_a_fault_at_any_step_of_publishing_leaves_a_whole_generation_and_the_next_publish_completes(fault, every, mode):
    memory = Path("/dev/shm")  # a file there is flushed at once
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        command = [sys.executable, "-m", "tests.indexer.index.publish_faults", folder, fault, str(every), mode]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def disk(tmp_path):
    """A folder on a small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(disk):
    """Not a byte more can be written."""
    with (disk / "filler").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    yield
    (disk / "filler").unlink()


@contextmanager
def read_only(disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def change(folder):
    """What a build does to the library, in short."""
    with WriterLock(folder), Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        catalogue.commit_indexed(make_entry("Class0/0.mp4", label="other"), make_vectors(70))
        publish_index(catalogue, folder)


@pytest.mark.parametrize("state", [full, read_only])
def test_a_library_on_a_full_or_read_only_disk_is_served_and_changed_when_there_is_room_again(disk, state):
    folder = disk / "index"
    ids = make_library(folder, 6)
    expected = answers(folder, ids)
    with state(disk):
        assert answers(folder, ids) == expected
        for attempt in (change, repair_library):
            with pytest.raises(LibraryError, match=r"space|writ") as refused:
                attempt(folder)
            assert "\n" not in str(refused.value)
        assert answers(folder, ids) == expected
        assert generations.verify(folder) == []
    change(folder)
    changed = answers(folder, ids)
    assert changed["info"]["generation"] > 1
    assert changed["searches"] != expected["searches"]


@pytest.mark.parametrize("state", [full, read_only])
def test_a_killed_writer_s_log_is_read_on_a_full_or_read_only_disk(disk, tmp_path, state):
    folder, elsewhere = disk / "index", tmp_path / "elsewhere"
    ids = make_library(elsewhere, 6)
    expected = answers(elsewhere, ids)
    with Catalogue.open(elsewhere / FILE_NAME, write=True) as catalogue:
        catalogue.commit_indexed(make_entry("Class0/0.mp4"), make_vectors(70))
        shutil.copytree(elsewhere, folder)  # the files as they are after a kill
    assert (folder / f"{FILE_NAME}-wal").stat().st_size > 0
    with state(disk):
        got = answers(folder, ids)
        with Catalogue.open(folder / FILE_NAME, write=False) as catalogue:
            assert (catalogue.video_vector(ids[0]) == make_vectors(70).video).all()
    assert not got["info"]["up_to_date"]
    assert got["info"]["videos"] == expected["info"]["videos"]
    assert got["searches"] == expected["searches"]
