"""Where a node keeps its state: SQLite WAL through SQLAlchemy Core, migrated by alembic."""
