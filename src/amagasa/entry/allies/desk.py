"""What the handlers of the ally door share: who calls, under which agreement, and the statuses they may ask for."""

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.datastructures import State
from msgspec import Struct

from amagasa.app.heads import HeadsDesk
from amagasa.app.hearts import HeartDesk
from amagasa.app.ports import AgreementBook, Bond, Clock, Store
from amagasa.app.receiving import PassOn, require_in_force
from amagasa.app.signals import Signals
from amagasa.app.turned_away import TurnedAway
from amagasa.entry.allies.protocol import PEER
from amagasa.entry.allies.tls import fingerprint_of_pem
from amagasa.entry.allies.wire import TaxiiError, require_accept
from amagasa.share.harm import OwnGround

STATUS_BYTES: Final = 16 * 1024 * 1024
# Envelopes taken in at the same time: the store has one writer, and each may stand for some 100 MB in memory.
INTAKES: Final = 2
CLOSE: Final = {"connection": "close"}

Asked = Request[Any, Any, State]


class TaxiiDeps(Struct, frozen=True, kw_only=True):
    """What the server needs of the node. `pass_on`: see `app.receiving`; `own` says what is ours (`share.harm`).

    `draw_id` draws the identifier of a status (UUID version 4). `turned_away` names in the ledger what is refused
    before any object is looked at; `heads` exchanges tree heads, `hearts` heartbeats.
    """

    store: Store
    book: AgreementBook
    signals: Signals
    clock: Clock
    pass_on: PassOn | None = None
    draw_id: Callable[[], str] = lambda: str(uuid.uuid4())
    own: Callable[[], OwnGround] = OwnGround
    turned_away: TurnedAway | None = None
    heads: HeadsDesk | None = None
    hearts: HeartDesk | None = None


class Desk:
    """What the handlers share."""

    def __init__(self, deps: TaxiiDeps) -> None:
        self.deps = deps
        self.intake = asyncio.Semaphore(INTAKES)
        self._statuses: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._n_bytes = 0

    def caller(self, request: Asked) -> Bond:
        """Who calls, and under which agreement. Raises TaxiiError 401, 403 (AMG-SHARE-FORCE) or 406."""
        fingerprint = request.scope["state"].get(PEER)
        if not fingerprint:
            raise TaxiiError(
                401,
                "AMG-TAXII-WHO",
                "this door opens to a TLS client certificate alone",
                headers={"www-authenticate": 'ClientCertificate realm="amagasa"'},
            )
        known = self.allies_of(fingerprint)
        if len(known) != 1:
            raise TaxiiError(403, "AMG-TAXII-STRANGER", "no agreement names this certificate", headers=CLOSE)
        bond = require_in_force(self.deps.book, known.pop(), self.deps.clock.now())
        if fingerprint_of_pem(bond.ally.certificate) != fingerprint:
            raise TaxiiError(403, "AMG-TAXII-STRANGER", "the agreement now in force names another", headers=CLOSE)
        require_accept(request)
        return bond

    def allies_of(self, fingerprint: str) -> set[str]:
        """Whose certificate it is: one party, as long as no two agreements name it for two."""
        bonds = self.deps.book.bonds()
        return {bond.ally.id for bond in bonds if fingerprint_of_pem(bond.ally.certificate) == fingerprint}

    def blame(self, fingerprint: str, code: str, why: str) -> None:
        """Name in the ledger that whoever shows this certificate was refused; a stranger has none."""
        if self.deps.turned_away is not None:
            for ally in self.allies_of(fingerprint):
                self.deps.turned_away.note(ally, code, why)

    def keep(self, ally: str, status: dict[str, Any]) -> bytes:
        """Remember a status, and forget the oldest beyond STATUS_BYTES. They last as long as the process."""
        body = msgspec.json.encode(status)
        self._statuses[ally, status["id"]] = body
        self._n_bytes += len(body)
        while self._n_bytes > STATUS_BYTES and len(self._statuses) > 1:
            self._n_bytes -= len(self._statuses.popitem(last=False)[1])
        return body

    def status(self, ally: str, status_id: str) -> bytes:
        """The ally's own status. Raises TaxiiError 404."""
        try:
            return self._statuses[ally, status_id]
        except KeyError:
            raise TaxiiError(404, "AMG-TAXII-NONE", "there is no such status", got=status_id) from None


def desk_of(request: Asked) -> Desk:
    """The one desk of the application."""
    desk: Desk = request.app.state.desk
    return desk
