import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting, VideoError
from rspnet_core.video.reading import wire
from rspnet_core.video.reading.colour import colour_histogram
from rspnet_core.video.reading.decode import read_clips, read_poster
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest, DecodeResult
from tests.rspnet_core.video.made_videos import make_video

pytestmark = pytest.mark.usefixtures("started_decoders")

GEOMETRY = ClipGeometry(num_clips=2, frames_per_clip=4, size=32)


def child_pids(pool: DecodePool) -> set[int]:
    return {child._process.pid for child in pool._children.values()}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "did not come about within 30 s"
        time.sleep(0.02)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make_video(tmp_path / "video.mp4")


def test_clips_from_the_pool_are_those_of_reading_directly(video):
    request = DecodeRequest(video, GEOMETRY, start_seconds=0.4, hash_content=True)
    with DecodePool(1) as pool:
        (result,) = pool.map([request])
        poster = pool.poster(video, 48)
    expected = read_clips(video, GEOMETRY, start_seconds=0.4)
    assert result.request is request and result.error is None and result.clips is not None
    np.testing.assert_array_equal(result.clips.frames, expected.frames)
    np.testing.assert_array_equal(result.clips.spans_seconds, expected.spans_seconds)
    assert result.clips.info == expected.info
    np.testing.assert_array_equal(result.colour_histogram, colour_histogram(expected.frames))
    assert result.content_hash == hashlib.sha256(video.read_bytes()).hexdigest()
    np.testing.assert_array_equal(poster, read_poster(video, 48))


def test_hostile_files_give_reasons_and_the_pool_goes_on(tmp_path, video):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a film\n")
    (tmp_path / "list.mp4").write_text("#EXTM3U\nhttp://127.0.0.1:1/x.ts\n")
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:2000])
    os.mkfifo(tmp_path / "fifo.mp4")
    names = ["empty.mp4", "text.mp4", "list.mp4", "cut.mp4", "fifo.mp4", "nowhere.mp4", "video.mp4"]
    with DecodePool(2) as pool:
        results = list(pool.map(DecodeRequest(tmp_path / name, GEOMETRY, hash_content=True) for name in names))
        with pytest.raises(VideoError, match="empty"):
            pool.poster(tmp_path / "empty.mp4")
    errors = {Path(result.request.path).name: result.error for result in results}
    assert errors == {
        "empty.mp4": "not a video file: the file is empty",
        "text.mp4": "not a video file: it starts with text",
        "list.mp4": "not a video file: it is a playlist",
        "cut.mp4": "damaged or cut off: the mov file cannot be read",
        "fifo.mp4": "not a regular file",
        "nowhere.mp4": "no such file",
        "video.mp4": None,
    }


def test_a_child_that_is_killed_costs_one_file(video):
    with DecodePool(1) as pool:
        assert [result.error for result in pool.map([DecodeRequest(video, GEOMETRY)])] == [None]
        (pid,) = child_pids(pool)
        os.kill(pid, signal.SIGABRT)
        wait_until(lambda: not is_alive(pid))
        errors = [result.error for result in pool.map([DecodeRequest(video, GEOMETRY)] * 2)]
    assert errors == ["decoding stopped the decoder process (SIGABRT)", None]


def test_a_child_that_hangs_is_replaced(video):
    with DecodePool(1, timeout_seconds=3) as pool:
        assert [result.error for result in pool.map([DecodeRequest(video, GEOMETRY)])] == [None]
        (pid,) = child_pids(pool)
        os.kill(pid, signal.SIGSTOP)
        errors = [result.error for result in pool.map([DecodeRequest(video, GEOMETRY)] * 2)]
        assert not is_alive(pid)
    assert errors == ["took longer than 3 s", None]


@pytest.mark.slow
def test_a_video_that_needs_too_much_memory_is_refused(tmp_path, video):
    large = make_video(tmp_path / "large.mp4", num_frames=3, width=7680, height=4320, options={"preset": "ultrafast"})
    with DecodePool(1, memory_bytes=150 * 2**20) as pool:
        errors = [result.error for result in pool.map(DecodeRequest(path, GEOMETRY) for path in (large, video))]
    assert errors[0] is not None and ("memory" in errors[0] or "stopped the decoder process" in errors[0])
    assert errors[1] is None


def test_children_are_recycled(video):
    with DecodePool(1, requests_per_child=2) as pool:
        seen = [child_pids(pool) for _ in pool.map([DecodeRequest(video, GEOMETRY)] * 5)]
    assert len(set().union(*seen)) >= 2


def test_requests_are_taken_only_a_little_ahead(video):
    taken = 0

    def requests():
        nonlocal taken
        for _ in range(30):
            taken += 1
            yield DecodeRequest(video, GEOMETRY)

    with DecodePool(2) as pool:
        for given, _ in enumerate(pool.map(requests()), start=1):
            assert taken - given < 2 + 2
    assert taken == 30


def test_leaving_early_ends_the_children(video):
    with DecodePool(2) as pool:
        next(pool.map(DecodeRequest(video, GEOMETRY) for _ in range(100)))
        pids = child_pids(pool)
    assert pids and not any(is_alive(pid) for pid in pids)
    with pytest.raises(RuntimeError):
        pool.poster(video)


def test_closing_ends_a_request_that_hangs(video):
    pool = DecodePool(1)
    list(pool.map([DecodeRequest(video, GEOMETRY)]))
    (pid,) = child_pids(pool)
    os.kill(pid, signal.SIGSTOP)
    results: list[DecodeResult] = []
    reader = threading.Thread(target=lambda: results.extend(pool.map([DecodeRequest(video, GEOMETRY)])))
    reader.start()
    wait_until(lambda: pool._children and next(iter(pool._children.values())).num_requests == 2)
    pool.close()
    reader.join(timeout=30)
    assert not reader.is_alive() and not is_alive(pid)
    assert results[0].error is not None


PARENT = """
import sys, time
from rspnet_core.config import ClipGeometry
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest
pool = DecodePool(1)
list(pool.map([DecodeRequest(sys.argv[1], ClipGeometry(num_clips=1, size=32))]))
print(*(child._process.pid for child in pool._children.values()), flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_killed_parent_leaves_no_child_even_one_that_hangs(video):
    with subprocess.Popen([sys.executable, "-c", PARENT, str(video)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        parent.kill()
    wait_until(lambda: not is_alive(pid))


def test_modules_in_the_current_folder_are_not_imported(video, tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the data folder ran code')\n")
    monkeypatch.chdir(tmp_path)
    with DecodePool(1) as pool:
        assert [result.error for result in pool.map([DecodeRequest(video, GEOMETRY)])] == [None]


def test_child_processes_do_not_import_torch():
    code = "import sys, rspnet_core.video.reading._worker; print('torch' in sys.modules, 'av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]


def test_wrong_limits_are_refused():
    with pytest.raises(InvalidSetting, match="workers=0"):
        DecodePool(0)


def test_messages_come_through_whole_and_wrong_ones_are_refused():
    def reader(data: bytes):
        left = bytearray(data)

        def read(num_bytes: int) -> bytes:
            if len(left) < num_bytes:
                raise EOFError
            taken = bytes(left[:num_bytes])
            del left[:num_bytes]
            return taken

        return read

    header = {"path": "caf\udce9", "n": 1.5}
    assert wire.unpack(reader(wire.pack(header, 3) + b"abc"), 3) == (header, b"abc")
    for message in (wire.pack(header, 4) + b"abcd", b"\xff" * 40, wire.pack({}).replace(b"{}", b"[]")):
        with pytest.raises(wire.ProtocolError):
            wire.unpack(reader(message), 3)
    with pytest.raises(EOFError):
        wire.unpack(reader(wire.pack(header)[:-1]), 3)
    assert json.loads(json.dumps(header)) == header


def test_real_hostile_files_give_a_result_or_a_reason(real_videos):
    paths = sorted((real_videos / "hostile").iterdir())
    with DecodePool(2) as pool:
        results = {Path(r.request.path).name: r for r in pool.map(DecodeRequest(path, GEOMETRY) for path in paths)}
    assert len(results) == len(paths)
    assert all((result.error is None) == (result.clips is not None) for result in results.values())
    assert results["bomb_15360x8640.mp4"].error == "frame of 15360x8640 pixels is over the limit of 36 megapixels"
    assert results["concat_lfi.mp4"].error == "not a video file: it is a playlist"
    assert results["good.mp4"].error is None
