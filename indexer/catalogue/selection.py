"""Which videos pass filters, as keys: what a search is restricted to."""

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from indexer.catalogue.models import Split, Video


def selected_keys(
    connection: Connection, *, label: str | None, split: str | None, fold: int | None, folder: str | None
) -> NDArray[np.int64]:
    """Keys int64 (n,), ascending, of the indexed videos that pass every filter given."""
    statement = select(Video.key).where(Video.status == "indexed").order_by(Video.key)
    if label is not None:
        statement = statement.where(Video.label == label)
    if split is not None or fold is not None:
        sides = select(Split.video_key)
        sides = sides if split is None else sides.where(Split.split == split)
        sides = sides if fold is None else sides.where(Split.fold == fold)
        statement = statement.where(Video.key.in_(sides))
    prefix = (folder or "").strip("/")
    if prefix not in ("", "."):
        # Paths compare as bytes, and "0" is the byte after "/".
        statement = statement.where(Video.path >= f"{prefix}/", Video.path < f"{prefix}0")
    return np.fromiter(connection.scalars(statement), dtype=np.int64)
