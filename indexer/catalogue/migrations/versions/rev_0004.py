"""Videos keep their motion energy, the baseline of motion beside the colour histogram; older ones have none."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("vectors", "retired"):
        op.add_column(table, sa.Column("motion_energy", sa.LargeBinary(), nullable=True))
