"""What the use cases ask of the world: small Protocols, carried out by adapters."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from amagasa.app.case_ports import Cases
from amagasa.app.correlation_ports import KeptWindows
from amagasa.app.finding_ports import Finding
from amagasa.app.lead_store import Leads
from amagasa.app.ledger_ports import Ledgers
from amagasa.app.pages import Page
from amagasa.app.receipt_ports import Receipts
from amagasa.app.tally_ports import Tallies
from amagasa.app.trial_ports import Tried
from amagasa.event.entity import Entity
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.share.agreement import Agreement, Party
from amagasa.share.consent import Yes


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""


class Position(Struct, frozen=True, kw_only=True):
    """How far a source has been read *and committed*: enough to resume after a kill at any instant.

    `token` is the source adapter's own (device, inode, offset, head hash, ...), opaque to the store. `read_at` is the
    furthest that our clock stood at a commit of this source: it does not go back with the clock.
    """

    source: str
    token: dict[str, Any]
    n_read: int = 0
    n_accepted: int = 0
    n_rejected: int = 0
    last_record_at: datetime | None = None
    fault: str = ""
    read_at: datetime | None = None


class Dead(Struct, frozen=True, kw_only=True):
    """A rejected record, kept with its reason."""

    source: str
    path: str
    record: int
    why: str
    at: datetime


class Direction(StrEnum):
    """Of a crossing, seen from this node."""

    OUT = "out"
    IN = "in"


class CrossingState(StrEnum):
    """Where a crossing stands. Outgoing: wanting -> pending -> delivered, or refused (by a person), withheld, failed.

    Incoming: admitted or refused.
    """

    WANTING = "wanting"
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHHELD = "withheld"
    REFUSED = "refused"
    ADMITTED = "admitted"


class Crossing(Struct, frozen=True, kw_only=True):
    """One object crossing the line to or from an ally, or kept from it: the share log and, going out, the outbox.

    `id` is 0 until stored. `content` are the exact bytes (b"" where withheld). `why` is the reason of a withhold,
    refusal or failed delivery. `changes` are (path, what) pairs. At most one crossing exists for each
    (ally, direction, object_id, version): inserting it again changes nothing. `ours` is our own identifier of the
    object where the ally knows it by another. `n_wanted` different persons with one of the roles `wants` must consent;
    `consents` are those who did. A crossing whose `created_at` lies ahead is held until then.
    """

    id: int = 0
    ally: str
    agreement: str
    direction: Direction
    state: CrossingState
    object_id: str
    object_type: str
    version: str
    clause: str = ""
    marking: str = ""
    content: bytes = b""
    changes: tuple[tuple[str, str], ...] = ()
    why: str = ""
    created_at: datetime
    decided_by: str = ""
    n_tries: int = 0
    next_try_at: datetime | None = None
    delivered_at: datetime | None = None
    ours: str = ""
    wants: tuple[str, ...] = ()
    n_wanted: int = 0
    consents: tuple[Yes, ...] = ()

    @property
    def known_as(self) -> str:
        """Our own identifier of the object."""
        return self.ours or self.object_id


class ContentKind(StrEnum):
    """Content that a node evaluates beside its built-in rules; LIST is a file of indicators (`app.indicator_files`)."""

    SIGMA = "sigma"
    STIX = "stix"
    LIST = "list"


class ContentItem(Struct, frozen=True, kw_only=True):
    """A Sigma rule or a STIX indicator held by the node. `origin` is "" for its own, else the party's identity.

    `text` is the Sigma document, or the STIX indicator as JSON. `fault` says why it cannot run, "" where it can.
    `activated_at` is when detection first looked with it; None until then. `tried` is of what an ally sent.
    """

    id: str
    kind: ContentKind
    title: str
    origin: str
    text: str
    is_active: bool
    added_at: datetime
    added_by: str
    fault: str = ""
    activated_at: datetime | None = None
    tried: Tried | None = None


class Account(Struct, frozen=True, kw_only=True):
    """A person's account. `secret` is an argon2id hash, never a password."""

    name: str
    roles: tuple[str, ...]
    secret: str
    lang: str = "en"
    is_enabled: bool = True
    created_at: datetime


class Session(Struct, frozen=True, kw_only=True):
    """A sign-in. `token_hash` is SHA-256 (hex) of the cookie's value; `account` is "" for a one-time link's session."""

    token_hash: str
    account: str
    roles: tuple[str, ...]
    created_at: datetime
    expires_at: datetime


class StoredObject(Struct, frozen=True, kw_only=True):
    """A version of a STIX object we hold: `origin` is "" for our own, else the party it came from."""

    id: str
    version: str
    type: str
    origin: str
    body: bytes
    added_at: datetime


class Reading(Tallies, Protocol):
    """Queries; each sees one consistent snapshot for as long as the context is open.

    Only in `Writing` leads, windows, cases, ledgers and receipts change.
    """

    @property
    def leads(self) -> Leads: ...
    @property
    def windows(self) -> KeptWindows: ...
    @property
    def cases(self) -> Cases: ...
    @property
    def finding(self) -> Finding: ...
    @property
    def ledgers(self) -> Ledgers: ...
    @property
    def receipts(self) -> Receipts: ...
    def positions(self) -> list[Position]: ...
    def dead(self, page: Page) -> list[Dead]: ...
    def dead_page(self, page: Page, *, source: str | None = None) -> tuple[list[Dead], str | None]:
        """Newest first, with a cursor. Only the newest 10,000 of each source are kept; positions hold the totals."""

    def alerts_by_key(self, keys: Iterable[str], *, since: datetime, until: datetime | None = None) -> list[Alert]:
        """The newest alert of each key whose `last_seen_at` is not before `since`.

        With `until`: every alert of these keys whose span touches `since`..`until`, so that old logs fold as well.
        """

    def alerts(self, page: Page, *, incident_id: str | None = None) -> tuple[list[Alert], str | None]:
        """Newest `updated_at` first, and the cursor of the next page (None at the end)."""

    def alert(self, alert_id: str) -> Alert | None: ...
    def incidents_touching(self, entities: Iterable[Entity], *, since: datetime) -> list[Incident]:
        """Open incidents that share an entity and whose `last_seen_at` is not before `since`."""

    def incidents_linked(self, links: Iterable[str], *, since: datetime) -> list[Incident]:
        """Open incidents which have one of these `links` and whose `last_seen_at` is not before `since`."""

    def incidents(self, page: Page, *, status: Status | None = None) -> tuple[list[Incident], str | None]: ...
    def incident(self, incident_id: str) -> Incident | None: ...
    def incidents_by_id(self, ids: Iterable[str]) -> list[Incident]:
        """Those which exist, open or closed, by `id`."""

    def techniques_seen(self) -> list[tuple[str, tuple[str, ...], int]]:
        """(technique, tactics it was seen under, number of detections)."""

    def crossings(
        self,
        page: Page,
        *,
        ally: str | None = None,
        direction: Direction | None = None,
        state: CrossingState | None = None,
    ) -> tuple[list[Crossing], str | None]: ...
    def crossing(self, crossing_id: int) -> Crossing | None: ...
    def crossings_numbered(self, ids: Iterable[int]) -> dict[int, Crossing]: ...
    def n_crossings(self, *, ally: str | None = None) -> dict[tuple[Direction, CrossingState], int]:
        """How many crossings stand where; what has none is absent."""

    def late(self, ally: str, *, before: datetime) -> tuple[int, Crossing | None]:
        """How many going out to it wait since before then, for a yes or the line, and the oldest."""

    def given_before(self, ally: str, before: datetime, *, after_id: int, limit: int) -> list[Crossing]:
        """What it gave and was admitted before then, by `id` from behind `after_id`."""

    def due(self, ally: str, *, now: datetime, limit: int, after_id: int = 0) -> list[Crossing]:
        """Pending outgoing crossings whose next try is due, by `id` from behind `after_id`: oldest first."""

    def pressing(self, ally: str, *, now: datetime, limit: int) -> list[Crossing]:
        """Those of `due` that leave next, by urgency (`share.urgency`) and then by age.

        Where there are more than `limit`, a share is for the newest and one for each urgency, so nothing starves.
        """

    def released_after(
        self,
        ally: str,
        *,
        added_after: datetime | None,
        limit: int,
        after_id: int | None = None,
        object_ids: Iterable[str] | None = None,
    ) -> list[Crossing]:
        """Pending or delivered outgoing crossings by (`created_at`, `id`): what the ally may fetch by polling.

        Those with `created_at > added_after`; with `after_id`, those with (created_at, id) > (added_after, after_id).
        With `object_ids` only crossings of these objects.
        """

    def crossings_of(self, ally: str, direction: Direction, object_ids: Iterable[str]) -> list[Crossing]:
        """The newest crossing (by `id`) of each of these objects in this direction, whatever its state."""

    def objects(self, ids: Iterable[str]) -> list[StoredObject]:
        """Newest version of each."""

    def objects_page(
        self, page: Page, *, origin: str | None = None, object_type: str | None = None
    ) -> tuple[list[StoredObject], str | None]:
        """Every version held, latest stored first; `origin` "" means our own."""

    def content(self) -> list[ContentItem]: ...
    def content_page(self, kind: ContentKind, *, after: str, limit: int) -> list[ContentItem]:
        """Those of the kind, by `id` from behind `after`."""

    def content_items(self, ids: Iterable[str]) -> list[ContentItem]:
        """Those which are held, by `id`."""

    def content_on_trial(self, until: datetime | None = None, *, limit: int) -> list[ContentItem]:
        """Those of whose trial something is due, up to this instant, the most urgent first."""

    def account(self, name: str) -> Account | None: ...
    def accounts(self) -> list[Account]: ...
    def session(self, token_hash: str) -> Session | None: ...
    def meta(self, key: str) -> str | None: ...


class Writing(Reading, Protocol):
    """Changes; all of a context commit together or not at all."""

    def save_position(self, position: Position) -> None:
        """Replace the position; counts are totals since the source was added."""

    def save_dead(self, dead: Sequence[Dead]) -> None: ...
    def forget_dead(self, source: str, records: Iterable[int]) -> None:
        """Take out what is kept of these records of the source."""

    def save_alerts(self, alerts: Sequence[Alert]) -> None:
        """Insert or replace by `id`."""

    def save_incidents(self, incidents: Sequence[Incident]) -> None:
        """Insert or replace by `id`. Alerts of an incident with `merged_into` move to that one."""

    def move_alerts(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Put these alerts into these incidents: (alert, incident) pairs. Counts are the incidents' own matter."""

    def add_crossing(self, crossing: Crossing) -> Crossing | None:
        """Insert; None where the same (ally, direction, object_id, version) is there already."""

    def add_crossings(self, crossings: Sequence[Crossing]) -> list[Crossing]:
        """The same for many: those that were not there, in their order."""

    def update_crossing(self, crossing: Crossing) -> None:
        """Replace the row of that `id`: every field, `version`, `content` and `created_at` included."""

    def update_crossings(self, crossings: Sequence[Crossing]) -> None:
        """The same for many, each `id` once. Raises LookupError where one is not there."""

    def save_object(self, stored: StoredObject) -> bool:
        """False where this very version is held already."""

    def save_objects(self, stored: Sequence[StoredObject]) -> set[tuple[str, str]]:
        """(id, version) of those that were not held."""

    def remove_objects(self, versions: Iterable[tuple[str, str]], *, origin: str) -> None:
        """Take out these (id, version) which came from `origin`; what is not there is left out."""

    def save_content(self, item: ContentItem) -> None: ...
    def save_contents(self, items: Sequence[ContentItem]) -> None: ...
    def remove_content(self, content_id: str) -> bool: ...
    def save_account(self, account: Account) -> None: ...
    def save_session(self, session: Session) -> None: ...
    def remove_session(self, token_hash: str) -> None: ...
    def use_link(self, token_hash: str, *, now: datetime) -> bool:
        """Spend a one-time sign-in link: True once, before it expires, and never again."""

    def save_link(self, token_hash: str, *, expires_at: datetime) -> None: ...
    def save_meta(self, key: str, value: str) -> None: ...
    def remove_expired(self, *, now: datetime) -> int:
        """Forget sessions and links which ended by `now`; how many."""


class Store(Protocol):
    """A node's state. One process writes; readers never wait for it. Thread-safe: contexts are per call."""

    def read(self) -> AbstractContextManager[Reading]: ...
    def write(self) -> AbstractContextManager[Writing]: ...
    def check(self) -> tuple[str, ...]:
        """What is damaged, in words; () where all is sound. Reads the whole store: seconds for a large one."""

    def backup(self, target: Path) -> None:
        """Write one consistent copy (0600) to `target`, which must not exist, while the node goes on."""

    def close(self) -> None: ...


class Bond(Struct, frozen=True, kw_only=True):
    """An agreement with valid signatures and, of its two parties, the one that is not us.

    `agreement` ends where an amendment took its place or a party revoked it: `ended` is then "amended" or "revoked",
    and `why` what the revoking party said. `digest` is that of what was signed.
    """

    agreement: Agreement
    ally: Party
    digest: str = ""
    ended: str = ""
    why: str = ""


class AgreementBook(Protocol):
    """The agreements this node has signed. Thread-safe; asked anew for each decision: amendments count at once."""

    def bonds(self) -> Sequence[Bond]:
        """All of them, in force or not."""


class Passwords(Protocol):
    """Password hashing (argon2id, RFC 9106). Slow on purpose: never on the event loop."""

    def hash(self, password: str) -> str:
        """The PHC string to keep: a fresh salt each time."""

    def verify(self, secret: str, password: str) -> bool:
        """Whether `password` made `secret`; False for a `secret` that is no hash. Same work either way."""
