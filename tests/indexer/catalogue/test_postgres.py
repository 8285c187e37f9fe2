"""The catalogue's contract on a PostgreSQL server of our own: no network, a Unix socket in a temporary folder."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import Catalogue
from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library
from rspnet_core.errors import InvalidSetting, LibraryBusy, LibraryError
from tests import prepared
from tests.indexer.catalogue.catalogue_contract import CatalogueContract
from tests.indexer.storage import filled, make_entry, make_vectors, stored

pytest.importorskip("psycopg", reason="psycopg is not installed")


def _programs():
    """The folder of the newest server that Debian's package installed."""
    return max(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=Path(), key=lambda path: int(path.parts[-3])
    ).parent


class Server:
    """A PostgreSQL server below ``folder``, where its socket lies too."""

    def __init__(self, folder, programs, as_owner):
        self.folder, self._programs, self._as_owner = folder, programs, as_owner

    def make(self):
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "rspnet", "-E", "UTF8")
        self.start()

    def start(self):
        options = f"-c listen_addresses='' -c fsync=off -c max_connections=30 -k {self.folder}"
        self._run("pg_ctl", "-l", self.folder / "log", "-o", options, "-w", "start")

    def stop(self, mode):
        self._run("pg_ctl", "-m", mode, "-w", "stop")

    def _run(self, program, *arguments):
        command = [*self._as_owner, self._programs / program, "-D", self.folder / "data", *arguments]
        subprocess.run(list(map(str, command)), check=True, cwd="/", stdout=subprocess.DEVNULL, timeout=120)


@pytest.fixture(scope="module")
def server():
    """A running server."""
    programs = _programs()
    if programs == Path():
        pytest.skip("no PostgreSQL server below /usr/lib/postgresql")
    as_owner = []
    if os.geteuid() == 0:
        if not shutil.which("runuser"):
            pytest.skip("PostgreSQL refuses to run as root, and runuser is not installed")
        as_owner = [shutil.which("runuser"), "-u", "postgres", "--"]

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if as_owner:
            shutil.chown(folder, "postgres")
        server = Server(folder, programs, as_owner)
        server.make()
        try:
            yield server
        finally:
            server.stop("immediate")


@pytest.fixture
def target(server):
    """The address of an empty database: the same one emptied, as each new one has hundreds of files."""
    import psycopg

    with psycopg.connect(host=str(server.folder), user="rspnet", dbname="postgres", autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return f"postgresql://rspnet@/postgres?host={urllib.parse.quote(str(server.folder), safe='')}"


class TestPostgresCatalogue(CatalogueContract):
    pass


def test_a_second_writer_is_told_who_the_first_is(target):
    with Catalogue.open(target, write=True) as catalogue:
        filled(catalogue, 1)
        with pytest.raises(LibraryBusy, match=f"pid {os.getpid()}"):
            Catalogue.open(target, write=True)
        with Catalogue.open(target, write=False) as reader:
            assert reader.counts().indexed == 1
    Catalogue.open(target, write=True).close()


def test_a_writer_whose_connection_was_lost_does_not_go_on_unlocked(target):
    import psycopg

    with Catalogue.open(target, write=True) as catalogue:
        filled(catalogue, 1)
        with psycopg.connect(target, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name ~ 'rspnet'"
            )  # which waits until it is gone
        with pytest.raises(LibraryError, match="terminat"):
            catalogue.commit_indexed(make_entry("lost.mp4"), make_vectors())
        with Catalogue.open(target, write=True):
            for _ in range(2):
                with pytest.raises(LibraryBusy):
                    catalogue.commit_indexed(make_entry("unlocked.mp4"), make_vectors())
        catalogue.commit_indexed(make_entry("later.mp4"), make_vectors())
        with pytest.raises(LibraryBusy):
            Catalogue.open(target, write=True)
        assert {row.path for row in catalogue.videos()} == {"Class0/0.mp4", "later.mp4"}


def test_a_reader_s_session_is_read_only(target):
    Catalogue.open(target, write=True).close()
    with (
        Catalogue.open(target, write=False) as reader,
        pytest.raises(LibraryError, match="read-only"),
        reader._database.reading() as connection,
    ):
        connection.exec_driver_sql("DELETE FROM videos")


def test_a_library_with_its_catalogue_on_a_server_answers_like_one_with_a_file(
    target, built, sample_videos, small_weights, tmp_path
):
    settings = {"index": tmp_path, "weights": str(small_weights), "device": "cpu", "catalogue_url": target}
    assert build_library(sample_videos, **settings).indexed == 32
    assert build_library(sample_videos, **settings).skipped == 32
    assert not (tmp_path / "catalogue.sqlite").exists()
    assert verify_library(tmp_path, deep=True).problems == []
    query = sorted(sample_videos.rglob("*.mp4"))[3]
    with Library.open(tmp_path, device="cpu") as ours, Library.open(built, device="cpu") as theirs:
        assert [hit.id for hit in ours.search(query, moments=True)] == [hit.id for hit in theirs.search(query)]


def test_a_password_is_never_stored(few_videos, tmp_path):
    for address in ("postgresql://me:secret@host/db", "postgresql://host/db?password=secret"):
        with pytest.raises(InvalidSetting, match="PGPASSWORD") as refused:
            build_library(few_videos, index=tmp_path / "index", catalogue_url=address)
        assert "secret" not in str(refused.value)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("mode", "seconds"),
    [
        ("immediate", 0.5),
        pytest.param("fast", 10, marks=pytest.mark.slow),
        pytest.param("immediate", 10, marks=pytest.mark.slow),
    ],
)
def test_a_build_whose_server_stops_ends_with_one_line_and_the_next_one_goes_on(
    server, target, built, sample_videos, small_weights, tmp_path, mode, seconds
):
    index = tmp_path / "index"
    said = tmp_path / "said"
    command = ["build", sample_videos, "--index", index, "--device", "cpu"]
    command += ["--weights", small_weights, "--catalogue", target]
    build = prepared.start("indexer.cli.main", *command, stderr=said)
    deadline = time.monotonic() + 90
    while len(seen := stored(target)) < 5 and build.is_alive() and time.monotonic() < deadline:
        # In short steps: the build must not be over before the server stops.
        os.kill(build.pid, signal.SIGCONT)
        time.sleep(0.02)
        os.kill(build.pid, signal.SIGSTOP)
    server.stop(mode)
    os.kill(build.pid, signal.SIGCONT)
    try:
        time.sleep(seconds)
    finally:
        server.start()
    build.join(120)
    assert build.exitcode == 1
    lines = said.read_text().strip().splitlines()
    print(mode, seconds, len(seen), lines)
    assert "run" in lines[-1] and "again" in lines[-1]
    assert not any("Traceback" in line for line in lines)

    assert seen.items() <= stored(target).items()
    assert len(stored(target)) < 32
    again = prepared.start("indexer.cli.main", *command, stderr=said)
    again.join(120)
    assert again.exitcode == 0, said.read_text()
    assert stored(target) == stored(built / "catalogue.sqlite")
    assert verify_library(index, deep=True).to_json() == {"sound": True, "videos": 32, "problems": [], "notes": []}
