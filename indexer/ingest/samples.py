"""Videos of a build, to try its encoder on before it begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.ingest.engines import DecodeEngine
from rspnet_core.config import ClipGeometry
from rspnet_core.video.datasets.dataset import VideoFile
from rspnet_core.video.reading.sandbox import DecodeRequest


@dataclass(frozen=True)
class Samples:
    """The files of a build, below ``root``, and what decodes them."""

    files: Sequence[VideoFile]
    root: Path
    engine: DecodeEngine

    def spread(self, most: int) -> list[VideoFile]:
        """At most so many of the files that the scan found no fault with, evenly over all, in their order."""
        files = [file for file in self.files if file.problem is None]
        return [files[place * len(files) // most] for place in range(most)] if len(files) > most else files

    def clips(self, files: Sequence[VideoFile], geometry: ClipGeometry) -> Iterator[NDArray[np.uint8]]:
        """Clips uint8 (num_clips, T, size, size, 3), RGB, of each of these that can be decoded, as they are."""
        requests = (
            DecodeRequest(path := self.root / file.path, geometry, opened=path if file.target is None else file.target)
            for file in files
        )
        return (result.clips.frames for result in self.engine.map(requests) if result.clips is not None)
