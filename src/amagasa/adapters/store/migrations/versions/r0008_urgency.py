"""Urgency of what waits for an ally. What waits already counts as protection; it is settled within minutes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("crossing", sa.Column("urgency", sa.Integer(), nullable=False, server_default="2"))
    op.create_index(
        "crossing_pressing",
        "crossing",
        ["ally", "direction", "state", "urgency", "id", "next_try_at"],
        sqlite_where=sa.text("direction = 'out' AND state = 'pending'"),
    )
