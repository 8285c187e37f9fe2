"""Several videos encoded at once: their order, their threads, and what ends them."""

import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from indexer.ingest import encoding
from indexer.ingest.build import build_library
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.encoding import choose_streams, encoded
from rspnet_core.inference.backends import BackendName
from rspnet_core.video.reading.sandbox import DecodeRequest, DecodeResult
from rspnet_core.weights.checkpoint import load_checkpoint
from tests.conftest import SMALL_CLIPS


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def result(name: str, frames: object = None) -> DecodeResult:
    clips: Any = None if frames is None else SimpleNamespace(frames=frames)
    return DecodeResult(DecodeRequest(name, SMALL_CLIPS), clips=clips)


def pairs(encode: Any, results: list[DecodeResult], streams: int = 2) -> Iterator[tuple[str, object]]:
    encoder: Any = SimpleNamespace(streams=streams, device=torch.device("cpu"), prepare=lambda: None, encode=encode)
    with closing(encoded(encoder, results)) as found:
        for each, said in found:
            yield str(each.request.path), said


def test_two_are_encoded_at_once_and_come_in_their_order() -> None:
    together = threading.Barrier(2, timeout=30)

    def encode(videos: list[int]) -> list[int]:
        together.wait()
        return [10 * video for video in videos]

    found = list(pairs(encode, [result(str(number), number) for number in range(6)]))
    assert found == [(str(number), 10 * number) for number in range(6)]


def test_what_was_not_decoded_keeps_its_place() -> None:
    """Nor does it take another's place in the batches that a GPU takes."""
    results = [result(str(number), number if number % 3 else None) for number in range(20)]
    sizes: list[int] = []

    def encode(videos: list[int]) -> list[int]:
        sizes.append(len(videos))
        return [10 * each for each in videos]

    encoder: Any = SimpleNamespace(streams=1, device=torch.device("cuda"), prepare=lambda: None, encode=encode)
    found = [(each.request.path, said) for each, said in encoded(encoder, results)]
    assert found == [(str(number), 10 * number if number % 3 else None) for number in range(20)]
    assert sizes == [10, 3]


def threads_of_a_new_thread() -> int:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize(("streams", "share"), [(1, 4), (2, 2), (4, 1), (8, 1)])
def test_each_has_its_part_of_the_cores_and_nobody_else_has_fewer(streams: int, share: int) -> None:
    encode = lambda videos: [torch.get_num_threads() for _ in videos]  # noqa: E731
    found = pairs(encode, [result(str(number), number) for number in range(20)], streams)
    assert next(found) == ("0", share)
    assert (torch.get_num_threads(), threads_of_a_new_thread()) == (4, 4)
    assert {said for _, said in found} == {share}
    assert (torch.get_num_threads(), threads_of_a_new_thread()) == (4, 4)


def test_an_error_of_the_encoder_is_raised_where_its_video_is_due() -> None:
    def encode(videos: list[int]) -> list[int]:
        if videos == [2]:
            raise MemoryError("too many pixels")
        return videos

    found = pairs(encode, [result(str(number), number) for number in range(9)])
    assert [next(found), next(found)] == [("0", 0), ("1", 1)]
    with pytest.raises(MemoryError, match="too many pixels"):
        next(found)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("encode")]


def test_closed_early_nothing_more_is_encoded() -> None:
    begun: list[int] = []

    def encode(videos: list[int]) -> list[int]:
        begun.extend(videos)
        return videos

    found = pairs(encode, [result(str(number), number) for number in range(50)])
    assert next(found) == ("0", 0)
    found.close()
    assert len(begun) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("encode")]


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_vectors_are_those_of_one_stream(small_weights: Path, backend: BackendName) -> None:
    if backend == "openvino" and not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    random = np.random.default_rng(0)
    videos = [random.integers(0, 256, (3, 2, 32, 32, 3), np.uint8) for _ in range(7)]
    found = []
    for streams in (1, 2):
        encoder = ClipEncoder(*load_checkpoint(small_weights), device=torch.device("cpu"), backend=backend)
        encoder.streams = streams
        results = [result(str(number), frames) for number, frames in enumerate(videos)]
        found.append([said for _, said in encoded(encoder, results)])
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one.vectors, two.vectors)
        assert np.array_equal(one.video, two.video)
        # One thread may add up a product in another order than two, on AVX2 with other last bits.
        np.testing.assert_allclose(one.motion_energy, two.motion_energy, rtol=1e-5)


@pytest.mark.parametrize(
    ("device", "backend", "precision", "threads", "streams"),
    [
        ("cpu", "torch", torch.bfloat16, 4, 2),
        ("cpu", "torch", torch.bfloat16, 1, 1),
        ("cpu", "torch", torch.float32, 4, 1),
        ("cpu", "openvino", torch.float32, 4, 2),
        ("cpu", "openvino-int8", torch.bfloat16, 2, 2),
        ("cuda", "torch", torch.bfloat16, 4, 1),
    ],
)
def test_how_many_at_once(
    device: str, backend: BackendName, precision: torch.dtype, threads: int, streams: int
) -> None:
    torch.set_num_threads(threads)
    encoder: Any = SimpleNamespace(device=torch.device(device), backend=backend, precision=precision)
    assert choose_streams(encoder) == streams


def test_a_build_that_changes_nothing_prepares_no_network(
    few_videos: Path, small_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[ClipEncoder] = []
    prepare = ClipEncoder.prepare
    monkeypatch.setattr(ClipEncoder, "prepare", lambda self: (prepared.append(self), prepare(self)))
    for indexed in (4, 0):
        report = build_library(few_videos, index=tmp_path / "x", weights=str(small_weights), device="cpu")
        assert (report.indexed, bool(prepared)) == (indexed, bool(indexed))
        prepared.clear()


def test_a_thread_that_the_system_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_STARTS_WITHIN", 0.2)
    start, started = threading.Thread.start, []

    def refused(thread: threading.Thread) -> None:
        if thread.name.startswith("encode") and started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        next(pairs(lambda videos: videos, [result("a", 1)]))
    started[0].join(30)
    assert not started[0].is_alive()
