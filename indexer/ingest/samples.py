"""Videos of a build, to try its encoder on before it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.ingest.engines import DecodeEngine
from rspnet_core.config import ClipGeometry
from rspnet_core.video.datasets.dataset import VideoFile
from rspnet_core.video.reading.sandbox import DecodeRequest

T = TypeVar("T")


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly over all, in their order."""
    return [items[place * len(items) // most] for place in range(most)] if len(items) > most else list(items)


@dataclass(frozen=True)
class Samples:
    """The files of a build, below ``root``, and what decodes them."""

    files: Sequence[VideoFile]
    root: Path
    engine: DecodeEngine

    def spread(self, most: int) -> list[VideoFile]:
        """At most so many of the files that the scan found no fault with, evenly over all, in their order."""
        return spread([file for file in self.files if file.problem is None], most)

    def clips(self, files: Sequence[VideoFile], geometry: ClipGeometry) -> Iterator[NDArray[np.uint8]]:
        """Clips uint8 (num_clips, T, size, size, 3), RGB, of each of these that can be decoded, as they are."""
        requests = (
            DecodeRequest(path := self.root / file.path, geometry, opened=path if file.target is None else file.target)
            for file in files
        )
        return (result.clips.frames for result in self.engine.map(requests) if result.clips is not None)
