"""All of a node's links: the ally door, and a delivery for each ally with an agreement in force.

They follow the agreements: one that begins opens a link, one that ends, is amended or revoked closes or renews it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct

from amagasa.app.clocks import look_at_clocks
from amagasa.app.delivery import Delivery, DeliveryDeps, LineState, OutboxBell
from amagasa.app.fetching import Fetching
from amagasa.app.link_ports import AllyLine
from amagasa.app.quarantine import quarantine
from amagasa.app.receipts import find_overdue, settle
from amagasa.app.retention import let_go
from amagasa.app.sharing import in_force
from amagasa.app.turned_away import TurnedAway
from amagasa.entry.allies.desk import TaxiiDeps
from amagasa.entry.allies.door import AllyDoor
from amagasa.entry.allies.taxii import build_taxii
from amagasa.entry.allies.tls import check_pin
from amagasa.share.agreement import Party
from amagasa.vocab.errors import AmagasaError, BadInputError
from amagasa.vocab.text import show

_LOG = structlog.get_logger("amagasa.links")

# An agreement that ends while nobody signs anything is noticed within this; each request is judged by itself anyway.
LOOK_S: Final = 5.0
# What is in hand with an ally that answers is finished within this.
GRACE_S: Final = 1.0


class _Running(Struct, frozen=True):
    party: Party
    line: AllyLine
    bell: OutboxBell
    delivery: Delivery
    fetching: Fetching
    tasks: tuple[asyncio.Task[None], ...]


class AllyLinks:
    """Start once on the event loop, stop at the end. `line_of` makes a line to an ally (`wiring.ally_line`)."""

    def __init__(
        self, deps: DeliveryDeps, *, certificate: Path, key: Path, line_of: Callable[[Party], AllyLine]
    ) -> None:
        self._deps = deps
        self._line_of = line_of
        given = TaxiiDeps(
            store=deps.store,
            book=deps.book,
            signals=deps.signals,
            clock=deps.clock,
            pass_on=deps.pass_on,
            own=deps.own,
            turned_away=TurnedAway(deps.store, deps.book, deps.clock, deps.signals, run=_in_a_thread),
            heads=deps.heads,
            hearts=deps.hearts,
        )
        app = build_taxii(given)
        self.door = AllyDoor(app, certificate=certificate, key=key, blame=app.state.desk.blame)
        self._running: dict[str, _Running] = {}
        self._faults: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Open the door (with no agreement in force it stays shut, but the port is tried) and begin to deliver.

        Raises WorldError AMG-PORT, or AMG-TLS-OWN for a certificate or key of ours that cannot be used.
        """
        loop = asyncio.get_running_loop()

        def heard(topic: str, payload: dict[str, Any]) -> None:
            if topic == "agreement" and not loop.is_closed():
                loop.call_soon_threadsafe(self._changed.set)
            if topic == "settled" and not loop.is_closed():
                loop.call_soon_threadsafe(self._settle, payload["ids"], datetime.fromisoformat(payload["since"]))

        await self.door.start(host, port, self._pins())
        self._unsubscribe = self._deps.signals.subscribe(heard)
        await self._follow()
        self._watching = asyncio.create_task(self._watch())
        self._watching.add_done_callback(_tell)

    async def reload(self) -> None:
        """Follow the agreements as they are now. Happens by itself on the signal `agreement` and every LOOK_S."""
        await self.door.reload(self._pins())
        await self._follow()

    async def stop(self) -> None:
        """End the deliveries, then the door. What was pushed and not noted goes out again, and is held there."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._watching is not None:
            await _end(self._watching)
        for ally in tuple(self._running):
            await self._hang_up(ally)
        await self.door.stop()

    def _settle(self, ids: list[str] | None, since: datetime) -> None:
        """Sign for what the worker looks with no longer."""
        deps = self._deps

        def act() -> None:
            try:
                settle(deps.store, deps.signals, deps.book, ids=ids, before=since, now=deps.clock.now())
            except AmagasaError as error:
                _LOG.error("receipts could not be kept", why=str(error))

        _in_a_thread(act)

    def states(self) -> tuple[LineState, ...]:
        """How each line stands, those which could not be made included."""
        broken = (LineState(ally=ally, is_up=False, why=why) for ally, why in self._faults.items())
        return (*(one.delivery.state for one in self._running.values()), *broken)

    def _pins(self) -> list[str]:
        """Certificates of the allies in force. One that cannot be pinned shuts out its own ally, not the others."""
        pins = []
        for bond in in_force(self._deps.book, self._deps.clock.now()):
            try:
                check_pin(bond.ally.certificate)
            except BadInputError as error:
                self._blame(bond.ally, error)
            else:
                pins.append(bond.ally.certificate)
        return pins

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_S)
            self._changed.clear()
            deps = self._deps
            try:
                await self.reload()
                await asyncio.to_thread(find_overdue, deps.store, deps.signals, deps.book, now=deps.clock.now())
                await asyncio.to_thread(look_at_clocks, deps.store, deps.signals, deps.book, now=deps.clock.now())
                await asyncio.to_thread(let_go, deps.store, deps.signals, deps.book, now=deps.clock.now())
                await asyncio.to_thread(quarantine, deps.store, deps.signals, deps.book, now=deps.clock.now())
            except AmagasaError as error:
                _LOG.error("the links could not follow the agreements", why=str(error))

    async def _follow(self) -> None:
        wanted = {bond.ally.id: bond.ally for bond in in_force(self._deps.book, self._deps.clock.now())}
        self._faults = {ally: why for ally, why in self._faults.items() if ally in wanted}
        for ally, running in tuple(self._running.items()):
            ended = [task for task in running.tasks if task.done()]
            for task in ended:
                if not task.cancelled():
                    _LOG.error("a link met a mistake of ours and is begun anew", exc_info=task.exception())
            if wanted.get(ally) != running.party or ended:
                await self._hang_up(ally)
        for ally, party in wanted.items():
            if ally not in self._running:
                self._dial(party)

    def _dial(self, party: Party) -> None:
        try:
            line = self._line_of(party)
        except AmagasaError as error:
            self._blame(party, error)
            return
        self._faults.pop(party.id, None)
        bell = OutboxBell(self._deps.signals, party.id)
        delivery = Delivery(party.id, line, self._deps)
        fetching = Fetching(party.id, line, self._deps, is_up=lambda: delivery.state.is_up is True)
        tasks = asyncio.create_task(delivery.run(bell)), asyncio.create_task(fetching.run())
        self._running[party.id] = _Running(party, line, bell, delivery, fetching, tasks)

    def _blame(self, party: Party, error: AmagasaError) -> None:
        if self._faults.get(party.id) != str(error):
            _LOG.error("no line to an ally", ally=show(party.name), why=str(error))
        self._faults[party.id] = str(error)

    async def _hang_up(self, ally: str) -> None:
        running = self._running.pop(ally)
        running.bell.close()
        running.fetching.stop()
        delivering, fetching = running.tasks
        await asyncio.wait([fetching], timeout=GRACE_S)
        await _end(fetching)
        await _end(delivering)
        await running.line.close()


def _in_a_thread(job: Callable[[], None]) -> None:
    asyncio.get_running_loop().run_in_executor(None, job)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    # How it ended was logged where it matters; here it is only not to be left behind.
    await asyncio.gather(task, return_exceptions=True)


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("the links follow the agreements no longer: a mistake of ours", exc_info=task.exception())
