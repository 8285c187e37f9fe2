import json
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from indexer.index.generations import Content, open_current, publish, verify
from rspnet_core.errors import LibraryDamaged, LibraryError, LibraryNotFound
from tests.conftest import REPOSITORY

CONTENT = Content(content_version="c" * 16, fingerprint="f" * 16, count=2, dims=3)


def publish_bytes(folder, data):
    return publish(folder, {"index.faiss": lambda sink: [sink.write(data[:10]), sink.write(data[10:])]}, CONTENT)


def read(folder):
    with open_current(folder) as generation:
        return generation.verified("index.faiss").read()


def names(folder):
    return sorted(path.name for path in (folder / "generations").iterdir())


def test_what_was_published_is_read_back(tmp_path):
    publish_bytes(tmp_path, b"first generation")
    with open_current(tmp_path) as generation:
        assert generation.number == 1
        assert generation.manifest.content == CONTENT
        assert generation.manifest.files["index.faiss"].size_bytes == 16
        assert generation.path == tmp_path / "generations" / "000001"
    assert read(tmp_path) == b"first generation"
    assert verify(tmp_path) == []


def test_nothing_published_is_said_so(tmp_path):
    with pytest.raises(LibraryNotFound, match="no published index"):
        open_current(tmp_path)
    (problem,) = verify(tmp_path)
    assert "no published index" in problem


def test_only_the_current_generation_and_the_one_before_are_kept(tmp_path):
    for number in range(1, 5):
        assert publish_bytes(tmp_path, b"x" * number).generation == number
    assert names(tmp_path) == ["000003", "000004"]
    assert read(tmp_path) == b"xxxx"


def test_a_reader_keeps_its_generation_when_newer_ones_are_published(tmp_path):
    publish_bytes(tmp_path, b"the reader's")
    with open_current(tmp_path) as generation:
        for _ in range(3):
            publish_bytes(tmp_path, b"newer")
        assert not generation.path.exists()
        assert generation.verified("index.faiss").read() == b"the reader's"


def test_a_reader_looks_again_when_its_generation_was_removed_meanwhile(tmp_path, monkeypatch):
    publish_bytes(tmp_path, b"old")
    from indexer.index import generations

    look, looks = generations._read_current, []

    def look_before_two_publishes(folder):
        current = look(folder)
        looks.append(current.number)
        if looks == [1]:
            monkeypatch.setattr(generations, "_read_current", look)
            publish_bytes(folder, b"new")
            publish_bytes(folder, b"newest")
        return current

    monkeypatch.setattr(generations, "_read_current", look_before_two_publishes)
    assert read(tmp_path) == b"newest"
    assert looks == [1]


@pytest.mark.parametrize("name", ["CURRENT", "generations/000001/manifest.json", "generations/000001/index.faiss"])
def test_any_damaged_byte_is_named(tmp_path, name):
    publish_bytes(tmp_path, b"some bytes of an index")
    path = tmp_path / name
    whole = path.read_bytes()
    # The line's end of CURRENT is the one byte that carries nothing.
    for place in range(len(whole.rstrip(b"\n"))):
        damaged = bytearray(whole)
        damaged[place] ^= 0x11
        path.write_bytes(damaged)
        (problem,) = verify(tmp_path)
        assert "repair" in problem
        assert name == "CURRENT" or path.name in problem
        with pytest.raises(LibraryDamaged):
            read(tmp_path)
    path.write_bytes(whole)
    assert verify(tmp_path) == []


@pytest.mark.parametrize("name", ["generations/000001/manifest.json", "generations/000001/index.faiss"])
def test_a_missing_or_cut_file_is_named(tmp_path, name):
    publish_bytes(tmp_path, b"some bytes of an index")
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])
    assert path.name in verify(tmp_path)[0]
    path.unlink()
    assert re.search(f"{path.name}.*missing", verify(tmp_path)[0])


def test_publishing_mends_any_damage(tmp_path):
    publish_bytes(tmp_path, b"some bytes")
    (tmp_path / "CURRENT").write_bytes(b"\xff garbage")
    (tmp_path / "generations" / "000005.tmp").mkdir()
    (tmp_path / "CURRENT.tmp").write_text("half")
    assert publish_bytes(tmp_path, b"new").generation == 6
    assert read(tmp_path) == b"new"
    assert verify(tmp_path) == []
    assert names(tmp_path) == ["000006"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CURRENT", "generations"]


def test_a_manifest_cannot_name_files_elsewhere(tmp_path):
    import hashlib

    publish_bytes(tmp_path, b"x")
    path = tmp_path / "generations" / "000001" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {"../../../secret.txt": manifest["files"]["index.faiss"]}
    path.write_text(json.dumps(manifest))
    (tmp_path / "CURRENT").write_text(f"000001 {hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    with pytest.raises(LibraryDamaged, match="invalid field"):
        open_current(tmp_path)


def test_an_error_while_writing_changes_nothing(tmp_path):
    publish_bytes(tmp_path, b"the one before")

    def fail(sink):
        sink.write(b"a beginning")
        raise OSError(28, "No space left on device")

    with pytest.raises(LibraryError, match=r"No space left.*the one before stays in use"):
        publish(tmp_path, {"index.faiss": fail}, CONTENT)
    assert read(tmp_path) == b"the one before"
    assert names(tmp_path) == ["000001"]


FILL_DISK = """
import resource, sys
from pathlib import Path
from indexer.index.generations import Content, publish
from rspnet_core.errors import LibraryError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
content = Content(content_version="c", fingerprint="f", count=1, dims=1)
try:
    publish(Path(sys.argv[1]), {"index.faiss": lambda sink: sink.write(bytes(1_000_000))}, content)
except LibraryError as error:
    print(error)
"""


def test_a_file_that_the_system_cuts_short_is_not_published(tmp_path):
    publish_bytes(tmp_path, b"the one before")
    command = [sys.executable, "-c", FILL_DISK, str(tmp_path)]
    assert "File too large" in subprocess.check_output(command, cwd=REPOSITORY, text=True)
    assert read(tmp_path) == b"the one before"
    assert names(tmp_path) == ["000001"]


PUBLISH_FOREVER = """
import sys
from pathlib import Path
from indexer.index.generations import Content, publish
for number in range(int(sys.argv[2]), 10**9):
    data = bytes([number % 256]) * 300_000
    content = Content(content_version=str(number), fingerprint="f", count=number, dims=1)
    def write(sink):
        for start in range(0, len(data), 1000):
            sink.write(data[start : start + 1000])
    publish(Path(sys.argv[1]), {"index.faiss": write}, content)
    print(number, flush=True)
"""


def test_kills_leave_a_whole_generation_current(tmp_path):
    generator = random.Random(2)
    done = 0
    for _ in range(5):
        command = [sys.executable, "-c", PUBLISH_FOREVER, str(tmp_path), str(done + 1)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
            first = writer.stdout.readline()
            time.sleep(generator.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
            reported = [first, *writer.stdout.read().splitlines()]
        done = int(reported[-1])
        assert verify(tmp_path) == []
        with open_current(tmp_path) as generation:
            count = generation.manifest.content.count
            assert count in (done, done + 1)
            assert generation.verified("index.faiss").read() == bytes([count % 256]) * 300_000
    publish_bytes(tmp_path, b"after all")
    assert len(names(tmp_path)) == 2
