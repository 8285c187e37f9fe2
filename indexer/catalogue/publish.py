"""A generation as a function of the catalogue: what changed since the current one as a segment, or all of it as one.

Written aside, then switched to. What is published was read from the catalogue and compared with its seals and digests
before: damage there never gets into a generation.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path

import numpy as np

from indexer.catalogue.catalogue import Catalogue, EncoderRecord
from indexer.catalogue.published_rows import ROWS_NAME, laid_over, row_layers, rows_of
from indexer.catalogue.vector_queries import VECTORS_PER_BATCH
from indexer.index import generations
from indexer.index.durable import Writers
from indexer.index.index_types import INDEX_TYPES, Batches, IndexKind, SearchIndex, SegmentIndex, build_index
from indexer.index.manifest import Content, Segment
from indexer.index.segments import (
    KEYS_NAME,
    Keys,
    SegmentedIndex,
    batches,
    count_kept,
    decided_keys,
    open_index,
    read_parts,
    write_keys,
)
from rspnet_core.errors import LibraryDamaged, LibraryError


@dataclass(frozen=True, kw_only=True)
class _Next:
    """The segment to be written."""

    index: SegmentIndex
    rows: bytes
    keys: Keys | None = None
    """Of the videos that it decides; None: it holds all that there is."""
    older: tuple[Segment, ...] = ()
    """Which it is added to."""

    def writers(self) -> Writers:
        """Of its files."""
        files = {**self.index.writers(), ROWS_NAME: lambda sink: sink.write(self.rows)}
        return files if self.keys is None else files | {KEYS_NAME: partial(write_keys, self.keys)}


_Build = Callable[[Batches], SegmentIndex]


def publish_index(catalogue: Catalogue, folder: Path, *, kind: IndexKind | None = None, always: bool = False) -> None:
    """Publish what the catalogue holds now, unless the current generation already holds it.

    Writes what changed since then as a segment (``indexer/index/segments.py``). All of the catalogue is read and
    written where no sound generation is there to go on with, where so much changed that it would be written again
    anyway, or ``always``. ``kind`` is of the index of what is written; None chooses by its size. The caller holds the
    writer's lock. Raises LibraryDamaged when a video that is to be written
    is not what was stored, LibraryError when the disk refuses; what was current then stays so.
    """
    record = catalogue.encoder()
    if record is None:
        raise LibraryError(f"the library in {folder} has no encoder yet; run `rspnet-index build` first")
    version = catalogue.content_version()
    if not always and is_current(folder, version, record.fingerprint):
        return
    build = partial(build_index, parts=[*record.parts.values()], kind=kind)
    new = (None if always else _changed(catalogue, folder, record, build)) or _everything(catalogue, build)
    content = Content(
        content_version=version,
        fingerprint=record.fingerprint,
        count=len(new.index),
        dims=record.dims,
        index_type=new.index.kind,
        approximation=new.index.approximation,
        replaced=0 if new.keys is None else len(new.keys),
    )
    generations.publish(folder, new.writers(), content, new.older)
    catalogue.let_go()


def _everything(catalogue: Catalogue, build: _Build) -> _Next:
    _refuse(catalogue.damaged(deep=True))
    return _Next(index=build(catalogue.all_vectors()), rows=rows_of(catalogue))


def _changed(catalogue: Catalogue, folder: Path, record: EncoderRecord, build: _Build) -> _Next | None:
    """What changed, merged with the segments that are small beside it; None where everything is to be published."""
    try:
        generation = generations.open_current(folder)
    except LibraryError:
        return None
    with generation:
        changes = catalogue.changes_since(generation.manifest.content.content_version)
        if changes is None or not _goes_on(generation, record):
            return None
        kept = count_kept([segment.size for segment in generation.segments], len(changes.keys))
        if kept == 0:
            return None
        _refuse(catalogue.damaged_among(changes.stored))
        own = _Next(
            index=build(catalogue.vectors_among(changes.stored)),
            rows=rows_of(catalogue, changes.stored),
            keys=changes.keys,
            older=generation.segments[:kept],
        )
        try:
            return _merged(generation, generation.segments[kept:], own, build)
        except LibraryDamaged:
            return None


def _goes_on(generation: generations.Generation, record: EncoderRecord) -> bool:
    content = generation.manifest.content
    known = all(ROWS_NAME in each.files and each.index_type in INDEX_TYPES for each in generation.segments)
    return known and (content.fingerprint, content.dims) == (record.fingerprint, record.dims)


def _refuse(damaged: Mapping[str, str]) -> None:
    for video, problem in damaged.items():
        raise LibraryDamaged(
            f"video {video} of the catalogue is damaged ({problem}), and nothing was published; run `rspnet-index "
            "repair`, which drops what is damaged, and then the build again"
        )


def _merged(generation: generations.Generation, segments: Sequence[Segment], last: _Next, build: _Build) -> _Next:
    """These segments and the one to be written as one. Raises LibraryDamaged."""
    if not segments or last.keys is None:
        return last
    parts = SegmentedIndex([*read_parts(generation, segments, last.keys), last.index])
    with closing(laid_over([*row_layers(generation, segments), (last.rows, last.keys)])) as rows:
        return replace(
            last,
            index=build(batches(parts, VECTORS_PER_BATCH)),
            rows=rows.serialize(),
            keys=reduce(np.union1d, decided_keys(generation, segments), last.keys),
        )


def is_current(folder: Path, content_version: str, fingerprint: str) -> bool:
    """Whether the published generation is sound in name and made from this state of the catalogue."""
    try:
        with generations.open_current(folder) as generation:
            manifest = generation.manifest
    except LibraryError:
        return False
    found = (manifest.content.content_version, manifest.content.fingerprint)
    return ROWS_NAME in manifest.files and found == (content_version, fingerprint)


def open_current_index(folder: Path, fingerprint: str) -> SearchIndex:
    """The current generation's index, its bytes verified.

    Raises LibraryNotFound or LibraryDamaged when there is none, and when it is of another encoder than ``fingerprint``.
    """
    with generations.open_current(folder) as generation:
        content = generation.manifest.content
        if content.fingerprint != fingerprint:
            raise LibraryDamaged(
                f"the index in {folder} is of encoder {content.fingerprint}, the catalogue of {fingerprint}; "
                "finish the build, or run `rspnet-index repair`"
            )
        return open_index(generation)
