"""What a build costs beside a plain loop, and beside decoding and encoding alone::

decode   all cores decode                              plain: decord at full size, one file after the other
encode   clips that are decoded already to vectors     plain: the network in float32, as it was trained
build    both at once, catalogue, index                plain: the loop of both; bound: decode + encode
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from indexer.bench.turns import Measured, in_turns
from indexer.ingest.build import build_library
from indexer.ingest.encoder import ClipEncoder, choose_device
from rspnet_core.bench.plain_loop import plain_features
from rspnet_core.cores import usable_cores
from rspnet_core.errors import VideoError
from rspnet_core.inference.backends import BackendName
from rspnet_core.models.two_head import EncoderModel
from rspnet_core.video.datasets.dataset import scan
from rspnet_core.video.reading.plain import plain_clips
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest
from rspnet_core.weights.sources import load_encoder


@dataclass(frozen=True)
class BuildSpeed:
    """What :func:`measure_build` found."""

    videos: int
    rounds: int
    encoder: dict[str, Any]
    """What runs: ``backbone``, ``backend``, ``device``, ``precision``."""
    rows: list[Measured]

    def document(self) -> dict[str, Any]:
        """As ``rspnet-index speed build --json`` prints it."""
        rows = [row.document() for row in self.rows]
        return {"videos": self.videos, "rounds": self.rounds, "encoder": self.encoder, "rows": rows}


def measure_build(
    data: Path,
    *,
    weights: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    backend: BackendName = "torch",
    videos: int = 20,
    rounds: int = 3,
) -> BuildSpeed:
    """Time decoding, encoding and building ``videos`` files of a folder, spread evenly over it, ``rounds`` times each.

    Nothing is written there: libraries are built in a temporary folder. Raises what ``build_library`` does, and
    VideoError for a file that either side cannot read.
    """
    files = _spread([file.path for file in scan(data).files], videos)
    chosen = _Chosen(data, weights, backbone, device, backend, files)
    spec = load_encoder(weights, backbone)[1]
    encoder, plain = chosen.encoder(), chosen.network()
    paths = [data / name for name in files]
    with DecodePool(usable_cores()) as pool, tempfile.TemporaryDirectory() as temporary:
        decode = partial(_decoded, pool, [DecodeRequest(path, spec.geometry) for path in paths])
        clips, plainly = decode(), [plain_clips(path, spec) for path in paths]
        rows = in_turns(
            {
                "decode": (decode, lambda: [plain_clips(path, spec) for path in paths]),
                "encode": (
                    lambda: [encoder.encode([frames]) for frames in clips],
                    lambda: [plain_features(plain, each, chosen.placed_on) for each in plainly],
                ),
                "build": (
                    partial(chosen.build, Path(temporary)),
                    lambda: [plain_features(plain, plain_clips(path, spec), chosen.placed_on) for path in paths],
                ),
            },
            rounds,
            chosen.placed_on,
        )
    alone = sum(median(row.ours) for row in rows[:2])
    described = {
        "backbone": spec.backbone,
        "backend": backend,
        "device": str(chosen.placed_on),
        "precision": str(encoder.precision).removeprefix("torch."),
    }
    return BuildSpeed(len(paths), rounds, described, [*rows[:2], replace(rows[2], bound=alone)])


@dataclass(frozen=True)
class _Chosen:
    """What is built, and by what."""

    data: Path
    weights: str | None
    backbone: str | None
    device: str
    backend: BackendName
    files: list[str]

    @cached_property
    def placed_on(self) -> torch.device:
        return choose_device(self.device)

    def encoder(self) -> ClipEncoder:
        model, spec = load_encoder(self.weights, self.backbone)
        return ClipEncoder(model, spec, device=self.placed_on, backend=self.backend)

    def network(self) -> EncoderModel:
        return load_encoder(self.weights, self.backbone)[0].to(self.placed_on)

    def build(self, temporary: Path) -> None:
        with tempfile.TemporaryDirectory(dir=temporary) as index:
            build_library(
                self.data,
                only=self.files,
                index=Path(index),
                weights=self.weights,
                backbone=self.backbone,
                device=self.device,
                backend=self.backend,
            )


def _decoded(pool: DecodePool, requests: Sequence[DecodeRequest]) -> list[NDArray[np.uint8]]:
    """The clips of each file. Raises VideoError for one that cannot be read."""
    found = []
    for result in pool.map(requests):
        if result.clips is None:
            raise VideoError(f"{result.request.path}: {result.error}; measure a folder without it")
        found.append(result.clips.frames)
    return found


def _spread(names: Sequence[str], most: int) -> list[str]:
    """At most so many, evenly over all, in their order."""
    return [names[place * len(names) // most] for place in range(most)] if len(names) > most else list(names)
