"""Tables of the library. Instants are UTC microseconds since 1970, so that paging neither skips nor repeats."""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, Integer, LargeBinary, MetaData, Table, Text

VERSION: Final = 1

METADATA: Final = MetaData()

SERVER: Final = Table("server", METADATA, Column("number", Integer, primary_key=True), Column("content", LargeBinary))

ROOTS: Final = Table(
    "root",
    METADATA,
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("content", LargeBinary, nullable=False),
)

COLLECTIONS: Final = Table(
    "collection",
    METADATA,
    Column("position", Integer, primary_key=True),
    Column("root", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("collection_by_id", "root", "id", unique=True),
)

# Of each object in a collection the latest specification in which it is there has `is_latest`; among the versions of
# that one the first and the last are marked, so that an ordinary page is read from an index.
OBJECTS: Final = Table(
    "object",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("root", Text, nullable=False),
    Column("collection", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("spec_version", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("version_us", Integer, nullable=False),
    Column("added_us", Integer, nullable=False),
    Column("is_latest", Boolean, nullable=False),
    Column("is_first", Boolean, nullable=False),
    Column("is_last", Boolean, nullable=False),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["root", "collection"], ["collection.root", "collection.id"], ondelete="CASCADE"),
    Index("object_version", "root", "collection", "object_id", "spec_version", "version_us", unique=True),
    Index("object_added", "root", "collection", "is_last", "added_us", "seq"),
    sqlite_autoincrement=True,  # a page that was told must not come to mean another object
)

STATUSES: Final = Table(
    "status",
    METADATA,
    Column("root", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kept_us", Integer, nullable=False, index=True),
    Column("content", LargeBinary, nullable=False),
)

READERS: Final = Table(
    "reader", METADATA, Column("name", Text, primary_key=True), Column("content", LargeBinary, nullable=False)
)
