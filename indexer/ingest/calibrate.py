"""INT8 for a library's own videos: ranges from clips of some, its cost on clips of others, in float and in INT8."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from indexer.ingest.calibration import Calibration, Cost, PartCost
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.pooling import Layout
from indexer.ingest.samples import Samples
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference.backends import INT8
from rspnet_core.inference.int8 import observed_ranges
from rspnet_core.video.datasets.dataset import VideoFile

CALIBRATED_CLIPS = 30
MEASURED_VIDEOS = 100
LEAST_MEDIAN_COSINE = 0.99
"""Of a part's vectors to those in float: below it, those that PyTorch makes elsewhere would not be found by them."""
_NEAREST = 10
_ROUNDS = 7
_OR = "leave --backend out, or give --backend openvino"

Calibrating = Callable[[int, int], None]
"""Called with how many videos are done, and of how many, as they are calibrated on or measured."""
Forms = tuple[ClipEncoder, ClipEncoder]
"""The same encoder in float and in INT8."""


def calibrate(
    encoder: ClipEncoder, samples: Samples, calibrating: Calibrating = lambda done, total: None
) -> Calibration:
    """Ranges of an encoder that OpenVINO can run, and their cost; before its first clips.

    Clips are of up to 30 videos, spread evenly; up to 100 others are encoded by both forms.

    Raises InvalidSetting where none of either can be decoded, or INT8 costs too much.
    """
    calibrated, measured = _parted(samples.spread(CALIBRATED_CLIPS + MEASURED_VIDEOS))
    total, geometry = len(calibrated) + len(measured), encoder.spec.geometry
    clips = _some_clips(_told(samples.clips(calibrated, geometry), calibrating, 0, total), len(calibrated))
    if not clips:
        raise InvalidSetting(f"backend {INT8}: no video to calibrate on can be decoded; {_OR}")
    runs = encoder.runs
    ranges = observed_ranges(runs.backbone, runs.geometry, runs.normalisation, clips)
    forms = encoder.by("openvino"), encoder.by(INT8, ranges)
    cost = _cost(forms, _told(samples.clips(measured, geometry), calibrating, len(calibrated), total))
    calibrating(total, total)
    for name, part in cost.parts.items():
        if part.median_cosine < LEAST_MEDIAN_COSINE:
            raise InvalidSetting(
                f"backend {INT8}: its {name} vectors have a median cosine of {part.median_cosine:.4f} to those in "
                f"float, below {LEAST_MEDIAN_COSINE}: too much is lost; {_OR}"
            )
    return Calibration(fingerprint=encoder.fingerprint, ranges=dict(ranges), clips=len(clips), cost=cost)


def _parted(files: Sequence[VideoFile]) -> tuple[list[VideoFile], list[VideoFile]]:
    """Those to calibrate on, every fourth until there are enough, and the others."""
    chosen = range(0, len(files), 4)[:CALIBRATED_CLIPS]
    return [files[place] for place in chosen], [file for place, file in enumerate(files) if place not in chosen]


def _told(
    videos: Iterable[NDArray[np.uint8]], calibrating: Calibrating, first: int, total: int
) -> Iterator[NDArray[np.uint8]]:
    """The clips of these videos; before each it is said that those before it are done, ``first`` of them earlier."""
    for done, clips in enumerate(videos, first):
        calibrating(done, total)
        yield clips


def _some_clips(videos: Iterable[NDArray[np.uint8]], num_videos: int) -> list[torch.Tensor]:
    """Some clips of each, as many of one as of another, each uint8 (1, T, size, size, 3); about 30 of all."""
    of_each = -(-CALIBRATED_CLIPS // max(num_videos, 1))
    clips = []
    for frames in videos:
        places = np.linspace(0, len(frames), min(of_each, len(frames)), endpoint=False, dtype=int)
        clips += [torch.from_numpy(frames[place : place + 1]) for place in places]
    return clips


def _cost(forms: Forms, videos: Iterable[NDArray[np.uint8]]) -> Cost:
    """Of the second form against the first, on the clips of these videos."""
    vectors: tuple[list[NDArray[np.float32]], ...] = ([], [])
    for clips in videos:
        for form, found in zip(forms, vectors, strict=True):
            found.append(form.encode([clips])[0].video)
    if not vectors[0]:
        raise InvalidSetting(f"backend {INT8}: no video to measure it on can be decoded; {_OR}")
    in_float, in_int8 = map(np.stack, vectors)
    seconds_in_float, seconds = _seconds(forms, clips)  # now that nothing is decoded
    return Cost(
        videos=len(in_float),
        parts=_differences(in_float, in_int8, forms[0].layout),
        seconds=seconds,
        seconds_in_float=seconds_in_float,
    )


def _seconds(forms: Forms, clips: NDArray[np.uint8]) -> list[float]:
    """Of one of these clips by each form, medians of runs in turns."""
    taken: tuple[list[float], ...] = ([], [])
    for _ in range(_ROUNDS):
        for form, of_form in zip(forms, taken, strict=True):
            started = time.perf_counter()
            form.encode([clips])
            of_form.append((time.perf_counter() - started) / len(clips))
    return [median(of_form) for of_form in taken]


def _differences(in_float: NDArray[np.float32], in_int8: NDArray[np.float32], layout: Layout) -> dict[str, PartCost]:
    """Of vectors float32 (N, layout.size), by part."""
    found = {}
    for name, place in layout.slices().items():
        cosines = (in_float[:, place] * in_int8[:, place]).sum(axis=1)
        found[name] = PartCost(
            recall=_recall(in_float[:, place], in_int8[:, place]),
            least_cosine=float(cosines.min()),
            median_cosine=float(np.median(cosines)),
        )
    return found


def _recall(right: NDArray[np.float32], given: NDArray[np.float32]) -> float | None:
    """The share of each row's ten nearest among the other rows of ``right`` that ``given`` has as well."""
    if len(right) <= _NEAREST + 1:
        return None
    pairs = zip(_nearest(right), _nearest(given), strict=True)
    return float(np.mean([len(np.intersect1d(*pair)) / _NEAREST for pair in pairs]))


def _nearest(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :_NEAREST]
