"""Rows carry seals; vectors of videos that left are kept while a generation shows them."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("state", "encoder", "roots", "videos"):
        op.add_column(table, sa.Column("seal", sa.LargeBinary(), nullable=True))
    op.create_table(
        "retired",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("age", sa.Integer(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("colour_histogram", sa.LargeBinary(), nullable=False),
        sa.Column("clips", sa.LargeBinary(), nullable=False),
        sa.Column("spans", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_retired"),
    )
    # Generations of the versions before have no rows: another content makes the next build publish.
    op.execute(sa.text("UPDATE state SET content_version = :new").bindparams(new=secrets.token_hex(8)))
