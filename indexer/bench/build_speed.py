"""What a build costs beside a plain loop, and beside decoding and encoding alone::

decode   all cores decode                              plain: decord at full size, one file after the other
copies   all cores decode reduced copies, ``--cache``  plain: the same
encode   clips that are decoded already to vectors,    plain: the network in float32, as it was trained
         as many videos at once as a build
build    both at once, catalogue, index                plain: the loop of both; bound: decode + encode
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor

from indexer.bench.turns import Measured, Work, in_turns
from indexer.ingest.build import build_library
from indexer.ingest.encoder import ClipEncoder, choose_device
from indexer.ingest.encoding import choose_streams, encoded
from indexer.ingest.samples import spread
from rspnet_core.bench.plain_loop import plain_features
from rspnet_core.config import EncoderSpec
from rspnet_core.cores import usable_cores
from rspnet_core.errors import VideoError
from rspnet_core.inference.backends import BackendName
from rspnet_core.models.two_head import EncoderModel
from rspnet_core.video.datasets.dataset import scan
from rspnet_core.video.reading.copies import ReducedCopies
from rspnet_core.video.reading.plain import plain_clips
from rspnet_core.video.reading.reduced import SHORT_SIDE
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest, DecodeResult
from rspnet_core.weights.sources import load_encoder

Kind = Literal["decode", "copies", "encode", "build"]


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
    kinds: Sequence[Kind] = ("decode", "encode", "build"),
    weights: str | None = None,
    backbone: str | None = None,
    device: str = "auto",
    backend: BackendName = "torch",
    videos: int = 20,
    rounds: int = 3,
) -> BuildSpeed:
    """Time these kinds of work on ``videos`` files of a folder, spread evenly over it, ``rounds`` times each.

    ``copies`` are left out for an encoder that sees more pixels than they have. Nothing is written to the folder:
    libraries and copies are made in a temporary one. Raises what ``build_library`` does, and VideoError for a file that
    either side cannot read.
    """
    files = spread([file.path for file in scan(data).files], videos)
    chosen = _Chosen(data, weights, backbone, device, backend, files)
    with (
        tempfile.TemporaryDirectory() as temporary,
        DecodePool(usable_cores()) as pool,
        DecodePool(usable_cores(), copies=ReducedCopies(Path(temporary, "copies"))) as copying,
    ):
        rows = in_turns(chosen.work(kinds, pool, copying, Path(temporary)), rounds, chosen.placed_on)
    seconds = {row.name: median(row.ours) for row in rows}
    if seconds.keys() >= {"decode", "encode"}:
        alone = seconds["decode"] + seconds["encode"]
        rows = [replace(row, bound=alone) if row.name == "build" else row for row in rows]
    return BuildSpeed(len(files), rounds, chosen.described(), rows)


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

    @cached_property
    def spec(self) -> EncoderSpec:
        return load_encoder(self.weights, self.backbone)[1]

    @cached_property
    def encoder(self) -> ClipEncoder:
        model, spec = load_encoder(self.weights, self.backbone)
        encoder = ClipEncoder(model, spec, device=self.placed_on, backend=self.backend)
        encoder.streams = choose_streams(encoder)
        return encoder

    @cached_property
    def network(self) -> EncoderModel:
        return load_encoder(self.weights, self.backbone)[0].to(self.placed_on)

    def described(self) -> dict[str, Any]:
        return {
            "backbone": self.spec.backbone,
            "backend": self.backend,
            "device": str(self.placed_on),
            "precision": str(self.encoder.precision).removeprefix("torch."),
        }

    def work(
        self, kinds: Sequence[Kind], pool: DecodePool, copying: DecodePool, temporary: Path
    ) -> dict[str, tuple[Work, Work]]:
        """Ours and the plain code of each kind."""
        paths = [self.data / name for name in self.files]
        plain_decode = partial(_plainly, paths, self.spec)
        found: dict[str, tuple[Work, Work]] = {}
        if "decode" in kinds:
            found["decode"] = partial(self.decode, pool), plain_decode
        if "copies" in kinds and self.spec.geometry.size <= SHORT_SIDE:
            # Made in the first of the turns, which does not count.
            found["copies"] = partial(self.decode, copying), plain_decode
        if "encode" in kinds:
            results, plainly = self.decode(pool), plain_decode()
            found["encode"] = (
                lambda: list(encoded(self.encoder, results)),
                lambda: [plain_features(self.network, each, self.placed_on) for each in plainly],
            )
        if "build" in kinds:
            found["build"] = (
                partial(self.build, temporary),
                lambda: [plain_features(self.network, plain_clips(path, self.spec), self.placed_on) for path in paths],
            )
        return found

    def decode(self, pool: DecodePool) -> list[DecodeResult]:
        return _decoded(pool, [DecodeRequest(self.data / name, self.spec.geometry) for name in self.files])

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


def _decoded(pool: DecodePool, requests: Sequence[DecodeRequest]) -> list[DecodeResult]:
    """Each file, with its clips. Raises VideoError for one that cannot be read."""
    found = list(pool.map(requests))
    for result in found:
        if result.clips is None:
            raise VideoError(f"{result.request.path}: {result.error}; measure a folder without it")
    return found


def _plainly(paths: Sequence[Path], spec: EncoderSpec) -> list[Tensor]:
    return [plain_clips(path, spec) for path in paths]
