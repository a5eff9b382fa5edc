"""What people did with incidents, and the order in which open ones are read.

Incidents from before are ranked by their severity until something about them changes.
"""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The score of an incident of each severity (0 to 6) about which nothing else is known.
_SCORES = (10, 10, 20, 35, 50, 65, 80)


class _Graded(msgspec.Struct):
    severity: int = 0


def upgrade() -> None:
    op.create_table(
        "deed",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("other_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("deed_of_incident", "deed", ["incident_id", "id"], unique=False)
    op.create_index("deed_of_other", "deed", ["other_id", "id"], unique=False)
    op.create_index("deed_by_kind", "deed", ["kind", "at"], unique=False)
    op.add_column("incident", sa.Column("waiting", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("incident", sa.Column("impact", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("incident", sa.Column("score", sa.Integer(), nullable=False, server_default=sa.text("0")))
    _score_known()
    op.execute(
        "INSERT INTO tally (kind, name, n) SELECT 'alert-alone', '', count(*) FROM alert WHERE incident_id IS NULL"
    )
    op.create_index("incident_by_rank", "incident", ["status", "impact", "score", "waiting", "id"], unique=False)


def _score_known() -> None:
    incident = sa.table("incident", *map(sa.column, ("id", "body", "score", "waiting", "last_seen_at")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(incident.c.id, incident.c.body)).all():
        decode = msgspec.json.decode if row.body[:1] == b"{" else msgspec.msgpack.decode
        severity = decode(row.body, type=_Graded).severity
        score = _SCORES[min(max(severity, 0), len(_SCORES) - 1)]
        connection.execute(
            sa.update(incident).where(incident.c.id == row.id).values(score=score, waiting=-incident.c.last_seen_at)
        )
