"""A generation as a function of the catalogue: read all rows and vectors, write them aside, switch to them."""

from pathlib import Path

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.published import ROWS_NAME, rows_of
from indexer.index import generations
from indexer.index.index_types import FILE_NAME, FLAT, SearchIndex, index_type
from rspnet_core.errors import LibraryDamaged, LibraryError


def publish_index(catalogue: Catalogue, folder: Path, *, always: bool = False) -> None:
    """Publish what the catalogue holds now, unless the current generation already holds it (or ``always``).

    All of it is read and compared with its digests first: damage to the catalogue never gets into a generation. The
    caller holds the writer's lock. Raises LibraryDamaged when a video is not what was stored, LibraryError when the
    disk refuses; what was current then stays so.
    """
    record = catalogue.encoder()
    if record is None:
        raise LibraryError(f"the library in {folder} has no encoder yet; run `rspnet-index build` first")
    version = catalogue.content_version()
    if not always and is_current(folder, version, record.fingerprint):
        return
    for video, problem in catalogue.damaged(deep=True).items():
        raise LibraryDamaged(
            f"video {video} of the catalogue is damaged ({problem}), and nothing was published; run `rspnet-index "
            "repair`, which drops what is damaged, and then the build again"
        )
    index = index_type(FLAT).build(catalogue.all_vectors(), record.dims)
    content = generations.Content(
        content_version=version, fingerprint=record.fingerprint, count=len(index), dims=record.dims
    )
    rows = rows_of(catalogue)
    generations.publish(folder, {FILE_NAME: index.write, ROWS_NAME: lambda sink: sink.write(rows)}, content)
    catalogue.let_go()


def is_current(folder: Path, content_version: str, fingerprint: str) -> bool:
    """Whether the published generation is sound in name and made from this state of the catalogue."""
    try:
        with generations.open_current(folder) as generation:
            manifest = generation.manifest
    except LibraryError:
        return False
    found = (manifest.content.content_version, manifest.content.fingerprint)
    return ROWS_NAME in manifest.files and found == (content_version, fingerprint)


def open_index(folder: Path, fingerprint: str) -> SearchIndex:
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
        read = index_type(content.index_type).read
        return read(generation.verified(FILE_NAME), count=content.count, dims=content.dims)
