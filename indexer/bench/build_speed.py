"""What a build costs beside a plain loop, and beside decoding and encoding alone::

decode   all cores decode                              plain: decord at full size, one file after the other
encode   clips that are decoded already to vectors     plain: the network in float32, as it was trained
build    both at once, catalogue, index                plain: the loop of both; bound: decode + encode
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from indexer.bench.turns import Measured, in_turns
from indexer.ingest.build import build_library
from indexer.ingest.encoder import ClipEncoder, choose_device
from rspnet_core.bench.plain_loop import plain_features
from rspnet_core.cores import usable_cores
from rspnet_core.errors import VideoError
from rspnet_core.inference.backends import BackendName
from rspnet_core.video.datasets.dataset import scan
from rspnet_core.video.reading.plain import plain_clips
from rspnet_core.video.reading.sandbox import DecodePool, DecodeRequest, DecodeResult
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
    placed_on = choose_device(device)
    files = _spread([file.path for file in scan(data).files], videos)
    paths = [data / name for name in files]
    model, spec = load_encoder(weights, backbone)
    encoder = ClipEncoder(model, spec, device=placed_on, backend=backend)
    plain_model = load_encoder(weights, backbone)[0].to(placed_on)
    requests = [DecodeRequest(path, spec.geometry) for path in paths]
    with DecodePool(usable_cores()) as pool, tempfile.TemporaryDirectory() as temporary:

        def decode() -> list[DecodeResult]:
            results = list(pool.map(requests))
            for result in results:
                if result.clips is None:
                    raise VideoError(f"{result.request.path}: {result.error}; measure a folder without it")
            return results

        def build() -> None:
            with tempfile.TemporaryDirectory(dir=temporary) as index:
                build_library(
                    data,
                    only=files,
                    index=Path(index),
                    weights=weights,
                    backbone=backbone,
                    device=device,
                    backend=backend,
                )

        decoded = [result.clips.frames for result in decode() if result.clips is not None]
        plain_decoded = [plain_clips(path, spec) for path in paths]
        rows = in_turns(
            {
                "decode": (decode, lambda: [plain_clips(path, spec) for path in paths]),
                "encode": (
                    lambda: [encoder.encode([frames]) for frames in decoded],
                    lambda: [plain_features(plain_model, clips, placed_on) for clips in plain_decoded],
                ),
                "build": (
                    build,
                    lambda: [plain_features(plain_model, plain_clips(path, spec), placed_on) for path in paths],
                ),
            },
            rounds,
            placed_on,
        )
    alone = sum(median(row.ours) for row in rows[:2])
    described = {
        "backbone": spec.backbone,
        "backend": backend,
        "device": str(placed_on),
        "precision": str(encoder.precision).removeprefix("torch."),
    }
    return BuildSpeed(len(files), rounds, described, [*rows[:2], replace(rows[2], bound=alone)])


def _spread(names: Sequence[str], most: int) -> list[str]:
    """At most so many, evenly over all, in their order."""
    return [names[place * len(names) // most] for place in range(most)] if len(names) > most else list(names)
