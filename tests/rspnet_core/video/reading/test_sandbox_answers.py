"""The sandbox when the child itself is hostile: a decoder that a file has taken over answers whatever it likes."""

import json
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rspnet_core.config import ClipGeometry, SingleSampling, ViewSampling
from rspnet_core.errors import RspnetError, VideoError
from rspnet_core.text import printable
from rspnet_core.video.reading import wire
from rspnet_core.video.reading.child_process import NONSENSE
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest
from rspnet_core.video.sampling import View

pytestmark = pytest.mark.usefixtures("started_decoders")

GEOMETRY = ClipGeometry(num_clips=1, frames_per_clip=2, size=16)
SAMPLING = SingleSampling(frames_per_clip=2, frame_size=16)
INFO = {
    "width": 64,
    "height": 48,
    "num_frames": 9,
    "duration_seconds": 0.36,
    "fps": 25.0,
    "codec": "h264",
    "container": "mov",
    "rotation_degrees": 0,
    "is_mirrored": False,
    "track": 1,
    "num_tracks": 1,
    "num_declared_frames": 0,
}
FRAMES, SPANS, HISTOGRAM = bytes(2 * 16 * 16 * 3), np.array([[0, 0.08]]).tobytes(), bytes(512 * 4)
HASH = "0a" * 32


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a shell script in the place of the decoder process."""

    def replace(script: str) -> None:
        program = tmp_path / "child"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return replace


@pytest.fixture
def answer(child: Callable[[str], None], tmp_path: Path) -> Callable[[bytes], None]:
    """Answer a child's first request with these bytes, then end it."""
    child(f"head -c 1 >{os.devnull}; cat '{tmp_path / 'answer'}'")

    def replace(content: bytes) -> None:
        (tmp_path / "answer").write_bytes(content)

    return replace


def message(header: Any, payload: bytes = b"") -> bytes:
    return wire.pack(header, len(payload)) + payload


def decode(**settings: Any) -> str | None:
    """Ask for clips; what is wrong, None for nothing."""
    with DecodePool(1, **({"timeout_seconds": 10} | settings)) as pool:
        (result,) = pool.map([DecodeRequest("video.mp4", GEOMETRY, hash_content=True)])
    assert (result.error is None) == (result.clips is not None)
    return result.error


def test_a_right_answer_is_taken(answer):
    answer(message({"content_hash": HASH, "info": INFO}, FRAMES + SPANS + HISTOGRAM))
    assert decode() is None


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 100,
        struct.pack(">IQ", 2, 1 << 60) + b"{}",
        struct.pack(">IQ", 1 << 31, 0),
        struct.pack(">IQ", 200_000, 0) + b"[" * 200_000,
        message([]),
        message({}),
        message({"info": INFO}, FRAMES + SPANS + HISTOGRAM[1:]),
        message({"info": INFO, "content_hash": 3}, FRAMES + SPANS + HISTOGRAM),
        message({"info": INFO, "content_hash": "zz" * 32}, FRAMES + SPANS + HISTOGRAM),
        message({"info": INFO}, FRAMES + np.full(2, np.nan).tobytes() + HISTOGRAM),
        message({"info": INFO}, FRAMES + SPANS + np.full(512, np.inf, np.float32).tobytes()),
        message({"info": INFO | {"fps": float("nan")}}, FRAMES + SPANS + HISTOGRAM),
        message({"info": INFO | {"num_frames": 10**30}}, FRAMES + SPANS + HISTOGRAM),
        message({"info": INFO | {"width": -1}}, FRAMES + SPANS + HISTOGRAM),
        message({"info": {}}, FRAMES + SPANS + HISTOGRAM),
    ],
)
def test_a_wrong_answer_is_the_files_failure(answer, content):
    answer(content)
    assert decode() == NONSENSE


def test_a_wrong_answer_costs_one_child(answer):
    answer(message({}))
    with DecodePool(1) as pool:
        assert [result.error for result in pool.map([DecodeRequest("a", GEOMETRY)] * 2)] == [NONSENSE] * 2
        assert pool._children == {}


def test_a_reason_is_one_short_line(answer):
    answer(message({"error": "a\n\x1b[31m\udcff" + "b" * 100_000, "content_hash": HASH}))
    reason = decode()
    assert reason is not None and reason.startswith("a\\n\\x1b[31m\\udcff") and len(reason) <= 300


@pytest.mark.parametrize("payload", [b"", b"1" * 100, bytes(3 * 16 * 16 * 51)])
def test_a_poster_has_the_height_that_was_asked_for_and_a_bounded_width(answer, payload):
    answer(message({}, payload))
    with DecodePool(1) as pool, pytest.raises(VideoError, match="nonsense"):
        pool.poster("video.mp4", 16)


@pytest.mark.parametrize(
    "header",
    [
        {"advances": 1, "aspect": 1.0},
        {"aspect": 1.0},
        {"advances": True, "aspect": 0},
        {"advances": True, "aspect": float("inf")},
        {"advances": True, "aspect": 10**400},
        {"advances": True},
    ],
)
def test_random_clips_with_wrong_numbers_are_refused(answer, header):
    answer(message(header, FRAMES))
    with DecodePool(1) as pool, pytest.raises(VideoError, match="nonsense"):
        pool.random_clip(Path("video.mp4"), SAMPLING, (0,)).result()


def test_a_child_that_reads_no_requests_is_given_up(child, tmp_path):
    (tmp_path / "answer").write_bytes(message({"error": "no"}))
    child(f"while :; do cat '{tmp_path / 'answer'}'; done")
    with DecodePool(1, timeout_seconds=1) as pool:
        errors = {result.error for result in pool.map([DecodeRequest("x" * 20_000, GEOMETRY)] * 5)}
    assert errors == {"no", "took longer than 1 s"}


def test_a_child_that_answers_byte_by_byte_is_given_up(child):
    child("while :; do printf '\\000'; sleep 0.2; done")
    started = time.monotonic()
    assert decode(timeout_seconds=1) == "took longer than 1 s"
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (41, "signal 41")])
def test_a_child_that_ends_by_any_signal_is_a_failure(child, number, name):
    child(f"head -c 1 >{os.devnull}; kill -{number} $$")
    assert decode() == f"decoding stopped the decoder process ({name})"


def test_descriptors_above_1024_are_no_failure(answer):
    answer(message({"error": "no"}))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("the system gives no more than 1024 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (1200, hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1050)]
    try:
        assert decode() == "no"
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_system_that_gives_no_process_is_one_clear_error_and_no_failure_of_the_file(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with DecodePool(1) as pool:
        for ask in (lambda: list(pool.map([DecodeRequest("a", GEOMETRY)])), lambda: pool.poster("a")):
            with pytest.raises(RspnetError, match="cannot start a decoder process: No such file") as caught:
                ask()
            assert not isinstance(caught.value, VideoError)


def test_a_process_that_was_waited_for_is_not_signalled(answer, monkeypatch):
    """Its number may be another process's by then."""
    answer(b"\xff" * 100)
    ended: list[int] = []
    kill_group = os.killpg

    def watched(pid: int, number: int) -> None:
        assert pid not in ended
        ended.append(pid)
        kill_group(pid, number)

    monkeypatch.setattr(os, "killpg", watched)
    assert decode() == NONSENSE
    assert len(ended) == 1


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(HASH)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3))
infos = st.fixed_dictionaries({name: st.just(value) | scalars for name, value in INFO.items()})
headers = st.fixed_dictionaries(
    {},
    optional={
        "info": infos | values,
        "content_hash": values,
        "error": values,
        "exhausted": values,
        "advances": values | st.just(True),
        "aspect": scalars,
    },
)
payloads = st.sampled_from([b"", FRAMES, FRAMES + SPANS + HISTOGRAM, FRAMES[:-3], FRAMES + SPANS + b"\xff" * 2048])
answers = (
    st.binary(max_size=64)
    | st.builds(
        lambda lengths, rest: struct.pack(">IQ", *lengths) + rest,
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)),
        st.binary(max_size=64),
    )
    | st.builds(lambda header, payload: message(json.loads(json.dumps(header)), payload), headers | values, payloads)
)


def assert_result_or_a_video_error(answer, content: bytes) -> None:
    answer(content)
    with DecodePool(1, timeout_seconds=10) as pool:
        (result,) = pool.map([DecodeRequest("video.mp4", GEOMETRY)])
        assert (result.error is None) == (result.clips is not None)
        assert result.error is None or len(result.error) <= 300
        path, views = Path("video.mp4"), ViewSampling(frames_per_clip=2, frame_size=16)
        for asked in (pool.random_clip(path, SAMPLING, (0,)), pool.views(path, views, [View(0, 1, 1)] * 3)):
            try:
                assert asked.result().aspect > 0
            except VideoError as error:
                assert str(error) == printable(str(error))
        try:
            assert pool.poster("video.mp4", 16).shape[::2] == (16, 3)
        except VideoError as error:
            assert str(error) == printable(str(error))


FUZZ = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@pytest.mark.slow
@settings(max_examples=60, **FUZZ)
@given(content=answers)
def test_any_answer_gives_a_result_or_a_video_error(answer, content):
    assert_result_or_a_video_error(answer, content)


@pytest.mark.slow
@settings(max_examples=400, **FUZZ)
@given(content=answers)
def test_very_many_answers_give_results_or_video_errors(answer, content):
    assert_result_or_a_video_error(answer, content)
