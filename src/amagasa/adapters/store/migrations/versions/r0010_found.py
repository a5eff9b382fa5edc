"""The words that alerts and incidents are found by. Those of a million alerts take about a minute, once."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from msgspec.structs import replace

from amagasa.adapters.store import bodies, found

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

AT_ONCE = 1_000
# Everything but letters and digits that `incident.finding` leaves in a word.
MARKS = "!#$%&*+-./:?@\\^_~"


def upgrade() -> None:
    _make("alert", ("words", "techniques"))
    _make("incident", ("words", "techniques", "notes"))
    db = op.get_bind()
    _each(db, "alert", lambda rows: found.index_alerts(db, [bodies.ALERT.unpack(row.body) for row in rows], ()))
    _each(
        db, "incident", lambda rows: found.index_incidents(db, [bodies.INCIDENT.unpack(row.body) for row in rows], ())
    )
    for (incident_id,) in db.execute(sa.text("SELECT DISTINCT incident_id FROM deed")).all():
        deeds = sa.text("SELECT id, body FROM deed WHERE incident_id = :its ORDER BY id DESC LIMIT 5000")
        rows = db.execute(deeds, {"its": incident_id})
        found.index_notes(db, incident_id, [replace(bodies.DEED.unpack(row.body), id=row.id) for row in rows])


def _make(what: str, columns: tuple[str, ...]) -> None:
    op.create_table(
        f"{what}_found",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column(f"{what}_id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False, server_default="") for name in columns),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint(f"{what}_id"),
    )
    names = ", ".join(columns)
    op.get_bind().exec_driver_sql(
        f"CREATE VIRTUAL TABLE {what}_words USING fts5("
        f"{names}, content='{what}_found', content_rowid='seq', tokenize=\"ascii tokenchars '{MARKS}'\")"
    )


def _each(db: sa.Connection, what: str, index: Callable[[list[Any]], None]) -> None:
    rows = sa.text(f"SELECT rowid, body FROM {what} WHERE rowid > :after ORDER BY rowid LIMIT {AT_ONCE}")  # noqa: S608 - ours too
    after = 0
    while some := list(db.execute(rows, {"after": after})):
        index(some)
        after = some[-1].rowid
