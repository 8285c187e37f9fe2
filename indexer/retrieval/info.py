"""What a library holds, in figures."""

import os
from typing import Any

from indexer.catalogue.catalogue import EncoderRecord
from indexer.catalogue.published import AnyCatalogue, PublishedCatalogue
from indexer.index import generations
from indexer.index.place import Place


def library_info(place: Place, catalogue: AnyCatalogue, record: EncoderRecord) -> dict[str, Any]:
    """The document of ``rspnet-index info --json``. Raises LibraryNotFound when nothing was published."""
    counts = catalogue.counts()
    if isinstance(catalogue, PublishedCatalogue):
        manifest, live = catalogue.generation.manifest, catalogue.live
    else:
        live = catalogue
        with generations.open_current(place.folder) as generation:
            manifest = generation.manifest
    largest = max(manifest.segments, key=lambda segment: segment.count)
    return {
        "videos": {"indexed": counts.indexed, "failed": counts.failed, "total": counts.total}
        | {"partial": len(catalogue.partial())},
        "clips": counts.clips,
        "encoder": dict(record.description),
        "generation": manifest.generation,
        "segments": len(manifest.segments),
        "index_type": largest.index_type,
        "recall": min((each.approximation.recall for each in manifest.segments if each.approximation), default=1.0),
        "up_to_date": manifest.content.content_version == live.content_version(),
        "data": sorted(os.path.normpath(place.folder / root) for root in catalogue.roots().values()),
        "folder": str(place.folder),
    }
