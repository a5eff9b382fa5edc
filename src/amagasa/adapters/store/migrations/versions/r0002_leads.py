"""Leads: what one list says and nothing else yet; links of alerts that could confirm it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lead",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("is_guarded", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("lead_by_key", "lead", ["key", "last_seen_at"], unique=False)
    op.create_index("lead_newest", "lead", ["updated_at", "id"], unique=False)
    op.create_table(
        "lead_link",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("lead_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("link", "lead_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("lead_link_of", "lead_link", ["lead_id"], unique=False)
    op.create_table(
        "spoken",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("link", name="spoken_once"),
        sqlite_autoincrement=True,
    )
