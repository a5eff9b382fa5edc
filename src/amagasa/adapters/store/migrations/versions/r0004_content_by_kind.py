"""Content by its kind."""

import json

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PAGE = sa.text("SELECT id, body FROM content WHERE id > :after ORDER BY id LIMIT 1000")
_KIND = sa.text("UPDATE content SET kind = :kind WHERE id = :id")


def upgrade() -> None:
    op.add_column("content", sa.Column("kind", sa.Text(), nullable=False, server_default=""))
    connection = op.get_bind()
    after = ""
    while page := connection.execute(_PAGE, {"after": after}).all():
        connection.execute(_KIND, [{"kind": _kind(body), "id": name} for name, body in page])
        after = page[-1][0]
    op.create_index("content_by_kind", "content", ["kind", "id"], unique=False)


def _kind(body: bytes) -> str:
    found = json.loads(body) if body[:1] == b"{" else msgspec.msgpack.decode(body)
    return str(found.get("kind", ""))
