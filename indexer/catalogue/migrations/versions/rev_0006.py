"""Videos keep when they were first indexed; those of the versions before have no such date."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No new content version: what was published shows the same, since seals of rows without a date are as they were.
    op.add_column("videos", sa.Column("added_ns", sa.BigInteger(), nullable=True))
