"""Which videos pass filters, as keys: what a search is restricted to."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ColumnElement, Connection, and_, cast, func, null, or_, select

from indexer.catalogue.models import Split, Video

Measure = Literal["duration_seconds", "size_bytes", "modified_ns", "added_ns"]
"""What is known of a video as a number; ``modified_ns`` and ``added_ns`` count from 1970 in UTC."""
Span = tuple[float | None, float | None]
"""At least and at most, both included; None does not bound."""
LARGEST_INT = 2**63 - 1
"""What databases compare with: a whole number beyond it is refused by them."""


def selected_keys(
    connection: Connection,
    *,
    label: str | None,
    split: str | None,
    fold: int | None,
    folder: str | None,
    within: Mapping[Measure, Span],
    but_groups: Collection[str],
    has_added: bool,
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
    if but_groups:
        statement = statement.where(or_(Video.group.is_(None), Video.group.not_in(but_groups)))
    for measure, (least, most) in within.items():
        column = _column(
            measure, has_added=has_added
        )  # NULL is neither above nor below a bound: such a video does not pass
        statement = statement if least is None else statement.where(column >= least)
        statement = statement if most is None else statement.where(column <= most)
    return np.fromiter(connection.scalars(statement), dtype=np.int64)


def _column(measure: Measure, *, has_added: bool) -> ColumnElement[Any]:
    """Its values; NULL where the tables do not have ``added_ns`` yet, as no build has brought them up to date."""
    column: ColumnElement[Any] = getattr(Video, measure).expression
    return column if has_added or measure != "added_ns" else cast(null(), BigInteger)


def measured_extent(connection: Connection, measure: Measure, *, has_added: bool) -> tuple[float, float] | None:
    """The least and the most of the indexed videos; None where it is known of none."""
    column = _column(measure, has_added=has_added)
    least, most = connection.execute(select(func.min(column), func.max(column)).where(Video.status == "indexed")).one()
    return None if least is None else (least, most)


def repeated_contents(connection: Connection) -> list[str]:
    """Contents that more than one indexed video has."""
    statement = select(Video.content_hash).where(Video.status == "indexed", Video.content_hash.is_not(None))
    return [
        content
        for content in connection.scalars(statement.group_by(Video.content_hash).having(func.count() > 1))
        if content
    ]


def has_one_of(contents: Collection[str]) -> ColumnElement[bool]:
    """Whether an indexed video has one of these contents."""
    return and_(Video.status == "indexed", Video.content_hash.in_(contents))
