"""What changed from one content version to the next, so that publishing reads only that.

Each transaction that changes what readers are shown draws a new content version and leaves a row: the version before,
the keys of the videos that it stored and of those that it took out, and a seal over all of it. From the catalogue's
version (sealed too) the rows lead back, one by one, to the version that the current generation was made from:

    state 9f.. <- (before 41.., stored, taken out) <- (before c0.., stored, taken out) <- generation of c0..

Where a row is missing or is not the one that was stored, or a backup was restored, nothing leads there: then all of the
catalogue is published. A revision of the tables that changes what is published need only draw a content version.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, insert, select

from indexer.catalogue.models import Change, State
from indexer.catalogue.seals import seal_of_change


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Keys of videos that were stored, and of videos that were taken out, since a content version."""

    stored: frozenset[int]
    gone: frozenset[int]

    @property
    def keys(self) -> NDArray[np.int64]:
        """All of them, ascending."""
        return np.array(sorted(self.stored | self.gone), np.int64)


def note_change(connection: Connection, version: str, stored: Iterable[int], gone: Iterable[int]) -> None:
    """Say that ``version`` comes next, and what it changes; to be called before the state gets it."""
    before = connection.execute(select(State.content_version)).scalar_one()
    values: dict[str, Any] = {"before": before, "stored": _pack(stored), "gone": _pack(gone)}
    seal = seal_of_change(version, **values)
    connection.execute(insert(Change).values(content_version=version, seal=seal, **values))


def changes_since(connection: Connection, version: str) -> Changes | None:
    """All that changed since that content version; None where that cannot be told."""
    columns = select(Change.content_version, Change.before, Change.stored, Change.gone, Change.seal)
    rows = {row.content_version: row for row in connection.execute(columns)}
    at = connection.execute(select(State.content_version)).scalar_one()
    stored: set[int] = set()
    gone: set[int] = set()
    while at != version:
        row = rows.pop(at, None)
        if row is None or seal_of_change(at, before=row.before, stored=row.stored, gone=row.gone) != row.seal:
            return None
        decided = stored | gone  # by a later change
        stored |= _unpack(row.stored) - decided
        gone |= _unpack(row.gone) - decided
        at = row.before
    return Changes(stored=frozenset(stored), gone=frozenset(gone))


def forget_changes(connection: Connection) -> None:
    """A generation of the state as it is was published."""
    connection.execute(delete(Change))


def _pack(keys: Iterable[int]) -> bytes:
    return np.array(sorted(keys), "<i8").tobytes()


def _unpack(packed: bytes) -> set[int]:
    return set(np.frombuffer(packed, "<i8").tolist())
