"""When the trial of an ally's rule or indicator ends."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("content", sa.Column("trial_until", sa.BigInteger(), nullable=True))
    op.create_index("content_on_trial", "content", ["trial_until"], sqlite_where=sa.text("trial_until IS NOT NULL"))
