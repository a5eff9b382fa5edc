"""The schema's revision of a store that is not to be changed, not even brought up to date."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import NullPool, create_engine

from amagasa.adapters.store.faults import worded
from amagasa.adapters.store.schema import HEAD, revision_of

__all__ = ["HEAD", "standing_of"]


def standing_of(path: Path) -> str | None:
    """The revision; None for an empty file. Raises WorldError: AMG-STORE-... as `open_store`."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool)
    with worded(path), closing(engine.connect()) as connection:
        return revision_of(connection, path)
