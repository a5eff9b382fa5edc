"""What the console needs from the node, and what its handlers share."""

import asyncio
import functools
import secrets
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar, cast

from litestar.connection import ASGIConnection
from msgspec import Struct
from prometheus_client import CollectorRegistry

from amagasa.app.accounts import Accounts
from amagasa.app.campaigns import Known
from amagasa.app.content import Sharing
from amagasa.app.courier import CourierDesk
from amagasa.app.kept_file import IndicatorFiles
from amagasa.app.mission_impact import ImpactBoard
from amagasa.app.missions import Missions
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.plant import Plant
from amagasa.app.ports import AgreementBook, Clock, Passwords, Store
from amagasa.app.queries import Queries
from amagasa.app.record_desk import RecordDesk
from amagasa.app.rejects import Rejects
from amagasa.app.signals import Signals
from amagasa.app.situation import Situation
from amagasa.app.unkept import Unkept
from amagasa.app.views import names_of
from amagasa.entry.node.hunts import HuntDesk
from amagasa.entry.people.security import Doorkeeper, cookie_name
from amagasa.entry.people.shared import Shared
from amagasa.share.agreement import Agreement, Party
from amagasa.workforce.budget import DEFAULT, Shifts

TOKEN_BYTES: Final = 32
P = ParamSpec("P")
T = TypeVar("T")


def draw_token() -> str:
    """256 random bits in base64url: for links and sessions."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def threaded(function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """Run a handler on a thread, since the store blocks.

    Litestar's own `sync_to_thread` wraps a handler once more for each further method at its address (2.25).
    """

    @functools.wraps(function)
    async def on_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return on_thread


def always_ready() -> bool:
    """A node without anything to wait for."""
    return True


class ConsoleDeps(Struct, frozen=True, kw_only=True):
    """Everything `build_console` is given.

    `party` is this node's own card (identity, name and country are used). `sharing` describes, releases and decides
    (see app.content). `sources` are (name, where) of those in the settings. `lang` is the node's language. `is_tls`:
    the door speaks TLS, so cookies are Secure. `local_actor`: who everyone on this door is, for the node's own socket
    (mode 0600) and nothing else. `registry`: further metrics of the process. `files`: those of indicators, which the
    node keeps. `unkept`: what the store refuses now. `is_ready`: what /readyz asks beside
    the store. `shifts`: how the party works.
    """

    store: Store
    clock: Clock
    signals: Signals
    passwords: Passwords
    party: Party
    agreements: AgreementBook
    sharing: Sharing
    lang: str = "en"
    sources: tuple[tuple[str, str], ...] = ()
    is_tls: bool = False
    local_actor: Actor | None = None
    registry: CollectorRegistry | None = None
    files: IndicatorFiles | None = None
    is_ready: Callable[[], bool] = always_ready
    hunts: HuntDesk | None = None
    rejects: Rejects | None = None
    plant: Plant | None = None
    unkept: Unkept | None = None
    shifts: Shifts = DEFAULT
    courier: CourierDesk | None = None
    records: RecordDesk | None = None


class Console:
    """What the handlers share; made once by `build_console`."""

    def __init__(self, deps: ConsoleDeps) -> None:
        self.deps = deps
        self.accounts = Accounts(deps.store, deps.passwords, decoy=draw_token())
        self.situation = Situation(deps.store, deps.party, lang=deps.lang, sources=deps.sources, unkept=deps.unkept)
        self.missions = Missions(deps.store, deps.agreements)
        self.impact = ImpactBoard(deps.store, self.missions)
        self.campaigns = Known()
        self.shared = Shared(deps.signals, clock=lambda: deps.clock.now().timestamp())
        self.keeper = Doorkeeper(
            who=self._who,
            cookie=cookie_name(deps.party.id, is_tls=deps.is_tls),
            is_tls=deps.is_tls,
            local_actor=deps.local_actor,
        )

    @property
    def queries(self) -> Queries:
        """Queries with the allies' names of this instant."""
        return Queries(self.deps.store, self.names())

    def names(self) -> Mapping[str, str]:
        """What each ally calls itself."""
        return names_of(self.deps.party.id, self.agreements())

    def agreements(self) -> Sequence[Agreement]:
        """All that are signed, in force or not, of this instant."""
        return [bond.agreement for bond in self.deps.agreements.bonds()]

    def now(self) -> datetime:
        """The present instant."""
        return self.deps.clock.now()

    def same_for_all(self, actor: Actor, key: Hashable, make: Callable[[], T]) -> T:
        """What everyone who may read is answered alike; made once for those who ask at once."""
        require(actor, Act.READ)
        return self.shared.of(key, make)

    def publish(self, topic: str, **payload: Any) -> None:
        """Tell the doors that something changed; after the transaction."""
        self.deps.signals.publish(topic, payload)

    def _who(self, token: str) -> Any:
        return self.accounts.who(token, now=self.now())


def console_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Console:
    """The console that a request came to."""
    return cast("Console", connection.app.state.console)
