"""What it costs to keep more videos, as a library grows::

commit    64 videos in one transaction     plain: a transaction each
publish   one more video, as a segment     plain: the whole index written anew
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from indexer.bench.turns import Measured
from indexer.catalogue.catalogue import Catalogue, Outcome
from indexer.catalogue.commits import VIDEOS_PER_COMMIT
from indexer.index.place import Place
from indexer.ingest.simulate import simulate_library, simulated
from indexer.ingest.writer import LibraryWriter
from rspnet_core.bench.clock import seconds_of

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class PublishSpeed:
    """What :func:`measure_publish` found."""

    rounds: int
    sizes: dict[int, list[Measured]]
    """By how many videos the library held before."""

    def document(self) -> dict[str, Any]:
        """As ``rspnet-index speed publish --json`` prints it."""
        sizes = [
            {"videos": videos, "rows": [row.document() for row in rows]} for videos, rows in sorted(self.sizes.items())
        ]
        return {"rounds": self.rounds, "sizes": sizes}


def measure_publish(sizes: Sequence[int], *, rounds: int = 3) -> PublishSpeed:
    """Time it on libraries of simulated videos, in a temporary folder, ``rounds`` times each.

    Raises LibraryError where nothing can be written there.
    """
    found = {}
    for videos in sizes:
        with TemporaryDirectory() as folder:
            found[videos] = _measured(Path(folder), videos, rounds)
    return PublishSpeed(rounds, found)


def _measured(folder: Path, videos: int, rounds: int) -> list[Measured]:
    simulate_library(folder, videos)
    commit, publish = (Measured(name, [], []) for name in ("commit", "publish"))
    with LibraryWriter(Place.find(folder)) as library:
        catalogue = library.catalogue
        to_come = simulated(videos, catalogue.root_id("simulated"))

        def take(count: int) -> list[Outcome]:
            return [next(to_come) for _ in range(count)]

        for _ in range(rounds + 1):
            commit.ours.append(seconds_of(partial(catalogue.commit, take(VIDEOS_PER_COMMIT)), _CPU))
            commit.plain.append(seconds_of(partial(_one_by_one, catalogue, take(VIDEOS_PER_COMMIT)), _CPU))
            library.publish()
            catalogue.commit(take(1))
            publish.ours.append(seconds_of(library.publish, _CPU))
            catalogue.commit(take(1))
            publish.plain.append(seconds_of(partial(library.publish, always=True), _CPU))
    return [Measured(row.name, row.ours[1:], row.plain[1:]) for row in (commit, publish)]


def _one_by_one(catalogue: Catalogue, outcomes: list[Outcome]) -> None:
    for each in outcomes:
        catalogue.commit([each])
