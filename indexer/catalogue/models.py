"""The catalogue's tables, typed, the same on SQLite and PostgreSQL. Their history is in ``migrations/``."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

CONSTRAINT_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class AnyText(TypeDecorator[str]):
    """Text that may hold any bytes: names of files and folders need not be UTF-8, and databases insist on it."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Surrogate escapes become the bytes they stand for."""
        return None if value is None else value.encode("utf-8", "surrogateescape")

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """The inverse; ValueError when damage made it another type."""
        if value is not None and not isinstance(value, bytes):
            raise ValueError("a text is stored as another type")
        return None if value is None else value.decode("utf-8", "surrogateescape")


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite stores no time zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Drop the zone after converting to UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Put the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


BigKey = BigInteger().with_variant(Integer, "sqlite")
"""63-bit integer; on SQLite the type INTEGER makes it the table's row number, so that rows lie in order of key."""


class Base(DeclarativeBase):
    """The tables of one catalogue."""

    metadata = MetaData(naming_convention=CONSTRAINT_NAMES)


class State(Base):
    """One row: which videos and vectors the catalogue holds now."""

    __tablename__ = "state"

    id: Mapped[int] = mapped_column(primary_key=True)
    content_version: Mapped[str]
    """Drawn anew in each transaction that changes what readers are shown: a restored backup can never look current by
    accident."""
    seal: Mapped[bytes | None]


class Encoder(Base):
    """At most one row: the encoder of all vectors."""

    __tablename__ = "encoder"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    description: Mapped[dict[str, Any]] = mapped_column(JSON)
    parts: Mapped[list[list[Any]]] = mapped_column(JSON)
    """Pairs of name and length, in the order of the vector."""
    seal: Mapped[bytes | None]


class Root(Base):
    """A data folder: absolute, or relative to the index folder."""

    __tablename__ = "roots"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(AnyText)
    seal: Mapped[bytes | None]


class Video(Base):
    """A file of a data folder: indexed, or failed with a reason.

    The key is derived from root and path, so it keeps them unique; an index over paths would refuse long ones on
    PostgreSQL (2704 bytes).
    """

    __tablename__ = "videos"
    __table_args__ = (CheckConstraint("status IN ('indexed', 'failed')", name="status"),)

    key: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id"), index=True)
    path: Mapped[str] = mapped_column(AnyText)
    status: Mapped[str]
    reason: Mapped[str | None] = mapped_column(AnyText)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    modified_ns: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[str | None] = mapped_column(index=True)
    label: Mapped[str | None] = mapped_column(AnyText)
    group: Mapped[str | None] = mapped_column("group_name", AnyText)
    width: Mapped[int | None]
    height: Mapped[int | None]
    fps: Mapped[float | None] = mapped_column(Double)
    num_frames: Mapped[int | None] = mapped_column(BigInteger)
    duration_seconds: Mapped[float | None] = mapped_column(Double)
    num_clips: Mapped[int]
    predicted_class: Mapped[str | None] = mapped_column(AnyText)
    predicted_probability: Mapped[float | None] = mapped_column(Double)
    added_ns: Mapped[int | None] = mapped_column(BigInteger)
    """When it was first indexed, from 1970 in UTC; None where a version that did not keep it had indexed it before."""
    seal: Mapped[bytes | None]
    """Over all other columns and the video's splits."""


class Split(Base):
    """The side a video stands on in one fold."""

    __tablename__ = "splits"

    video_key: Mapped[int] = mapped_column(BigKey, ForeignKey("videos.key", ondelete="CASCADE"), primary_key=True)
    fold: Mapped[int] = mapped_column(primary_key=True)
    split: Mapped[str]


class Vector(Base):
    """The video vector and the baselines' own; apart from ``videos``, which so stays quick to scan."""

    __tablename__ = "vectors"

    video_key: Mapped[int] = mapped_column(
        BigKey, ForeignKey("videos.key", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    vector: Mapped[bytes]
    colour_histogram: Mapped[bytes]
    motion_energy: Mapped[bytes | None]
    """None for a video that a version without it has indexed."""
    digest: Mapped[bytes]


class Clip(Base):
    """One clip of a video: its span and its vector."""

    __tablename__ = "clips"

    video_key: Mapped[int] = mapped_column(BigKey, ForeignKey("videos.key", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    start_seconds: Mapped[float] = mapped_column(Double)
    end_seconds: Mapped[float] = mapped_column(Double)
    vector: Mapped[bytes]


class Retired(Base):
    """All vectors of a video that was dropped or replaced, for readers of the generations that still show it."""

    __tablename__ = "retired"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """Of the vectors, as it stood beside them."""
    age: Mapped[int]
    """How many generations were published since; of age 2, no generation that is kept shows the video."""
    vector: Mapped[bytes]
    colour_histogram: Mapped[bytes]
    motion_energy: Mapped[bytes | None]
    clips: Mapped[bytes]
    """All clip vectors, one after the other."""
    spans: Mapped[bytes]


class Change(Base):
    """What one transaction changed of what readers are shown; kept until it is published (``changes.py``)."""

    __tablename__ = "changes"

    content_version: Mapped[str] = mapped_column(primary_key=True)
    """Which the transaction led to."""
    before: Mapped[str]
    """The content version that it found."""
    stored: Mapped[bytes]
    """Keys of new and replaced videos, little-endian int64."""
    gone: Mapped[bytes]
    """Keys of videos that were taken out."""
    seal: Mapped[bytes]


class Build(Base):
    """One run of a build."""

    __tablename__ = "builds"

    id: Mapped[int] = mapped_column(primary_key=True)
    started: Mapped[datetime] = mapped_column(UtcTime)
    finished: Mapped[datetime | None] = mapped_column(UtcTime)
    layout: Mapped[str]
    counts: Mapped[dict[str, int]] = mapped_column(JSON)
