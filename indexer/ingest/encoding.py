"""Encoding beside decoding: several videos at once, each by a thread with its part of the cores.

A network that runs on all cores waits, layer by layer, for the one that a decoder is using; videos side by side do not
wait for each other, and what of a video takes one core leaves none idle.
"""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from threading import Barrier

import torch

from indexer.ingest.encoder import ClipEncoder, Encoded
from rspnet_core.ahead import asked_ahead
from rspnet_core.video.reading.sandbox import DecodeResult

_VIDEOS_PER_BATCH = {"cpu": 1, "cuda": 16}
"""A CPU gains nothing from more than one video's ten clips; a GPU needs about 160 clips to be busy."""
_STREAMS = 2
"""More would hold the numbers of more videos in memory."""
_STARTS_WITHIN = 60
"""Seconds; where the system gives one of the threads and refuses another, the first must not wait for it for ever."""


def choose_streams(encoder: ClipEncoder) -> int:
    """How many videos to encode at once; by the encoder's backend, device and precision.

    One on a GPU, which a batch fills, and one by PyTorch in float32, which by a thread alone convolves with kernels of
    1x1 pixels in another way, at half the speed and with three times the memory.
    """
    if encoder.device.type != "cpu" or (encoder.backend == "torch" and encoder.precision == torch.float32):
        return 1
    return min(_STREAMS, torch.get_num_threads())


def encoded(encoder: ClipEncoder, results: Iterable[DecodeResult]) -> Generator[tuple[DecodeResult, Encoded | None]]:
    """Each result, in their order, with what the encoder says of it; None where it was not decoded.

    As many batches, of what the device takes at once, as the encoder has ``streams`` are encoded side by side, and one
    waits. What is being encoded when the iterator is closed is finished, and dropped.
    """
    with _threads(encoder.streams) as threads:
        threads.submit(encoder.prepare)

        def ask(batch: list[DecodeResult]) -> "Future[list[Encoded]]":
            return threads.submit(encoder.encode, [result.clips.frames for result in batch if result.clips is not None])

        batches = _batches(iter(results), _VIDEOS_PER_BATCH[encoder.device.type])
        for batch, encoding in asked_ahead(batches, ask, encoder.streams):
            yield from _paired(batch, encoding)


def _batches(results: Iterator[DecodeResult], size: int) -> Iterator[list[DecodeResult]]:
    while batch := list(islice(results, size)):
        yield batch


def _paired(
    batch: list[DecodeResult], encoding: "Future[list[Encoded]]"
) -> Iterator[tuple[DecodeResult, Encoded | None]]:
    said = iter(encoding.result())
    return ((result, None if result.clips is None else next(said)) for result in batch)


@contextmanager
def _threads(streams: int) -> Iterator[ThreadPoolExecutor]:
    """That many threads, between which PyTorch's cores are divided; other threads keep what they have."""
    all_cores, together = torch.get_num_threads(), Barrier(streams, timeout=_STARTS_WITHIN)

    def divide() -> None:
        torch.get_num_threads()  # a thread's first call would undo what is set before it
        torch.set_num_threads(max(1, all_cores // streams))
        together.wait()  # so that each thread does this once

    threads = ThreadPoolExecutor(streams, thread_name_prefix="encode")
    try:
        for dividing in [threads.submit(divide) for _ in range(streams)]:
            dividing.result()
        torch.set_num_threads(all_cores)  # of threads that are yet to come
        yield threads
    finally:
        threads.shutdown(cancel_futures=True)
