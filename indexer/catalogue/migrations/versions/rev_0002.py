"""Videos keep the class that an encoder with a classifier predicts, and its probability."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode: a new table in place of the old one would take the rows of vectors and clips with it.
    op.add_column("videos", sa.Column("predicted_class", sa.LargeBinary(), nullable=True))
    op.add_column("videos", sa.Column("predicted_probability", sa.Double(), nullable=True))
