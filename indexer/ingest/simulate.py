"""A library of any size without a video: vectors clustered as real ones are, to measure what grows with the library."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.catalogue.catalogue import EncoderRecord, Outcome, VideoEntry, VideoVectors
from indexer.catalogue.chunks import chunks
from indexer.catalogue.vectors import HISTOGRAM_BINS
from indexer.index.index_types import IndexChoice
from indexer.index.place import Place
from indexer.ingest.spectrum import SPECTRUM, PartSpectrum
from indexer.ingest.writer import LibraryWriter
from rspnet_core.errors import InvalidSetting, WeightsNotFound

SIMULATED = "simulated"
"""The backbone, as people read it, of a library without an encoder."""
PARTS = {"backbone": 512, "motion": 128, "appearance": 128}
"""Those of a 3D ResNet-18 with both heads."""
CLASSES = 100
PER_RECORDING = 7
FOLDERS = 10
EXAMPLES = 10
_BLOCK = CLASSES * PER_RECORDING
"""Videos drawn together: a recording of each class."""
_PER_COMMIT = 512
_ENCODER = EncoderRecord(
    fingerprint="51" * 8,
    description={
        "fingerprint": "51" * 8,
        "backbone": SIMULATED,
        "weights": "none: clustered synthetic vectors",
        "trained": None,
        "pooling": "mean",
        "geometry": {},
    },
    parts=PARTS,
)


def check_has_encoder(record: EncoderRecord) -> None:
    """Raise WeightsNotFound where a library's vectors are simulated."""
    if record.description["backbone"] == SIMULATED:
        raise WeightsNotFound(
            "this library is simulated, no encoder made its vectors; search it by ids, as `rspnet-index simulate` "
            "names some, or build videos into a new --index"
        )


def simulate_library(index: Path, videos: int, index_type: IndexChoice | None = None) -> dict[str, Any]:
    """Fill the simulated library at ``index``, made if need be, until it holds ``videos``; the document of ``--json``.

    Video number n is the same in every such library: of class n mod 100 (``--label class07`` lets 1 % through), below
    one of ten folders (``--folder part3``: 10 %), with one clip.

    Raises InvalidSetting when the library is of real videos, or already holds more.
    """
    if videos < 1:
        raise InvalidSetting(f"--videos must be at least 1, got {videos}")
    started = time.perf_counter()
    with LibraryWriter(Place.prepare(index, None)) as library:
        catalogue = library.catalogue
        before = catalogue.counts().total
        if before and catalogue.encoder() != _ENCODER:
            raise InvalidSetting(f"{index} is a library of videos; simulate into a new --index")
        if before > videos:
            raise InvalidSetting(
                f"{index} holds {before} videos already, got --videos {videos}; give more, or a new --index"
            )
        library.choose_index(index_type)
        catalogue.set_encoder(_ENCODER)
        root_id = catalogue.root_id("simulated")
        build_id = catalogue.begin_build(SIMULATED)
        for some in chunks(islice(simulated(before, root_id), videos - before), _PER_COMMIT):
            catalogue.commit(some)
        library.publish()
        catalogue.finish_build(build_id, {"total": videos, "indexed": videos - before})
    every = max(1, videos // EXAMPLES)
    examples = [_entry(number, root_id).id for number in range(0, videos, every)][:EXAMPLES]
    return {
        "folder": str(index),
        "videos": videos,
        "added": videos - before,
        "dims": _ENCODER.dims,
        "examples": examples,
        "seconds": round(time.perf_counter() - started, 3),
    }


def simulated(start: int, root_id: int) -> Iterator[Outcome]:
    """The videos from number ``start`` on, without end."""
    span = np.array([[0.0, 1.0]])
    histogram = np.full(HISTOGRAM_BINS, 1 / HISTOGRAM_BINS, np.float32)
    for number, vector in enumerate(islice(synthetic_vectors(start // _BLOCK), start % _BLOCK, None), start):
        vectors = VideoVectors(video=vector, clips=vector[None], spans_seconds=span, colour_histogram=histogram)
        yield Outcome(entry=_entry(number, root_id), vectors=vectors)


def _entry(number: int, root_id: int) -> VideoEntry:
    class_name, recording = f"class{number % CLASSES:02d}", number // _BLOCK
    return VideoEntry(
        path=f"part{number % FOLDERS}/{class_name}/v_{class_name}_g{recording:02d}_c{number:09d}.mp4",
        root_id=root_id,
        size_bytes=0,
        modified_ns=0,
        content_hash=f"{number:064x}",
        label=class_name,
        group=f"{class_name}/g{recording:02d}",
        splits={1: "test" if number % 4 == 0 else "train"},
    )


def synthetic_vectors(block: int = 0) -> Iterator[NDArray[np.float32]]:
    """Vectors float32 (768,), parts of unit length, without end, from the start of a block of 700 on."""
    bases = {name: _Basis.draw(SPECTRUM[name], length) for name, length in PARTS.items()}
    while True:
        generator = np.random.default_rng([1, block])
        yield from np.hstack([basis.block(generator) for basis in bases.values()])
        block += 1


@dataclass(frozen=True)
class _Basis:
    """What all videos share of one part, and its classes; the same in every library."""

    spectrum: PartSpectrum
    axes: NDArray[np.float32]
    """Orthonormal (dims, dims): the principal axes of recordings; videos vary along others."""
    classes: NDArray[np.float32]
    """Mean vectors (CLASSES, dims)."""

    @classmethod
    def draw(cls, spectrum: PartSpectrum, dims: int) -> "_Basis":
        generator = np.random.default_rng([0, dims, round(spectrum.shared * 10_000)])
        axes = np.linalg.qr(generator.normal(size=(dims, dims)))[0]
        scatter = generator.normal(size=(CLASSES, dims)) * spectrum.classes.scales(dims)
        classes = np.sqrt(spectrum.shared) * axes[-1] + scatter @ axes
        return cls(spectrum, axes.astype(np.float32), classes.astype(np.float32))

    def block(self, generator: np.random.Generator) -> NDArray[np.float32]:
        """Unit vectors float32 (700, dims): seven videos of one recording of each class, class by class in turn."""
        dims = self.axes.shape[1]
        recordings = generator.standard_normal((CLASSES, dims), np.float32) * self.spectrum.recordings.scales(dims)
        videos = generator.standard_normal((_BLOCK, dims), np.float32) * self.spectrum.videos.scales(dims)
        centres = self.classes + recordings.astype(np.float32) @ self.axes
        rows = np.tile(centres, (PER_RECORDING, 1)) + videos.astype(np.float32) @ self.axes[::-1]
        unit: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit
