import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.index.lock import WriterLock
from rspnet_core.errors import LibraryBusy, LibraryDamaged, LibraryError, LibraryNotFound
from tests.conftest import REPOSITORY
from tests.indexer.catalogue.catalogue_contract import CatalogueContract
from tests.indexer.storage import filled, make_entry, make_vectors


def start(code, *arguments, **options):
    """A python process with the repository on its path; ``code`` prints to a pipe."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, **options)


class TestSqliteCatalogue(CatalogueContract):
    @pytest.fixture
    def target(self, tmp_path):
        return tmp_path / FILE_NAME


def test_a_missing_catalogue_says_what_makes_one(tmp_path):
    with pytest.raises(LibraryNotFound, match="rspnet-index build"):
        Catalogue.open(tmp_path / FILE_NAME, write=False)


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite:///x", "://", "postgresql://host:port/x"])
def test_an_address_of_another_kind_is_refused(url):
    with pytest.raises(LibraryError, match="allowed"):
        Catalogue.open(url, write=True)


def test_a_password_does_not_show_in_errors():
    with pytest.raises(LibraryError) as caught:
        Catalogue.open("postgresql://someone:secret@127.0.0.1:1/none", write=False)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_index_folder_may_have_any_name(tmp_path):
    folder = tmp_path / "a?mode=memory&x#%41\udcff\n"
    folder.mkdir()
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        filled(catalogue)
    assert (folder / FILE_NAME).stat().st_size > 0
    with Catalogue.open(folder / FILE_NAME, write=False) as catalogue:
        assert catalogue.counts().indexed == 5


def test_a_file_that_is_no_database_is_called_damaged(tmp_path):
    (tmp_path / FILE_NAME).write_bytes(b"not a database, whatever its name says" * 100)
    for write in (True, False):
        with pytest.raises(LibraryDamaged, match="not a database"):
            Catalogue.open(tmp_path / FILE_NAME, write=write)


def test_commits_are_durable_and_logged_ahead(tmp_path):
    with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue, catalogue._database.writing() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert settings == ["wal", 2, 1]


def test_one_flipped_byte_of_a_vector_is_blamed_on_its_video(tmp_path):
    with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue:
        ids = filled(catalogue, 4)
    data = bytearray((tmp_path / FILE_NAME).read_bytes())
    place = data.index(make_vectors(2).clips[1].tobytes()) + 5
    data[place] ^= 1
    (tmp_path / FILE_NAME).write_bytes(data)
    with Catalogue.open(tmp_path / FILE_NAME, write=False) as catalogue:
        assert list(catalogue.damaged(deep=True)) == [ids[2]]


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_database_is_a_problem_not_a_crash(tmp_path, seed):
    with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue:
        filled(catalogue, 30)
    data = bytearray((tmp_path / FILE_NAME).read_bytes())
    generator = random.Random(seed)
    start = generator.randrange(0, len(data) - 20000)
    data[start : start + 20000] = generator.randbytes(20000)
    (tmp_path / FILE_NAME).write_bytes(data)
    try:
        with Catalogue.open(tmp_path / FILE_NAME, write=False) as catalogue:
            assert catalogue.check(deep=True)
    except LibraryError as error:
        assert "\n" not in str(error)


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path):
    with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue:
        filled(catalogue, 3)
        with catalogue._database.writing() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(LibraryError, match="no space left"):
            catalogue.commit_indexed(make_entry("long.mp4"), make_vectors(num_clips=999))
        assert catalogue.counts().indexed == 3
        catalogue.commit_failed(make_entry("short.mp4"), "fits")
        assert catalogue.check(deep=True) == []


@pytest.fixture
def shared_folder():
    """A folder that another user can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


READ_AS_NOBODY = """
import os, sys
from indexer.catalogue.catalogue import Catalogue
os.setuid(65534)
with Catalogue.open(sys.argv[1], write=False) as catalogue:
    print(catalogue.counts().indexed, catalogue.check(deep=True))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_reader_needs_no_right_to_write(shared_folder):
    path = shared_folder / FILE_NAME

    def read():
        with start(READ_AS_NOBODY, path) as reader:
            return reader.communicate()[0].strip()

    with Catalogue.open(path, write=True) as catalogue:
        filled(catalogue, 3)
        while_open = read()
    after_close = read()
    assert while_open == after_close == "3 []"
    assert [file.name for file in shared_folder.iterdir()] == [FILE_NAME]


COMMIT_FOREVER = """
import sys
from indexer.catalogue.catalogue import Catalogue
from tests.indexer.storage import ENCODER, make_entry, make_vectors
with Catalogue.open(sys.argv[1], write=True) as catalogue:
    catalogue.set_encoder(ENCODER)
    catalogue.root_id("/data")
    for number in range(int(sys.argv[2]), 10**9):
        catalogue.commit_indexed(make_entry(f"{number}.mp4"), make_vectors(number))
        print(number, flush=True)
"""


def test_nothing_that_was_reported_done_is_lost_by_kills(tmp_path):
    generator = random.Random(1)
    done = -1
    for _ in range(4):
        writer = start(COMMIT_FOREVER, tmp_path / FILE_NAME, done + 1)
        first = writer.stdout.readline()
        time.sleep(generator.uniform(0, 0.3))
        writer.send_signal(signal.SIGKILL)
        reported = [first, *writer.communicate()[0].splitlines()]
        done = int(reported[-1])
        with Catalogue.open(tmp_path / FILE_NAME, write=False) as catalogue:
            assert catalogue.check(deep=True) == []
            # One more may have been committed and killed before it could be reported.
            assert catalogue.counts().indexed in (done + 1, done + 2)
            last = make_entry(f"{done}.mp4").id
            assert (catalogue.video_vector(last) == make_vectors(done).video).all()


HOLD_LOCK = """
import sys
from pathlib import Path
from indexer.index.lock import WriterLock
with WriterLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_the_first_is(tmp_path):
    holder = start(HOLD_LOCK, tmp_path, stdin=subprocess.PIPE)
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LibraryBusy, match=f"pid {holder.pid}") as caught, WriterLock(tmp_path):
        pass
    assert caught.value.exit_code == 75
    holder.kill()
    holder.communicate()
    with WriterLock(tmp_path):
        pass


def test_one_process_cannot_lock_twice(tmp_path):
    with WriterLock(tmp_path), pytest.raises(LibraryBusy, match=f"pid {os.getpid()}"), WriterLock(tmp_path):
        pass


LOCK_AND_FORK = """
import os, sys, time
from pathlib import Path
from indexer.index.lock import WriterLock
with WriterLock(Path(sys.argv[1])):
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    print(child, flush=True)
    os.kill(os.getpid(), 9)
"""


def is_free(folder):
    try:
        with WriterLock(folder):
            return True
    except LibraryBusy:
        return False


def test_a_child_of_a_killed_writer_does_not_keep_its_lock(tmp_path):
    holder = start(LOCK_AND_FORK, tmp_path)
    child = int(holder.stdout.readline())
    try:
        holder.wait()
        deadline = time.monotonic() + 10
        while not is_free(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)  # the child closes the lock when it first runs
        assert is_free(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_the_lock_does_not_follow_a_link(tmp_path):
    (tmp_path / "target").write_text("precious")
    (tmp_path / "writer.lock").symlink_to(tmp_path / "target")
    with pytest.raises(LibraryError, match="cannot write"), WriterLock(tmp_path):
        pass
    assert (tmp_path / "target").read_text() == "precious"
