"""What a generation shows: the rows that were published beside the index, and the vectors that they stand for.

``rows.sqlite`` (``published_rows.py``) has all that describes the library and, for each video, the digest of its
vectors. Its bytes are hashed when it is opened, like those of the index. A reader therefore shows one generation
whatever a build has committed since, and no damage to the catalogue can change what it shows: vectors of clips, too
many to publish, are read from the catalogue and compared with their digest. Those of a video that was dropped or
replaced meanwhile are kept there until no generation that is kept shows it.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.chunks import chunks
from indexer.catalogue.database import Database
from indexer.catalogue.published_rows import DIGESTS, ROWS_NAME, laid_over, row_layers
from indexer.catalogue.queries import CatalogueQueries
from indexer.catalogue.records import id_of_key, video_key
from indexer.catalogue.stored import retired_vectors, stored_vectors
from indexer.catalogue.vector_queries import (
    VECTORS_PER_BATCH,
    KeyedVectors,
    all_indexed,
    not_indexed,
)
from indexer.catalogue.vectors import ClipVectors, VideoVectors
from indexer.index import generations
from indexer.index.index_types import SearchIndex
from indexer.index.segments import batches, open_index
from rspnet_core.errors import LibraryDamaged, LibraryNotFound, LibraryOutdated

_VIDEOS_PER_READ = 50


class PublishedCatalogue(CatalogueQueries):
    """The catalogue as one generation shows it; close it.

    Reads rows from the generation, video vectors from its index, and all else from the catalogue that goes on.
    Methods that return vectors of clips or histograms raise LibraryDamaged when they are not those that were published,
    and LibraryOutdated when they are kept no more because two newer generations were published.
    """

    def __init__(self, generation: generations.Generation, target: str | Path) -> None:
        """Take over an open generation that has rows; ``target`` is where its catalogue goes on."""
        super().__init__(Database(laid_over(row_layers(generation, generation.segments)), write=False))
        self.generation = generation
        self._target = target

    @cached_property
    def index(self) -> SearchIndex:
        """The generation's index, on the CPU."""
        return open_index(self.generation)

    @cached_property
    def live(self) -> Catalogue:
        """The catalogue that builds write to, opened when it is first needed."""
        return Catalogue.open(self._target, write=False)

    def close(self) -> None:
        """Close the generation's files and the catalogue."""
        self.generation.close()
        self._database.close()
        if "live" in self.__dict__:
            self.live.close()

    def video_vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """Float32 (len(ids), D), in their order; QueryNotFound when the generation does not show one of them."""
        vectors = [self.index.vector(video_key(video_id)) for video_id in ids]
        for video_id, vector in zip(ids, vectors, strict=True):
            if vector is None:
                raise not_indexed(video_id)
        return np.array(vectors, dtype=np.float32).reshape(len(ids), self.index.dims)

    def clips_of(self, ids: Sequence[str]) -> list[ClipVectors]:
        """The clips of each video in their order; QueryNotFound when the generation does not show one of them."""
        found = dict(self._whole([video_key(video_id) for video_id in ids]))
        whole = [found[video_key(video_id)] for video_id in all_indexed(ids, found)]
        return [ClipVectors(vectors=vectors.clips, spans_seconds=vectors.spans_seconds) for vectors in whole]

    def all_vectors(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Video vectors of the generation by ascending key, at most ``batch`` at a time."""
        yield from batches(self.index, batch)

    def colour_histograms(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Colour histograms float32 (n, 512) by ascending key."""
        for keys in chunks(self.index.keys.tolist(), batch):
            histograms = {key: vectors.colour_histogram for key, vectors in self._whole(keys)}
            yield np.array(keys, dtype=np.int64), np.stack([histograms[key] for key in keys])

    def motion_energies(self, batch: int = VECTORS_PER_BATCH) -> Iterator[KeyedVectors]:
        """Motion energy float32 (n, 640), unit length, of those videos that have it, by ascending key."""
        for keys in chunks(self.index.keys.tolist(), batch):
            found = dict(self._whole(keys))
            rows = [(key, energy) for key in keys if (energy := found[key].motion_energy) is not None]
            if rows:
                yield np.array([key for key, _ in rows], dtype=np.int64), np.stack([energy for _, energy in rows])

    def _whole(self, keys: list[int]) -> Iterator[tuple[int, VideoVectors]]:
        """Key and vectors, as they were published, of those of ``keys`` that the generation shows."""
        with self._database.reading() as connection:
            digests = {
                key: digest
                for some in chunks(keys)
                for key, digest in connection.execute(select(DIGESTS).where(DIGESTS.c.video_key.in_(some)))
            }
        for some in chunks(sorted(digests), _VIDEOS_PER_READ):
            yield from self._read(some, digests)

    def _read(self, keys: list[int], digests: dict[int, bytes]) -> Iterable[tuple[int, VideoVectors]]:
        dims, found = self.generation.manifest.content.dims, {}
        with self.live.reading() as connection:
            for key, vectors, _ in stored_vectors(connection, keys, dims, has_energy=self.live.has_energy):
                if vectors is not None and vectors.digest() == digests[key]:
                    found[key] = vectors
            if self.live.keeps_retired:
                for key in set(keys) - set(found):
                    if (
                        kept := retired_vectors(connection, digests[key], dims, has_energy=self.live.has_energy)
                    ) is not None:
                        found[key] = kept
        if missing := set(keys) - set(found):
            raise self._not_there(id_of_key(min(missing)))
        return found.items()

    def _not_there(self, video_id: str) -> LibraryDamaged | LibraryOutdated:
        if self.generation.is_current():
            return LibraryDamaged(
                f"the stored vectors of video {video_id} are not those that were published; `rspnet-index repair` "
                "drops it, and the next build embeds it again"
            )
        return LibraryOutdated("newer generations of this library were published since it was opened; open it again")


AnyCatalogue = PublishedCatalogue | Catalogue


def open_published(folder: Path, target: str | Path) -> AnyCatalogue:
    """What the current generation shows; where it has no rows, or there is none, the catalogue as it is now."""
    try:
        generation = generations.open_current(folder)
    except LibraryNotFound:
        return Catalogue.open(target, write=False)
    try:
        if ROWS_NAME in generation.manifest.files:
            return PublishedCatalogue(generation, target)
        generation.close()
        return Catalogue.open(target, write=False)
    except BaseException:
        generation.close()
        raise
