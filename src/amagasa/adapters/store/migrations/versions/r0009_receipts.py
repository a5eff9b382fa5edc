"""Retractions and the receipts of them."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt",
        sa.Column("agreement", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("is_open", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("agreement", "way", "object_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("receipt_open", "receipt", ["way", "agreement", "is_open", "asked_at"], unique=False)
    op.create_index("receipt_by_cause", "receipt", ["cause"], unique=False)
