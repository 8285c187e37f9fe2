"""Does a generation show what the catalogue holds? Publishing writes what changed; this reads all of both."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Select, select

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.models import Vector, Video
from indexer.catalogue.published import open_published
from indexer.catalogue.published_rows import DIGESTS

Rows = Select[Any] | Select[Any, Any]

_ROWS_PER_READ = 4096
_RECORDS = select(Video.key, Video.seal).order_by(Video.key)
_DIGESTS_HERE = select(Vector.video_key, Vector.digest).order_by(Vector.video_key)
_DIGESTS_THERE = select(DIGESTS).order_by(DIGESTS.c.video_key)


def disagreement(catalogue: Catalogue, folder: Path, target: str | Path) -> str | None:
    """What the current generation, made from this state of the catalogue, shows otherwise, in words; None for nothing.

    Raises LibraryDamaged where the generation cannot be read.
    """
    shown = open_published(folder, target)
    try:
        with shown.reading() as there, catalogue.reading() as here:
            if not _same(there, _RECORDS, here, _RECORDS):
                return "rows of videos"
            if not _same(there, _DIGESTS_THERE, here, _DIGESTS_HERE):
                return "vectors of clips"
        for one, other in zip_longest(shown.all_vectors(), catalogue.all_vectors()):
            if one is None or other is None or not all(map(np.array_equal, one, other)):
                return "vectors of videos"
        return None
    finally:
        shown.close()


def _same(there: Connection, in_it: Rows, here: Connection, in_this: Rows) -> bool:
    options = {"yield_per": _ROWS_PER_READ}
    one, other = (of.execute(rows, execution_options=options) for of, rows in ((there, in_it), (here, in_this)))
    return all(left == right for left, right in zip_longest(one, other))
