"""The one module that loads alembic; `schema` loads it where a store is new or older than this program."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def upgrade(connection: Connection, migrations: Path, revision: str) -> None:
    """Bring the store to `revision` in the connection's transaction. Raises what alembic and the driver raise."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
