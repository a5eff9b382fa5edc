"""The tables. Each keeps its value whole in `body` and beside it only the columns that a query needs.

Instants are microseconds since 1970 (`columns.micros`). A change here is a new file in `migrations/versions`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from amagasa.adapters.store.columns import Words

METADATA: Final = MetaData()

POSITION: Final = Table(
    "position",
    METADATA,
    Column("source", Words, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

DEAD: Final = Table(
    "dead",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("source", Words, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("dead_by_source", "source", "id"),
    sqlite_autoincrement=True,
)

# `key` is the fold key; `tags` the techniques and tactics, to see whether they changed.
ALERT: Final = Table(
    "alert",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("key", Words, nullable=False),
    Column("incident_id", Words, ForeignKey("incident.id", deferrable=True, initially="DEFERRED")),
    Column("severity", Integer, nullable=False),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("n_detections", BigInteger, nullable=False),
    Column("tags", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("alert_by_key", "key", "last_seen_at"),
    Index("alert_newest", "updated_at", "id"),
    Index("alert_of_incident", "incident_id", "updated_at", "id"),
)

# `waiting` is the instant of its creation, negative: read downwards, the rank index has the oldest of equals first.
INCIDENT: Final = Table(
    "incident",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("status", Words, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("entities", LargeBinary, nullable=False),
    Column("waiting", BigInteger, nullable=False, server_default=text("0")),
    Column("impact", Integer, nullable=False, server_default=text("0")),
    Column("score", Integer, nullable=False, server_default=text("0")),
    Column("body", LargeBinary, nullable=False),
    Index("incident_newest", "updated_at", "id"),
    Index("incident_by_status", "status", "updated_at", "id"),
    Index("incident_by_rank", "status", "impact", "score", "waiting", "id"),
)

# What people did with incidents (`incident.case`); `other_id` is the second incident of a split, move or merge.
DEED: Final = Table(
    "deed",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("incident_id", Words, nullable=False),
    Column("other_id", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("deed_of_incident", "incident_id", "id"),
    Index("deed_of_other", "other_id", "id"),
    Index("deed_by_kind", "kind", "at"),
    sqlite_autoincrement=True,
)

# What alerts and incidents are found by (`incident.finding`). `alert_words` and `incident_words`, which the migration
# makes, are FTS5's index of the columns behind the name.
ALERT_FOUND: Final = Table(
    "alert_found",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("alert_id", Words, nullable=False, unique=True),
    Column("words", Words, nullable=False, server_default=""),
    Column("techniques", Words, nullable=False, server_default=""),
)

INCIDENT_FOUND: Final = Table(
    "incident_found",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("incident_id", Words, nullable=False, unique=True),
    Column("words", Words, nullable=False, server_default=""),
    Column("techniques", Words, nullable=False, server_default=""),
    Column("notes", Words, nullable=False, server_default=""),
)

# Entities and links of open incidents only; `entities` of the incident is the digest of both.
INCIDENT_ENTITY: Final = Table(
    "incident_entity",
    METADATA,
    Column("kind", Words, primary_key=True),
    Column("value", Words, primary_key=True),
    Column("incident_id", Words, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Index("incident_entity_of", "incident_id"),
    sqlite_with_rowid=False,
)

INCIDENT_LINK: Final = Table(
    "incident_link",
    METADATA,
    Column("link", Words, primary_key=True),
    Column("incident_id", Words, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Index("incident_link_of", "incident_id"),
    sqlite_with_rowid=False,
)

# What one list says and nothing else yet (`incident.lead`); `key` is the fold key.
LEAD: Final = Table(
    "lead",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("key", Words, nullable=False),
    Column("is_guarded", Integer, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("lead_by_key", "key", "last_seen_at"),
    Index("lead_newest", "updated_at", "id"),
)

LEAD_LINK: Final = Table(
    "lead_link",
    METADATA,
    Column("link", Words, primary_key=True),
    Column("lead_id", Words, ForeignKey("lead.id", ondelete="CASCADE"), primary_key=True),
    Index("lead_link_of", "lead_id"),
    sqlite_with_rowid=False,
)

# Links of alerts that stand by themselves, the newest of them: what leads are compared with.
SPOKEN: Final = Table(
    "spoken",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("link", Words, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    UniqueConstraint("link", name="spoken_once"),
    sqlite_autoincrement=True,
)

TECHNIQUE: Final = Table(
    "technique",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("n_detections", BigInteger, nullable=False),
)

TECHNIQUE_TACTIC: Final = Table(
    "technique_tactic",
    METADATA,
    Column("technique", Words, primary_key=True),
    Column("tactic", Words, primary_key=True),
    sqlite_with_rowid=False,
)

# Counts kept while writing, because counting a million rows takes longer than a person's glance.
TALLY: Final = Table(
    "tally",
    METADATA,
    Column("kind", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    Column("n", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

_PENDING: Final = "direction = 'out' AND state = 'pending'"
_FETCHABLE: Final = "direction = 'out' AND state IN ('pending', 'delivered')"

CROSSING: Final = Table(
    "crossing",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("ally", Words, nullable=False),
    Column("direction", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("object_id", Words, nullable=False),
    Column("version", Words, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("next_try_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("urgency", Integer, nullable=False, server_default=text("2")),
    UniqueConstraint("ally", "direction", "object_id", "version", name="crossing_once"),
    Index("crossing_by_state", "state", "id"),
    Index("crossing_by_direction", "direction", "id"),
    Index("crossing_by_ally", "ally", "id"),
    Index("crossing_by_ally_direction", "ally", "direction", "id"),
    Index(
        "crossing_pressing",
        "ally",
        "direction",
        "state",
        "urgency",
        "id",
        "next_try_at",
        sqlite_where=text(_PENDING),
    ),
    Index("crossing_due", "ally", "direction", "state", "id", "next_try_at", sqlite_where=text(_PENDING)),
    Index("crossing_fetch", "ally", "created_at", "id", sqlite_where=text(_FETCHABLE)),
    sqlite_autoincrement=True,
)

OBJECT: Final = Table(
    "object",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("id", Words, nullable=False),
    Column("version", Words, nullable=False),
    Column("version_at", BigInteger, nullable=False),
    Column("type", Words, nullable=False),
    Column("origin", Words, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("id", "version", name="object_once"),
    Index("object_by_type", "type", "seq"),
    Index("object_by_origin", "origin", "seq"),
    sqlite_autoincrement=True,
)

# `correlation` is the digest of what it means, so that a window never outlives its meaning.
OPEN_WINDOW: Final = Table(
    "open_window",
    METADATA,
    Column("correlation", Words, primary_key=True),
    Column("key", Words, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

CONTENT: Final = Table(
    "content",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("kind", Words, nullable=False, server_default=""),
    Column("trial_until", BigInteger),
    Index("content_by_kind", "kind", "id"),
    Index("content_on_trial", "trial_until", sqlite_where=text("trial_until IS NOT NULL")),
)

ACCOUNT: Final = Table(
    "account",
    METADATA,
    Column("name", Words, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# The record of each agreement: leaves are added and never changed; the tree is its frontier.
LEDGER_LEAF: Final = Table(
    "ledger_leaf",
    METADATA,
    Column("agreement", Words, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

LEDGER_TREE: Final = Table(
    "ledger_tree",
    METADATA,
    Column("agreement", Words, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# Roots of perfect subtrees of 2**level leaves (`share.merkle.KEPT_LEVEL` and above), for proofs.
LEDGER_SUBTREE: Final = Table(
    "ledger_subtree",
    METADATA,
    Column("agreement", Words, primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("n", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Retractions: receipts awaited from the ally, and owed to it.
RECEIPT: Final = Table(
    "receipt",
    METADATA,
    Column("agreement", Words, primary_key=True),
    Column("way", Words, primary_key=True),
    Column("object_id", Words, primary_key=True),
    Column("cause", Words, nullable=False),
    Column("is_open", Integer, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("receipt_open", "way", "agreement", "is_open", "asked_at"),
    Index("receipt_by_cause", "cause"),
    sqlite_with_rowid=False,
)

SESSION: Final = Table(
    "session",
    METADATA,
    Column("token_hash", Words, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

LINK: Final = Table(
    "link",
    METADATA,
    Column("token_hash", Words, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)

META: Final = Table(
    "meta",
    METADATA,
    Column("key", Words, primary_key=True),
    Column("value", Words, nullable=False),
)
