"""Objects whose time is over are taken out."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete

from amagasa.adapters.store.tables import OBJECT


def remove_versions(db: Connection, versions: Iterable[tuple[str, str]], origin: str) -> None:
    """These (id, version) of this origin; what is not there is left out."""
    for object_id, version in versions:
        row = (OBJECT.c.id == object_id) & (OBJECT.c.version == version) & (OBJECT.c.origin == origin)
        db.execute(delete(OBJECT).where(row))
