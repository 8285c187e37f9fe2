"""What a search costs beside a plain product of all vectors with the query::

search   by an indexed video: index, catalogue, scores of the parts     plain: numpy over the vectors, in memory
bound: memory that an exact scan reads
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from indexer.bench.turns import Measured, in_turns
from indexer.catalogue.catalogue import id_of_key
from indexer.retrieval.library import Library
from rspnet_core.bench.clock import seconds_of

TOP = 20
_PROBED_FLOATS = 2**26
"""Of the array by which memory is timed, 256 MB: no cache holds it."""
_PROBES = 5
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class SearchSpeed:
    """What :func:`measure_search` found."""

    videos: int
    queries: int
    rounds: int
    gigabytes_per_second: float
    """That memory is read with here."""
    rows: list[Measured]

    def document(self) -> dict[str, Any]:
        """As ``rspnet-index speed search --json`` prints it."""
        return {
            "videos": self.videos,
            "queries": self.queries,
            "rounds": self.rounds,
            "gigabytes_per_second": self.gigabytes_per_second,
            "rows": [row.document() for row in self.rows],
        }


def measure_search(index: Path, *, queries: int = 20, rounds: int = 3) -> SearchSpeed:
    """Time ``queries`` searches of 20 hits by videos of a library, spread evenly, one after the other, on a CPU.

    The plain code holds all vectors in memory. Raises LibraryError where there is no library.
    """
    with Library.open(index, device="cpu") as library:
        keys = library.index.keys
        asked = [id_of_key(int(keys[place * len(keys) // queries])) for place in range(min(queries, len(keys)))]
        part = library.layout.slices()["backbone"]
        vectors = np.concatenate([batch for _, batch in library.catalogue.all_vectors()])[:, part].copy()
        rows_of = [place * len(keys) // queries for place in range(len(asked))]

        def plain() -> None:
            for row in rows_of:
                scores = vectors @ vectors[row]
                np.argsort(-scores[np.argpartition(-scores, min(TOP, len(scores) - 1))[:TOP]])

        def ours() -> None:
            for video_id in asked:
                library.search(video_id, top=TOP)

        (measured,) = in_turns({"search": (ours, plain)}, rounds, _CPU)
        bandwidth = _bytes_per_second()
        bound = len(asked) * library.index.bytes_per_search / bandwidth
        return SearchSpeed(len(keys), len(asked), rounds, bandwidth / 1e9, [replace(measured, bound=bound)])


def _bytes_per_second() -> float:
    """That all cores read memory with: the sum of a large array."""
    probed = torch.ones(_PROBED_FLOATS)
    seconds = [seconds_of(probed.sum, _CPU) for _ in range(_PROBES)]
    return probed.numel() * probed.element_size() / median(seconds[1:])
