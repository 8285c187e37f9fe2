"""The first tables: encoder, roots, videos, splits, vectors, clips, builds, state."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _video_key() -> sa.Column[int]:
    return sa.Column("video_key", BIG_KEY, autoincrement=False, nullable=False)


def _of_video(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["video_key"], ["videos.key"], name=f"fk_{table}_video_key", ondelete="CASCADE")


def upgrade() -> None:
    _create_library()
    _create_videos()
    op.create_table(
        "splits",
        _video_key(),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("split", sa.String(), nullable=False),
        _of_video("splits"),
        sa.PrimaryKeyConstraint("video_key", "fold", name="pk_splits"),
    )
    op.create_table(
        "vectors",
        _video_key(),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("colour_histogram", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _of_video("vectors"),
        sa.PrimaryKeyConstraint("video_key", name="pk_vectors"),
    )
    op.create_table(
        "clips",
        _video_key(),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start_seconds", sa.Double(), nullable=False),
        sa.Column("end_seconds", sa.Double(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        _of_video("clips"),
        sa.PrimaryKeyConstraint("video_key", "position", name="pk_clips"),
    )


def _create_library() -> None:
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("content_version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state"),
    )
    op.bulk_insert(state, [{"id": 1, "content_version": "0" * 16}])
    op.create_table(
        "encoder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("description", sa.JSON(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_encoder"),
    )
    op.create_table(
        "roots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roots"),
    )
    op.create_table(
        "builds",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(), nullable=False),
        sa.Column("finished", sa.DateTime(), nullable=True),
        sa.Column("layout", sa.String(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_builds"),
    )


def _create_videos() -> None:
    op.create_table(
        "videos",
        sa.Column("key", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=True),
        sa.Column("label", sa.LargeBinary(), nullable=True),
        sa.Column("group_name", sa.LargeBinary(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("fps", sa.Double(), nullable=True),
        sa.Column("num_frames", sa.BigInteger(), nullable=True),
        sa.Column("duration_seconds", sa.Double(), nullable=True),
        sa.Column("num_clips", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('indexed', 'failed')", name=op.f("ck_videos_status")),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name="fk_videos_root_id"),
        sa.PrimaryKeyConstraint("key", name="pk_videos"),
    )
    op.create_index("ix_videos_root_id", "videos", ["root_id"])
    op.create_index("ix_videos_content_hash", "videos", ["content_hash"])
