"""The outbox: what was released reaches the ally, once, however often the line breaks.

On the wire an object may go out twice, when the node is killed between the ally's answer and our note of it; the ally
takes the second as held already. So what is delivered at least once is received once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.heads import HeadsDesk
from amagasa.app.hearts import HeartDesk
from amagasa.app.link_ports import AllyLine, Pushed
from amagasa.app.ports import AgreementBook, Bond, Clock, Crossing, CrossingState, Direction, Store, Writing
from amagasa.app.receiving import PassOn
from amagasa.app.recording import record
from amagasa.app.sharing import THROTTLE_S, in_force, may_still_leave
from amagasa.app.signals import Signals
from amagasa.share.harm import OwnGround
from amagasa.share.release import companions
from amagasa.share.verdict import Change, Released
from amagasa.vocab.errors import AmagasaError, WorldError
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp, tlp_of_word

BATCH: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
# A silent line is asked this often: its state is never older, and the next push finds it warm.
GREET_S: Final = 30.0
# Tree heads ride along with what is sent, at most this often; a receipt does not wait.
HEADS_S: Final = 10.0

_LOG = structlog.get_logger("amagasa.delivery")


class LineState(Struct, frozen=True, kw_only=True):
    """How the line to an ally stands. `is_up` is None until something was tried. Kept in the store and published.

    `since_at` is since when it stands so, as far as this process knows.
    `last_success_at` is the last answer, to a push or to a greeting. `n_pending` counts what waits, `n_failures` the
    tries since the last success. `why` holds the ally's words, escaped and cut.
    """

    ally: str
    is_up: bool | None = None
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    why: str = ""
    n_pending: int = 0
    n_failures: int = 0
    next_try_at: datetime | None = None
    since_at: datetime | None = None

    def turned(self, *, is_up: bool, now: datetime) -> "LineState":
        """The same, up or down from now on where it was not so before."""
        return self if self.is_up is is_up else replace(self, is_up=is_up, since_at=now)


class Bell(Protocol):
    """What wakes a delivery."""

    async def wait(self, timeout_s: float) -> None:
        """Return when something was announced since the last call, at the latest after `timeout_s`."""


class OutboxBell:
    """Rings when `signals` publishes `outbox` for this ally, from whichever thread. Made on the event loop."""

    def __init__(self, signals: Signals, ally: str) -> None:
        self._ally = ally
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self.close = signals.subscribe(self._heard)

    async def wait(self, timeout_s: float) -> None:
        """See Bell."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except TimeoutError:
            return
        self._event.clear()

    def _heard(self, topic: str, payload: dict[str, Any]) -> None:
        if topic == "outbox" and payload.get("ally", self._ally) == self._ally and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)


class DeliveryDeps(Struct, frozen=True, kw_only=True):
    """What the line to every ally shares.

    `jitter` draws a number in 0..1; `pass_on`: see `app.receiving`; `own` says what is ours (`share.harm`);
    `heads` exchanges tree heads over the line (`app.heads`), `hearts` heartbeats (`app.hearts`).
    """

    store: Store
    book: AgreementBook
    clock: Clock
    signals: Signals
    jitter: Callable[[], float]
    pass_on: PassOn | None = None
    own: Callable[[], OwnGround] = OwnGround
    heads: HeadsDesk | None = None
    hearts: HeartDesk | None = None


class Delivery:
    """Carries one ally's outbox over its line. One task runs it; the store is only called on other threads."""

    def __init__(self, ally: str, line: AllyLine, deps: DeliveryDeps) -> None:
        self._ally = ally
        self._line = line
        self._deps = deps
        self._told: set[tuple[str, bytes]] = set()
        self._is_catching_up = True
        self._settled: list[Crossing] = []
        self._heads_at: datetime | None = None
        self.state = LineState(ally=ally)

    async def run(self, bell: Bell) -> None:
        """For ever: send what is due, then wait for the bell or the next instant. Ends by cancellation alone."""
        while True:
            try:
                wait_s = await self.step()
            except AmagasaError as error:
                # The store is away (full, locked): nothing is lost, and the next step may find it back.
                wait_s = self._back_off(error)
                self._publish()
            await bell.wait(wait_s)

    async def step(self) -> float:
        """Send all that is due now; how many seconds there is nothing to do unless the bell rings."""
        while True:
            now = self._deps.clock.now()
            if self.state.next_try_at is not None and now < self.state.next_try_at:
                return (self.state.next_try_at - now).total_seconds()
            bond = next((bond for bond in in_force(self._deps.book, now) if bond.ally.id == self._ally), None)
            if bond is None:
                self._note(why="no agreement with this ally is in force", is_up=False)
                return LONGEST_WAIT_S
            batch, wait_s = await asyncio.to_thread(self._take, bond, now)
            if not batch:
                await self._exchange_heads(bond, now)
                return min(wait_s, await self._greet(bond, now))
            released = [released_of(crossing) for crossing in batch]
            beside = self._companions(released, bond)
            try:
                pushed = await self._line.push([*beside, *released])
            except WorldError as error:
                self._told.clear()
                self._is_catching_up = True
                wait_s = self._back_off(error)
                await asyncio.to_thread(self._keep_trying, batch)
                self._publish()
                return wait_s
            self._told |= {(one.object_id, one.content) for one in beside}
            await asyncio.to_thread(self._mark, batch, pushed)
            self._publish()
            await self._exchange_heads(bond, now)

    async def _exchange_heads(self, bond: Bond, now: datetime) -> None:
        """Show the ally our record's head and hear of its own. That the line is down is for the next push to find."""
        heads, last = self._deps.heads, self._heads_at
        if heads is None or self.state.is_up is not True:
            return
        since_s = (now - last).total_seconds() if last is not None else HEADS_S
        if since_s < HEADS_S and not await asyncio.to_thread(heads.is_urgent, bond, now=now):
            return
        self._heads_at = now
        since: int | None = None
        try:
            for _ in range(2):
                question = await asyncio.to_thread(heads.question, bond, since=since, now=now)
                told = await self._line.exchange_heads(question)
                if told is None:
                    return
                since = await asyncio.to_thread(heads.hear, bond, told, question=question, now=now)
                if since is None:
                    return
        except AmagasaError as error:
            _LOG.warning("the tree heads were not exchanged", ally=show(bond.ally.name), why=str(error))

    async def _greet(self, bond: Bond, now: datetime) -> float:
        """On a quiet line ask from time to time whether the ally is there; how long until the next time."""
        last, was_up = self.state.last_success_at, self.state.is_up
        if was_up and last is not None and (silent_s := (now - last).total_seconds()) < GREET_S:
            return GREET_S - silent_s
        try:
            await self._line.greet()
        except WorldError as error:
            self._is_catching_up = True
            wait_s = self._back_off(error)
            await asyncio.to_thread(self._keep_trying, ())
            self._publish()
            return wait_s
        self._is_catching_up = False
        self._succeeded(n_pending=self.state.n_pending)
        if not was_up:
            await asyncio.to_thread(self._keep_trying, ())
        self._publish()
        await self._exchange_heads(bond, now)
        return GREET_S

    def _take(self, bond: Bond, now: datetime) -> tuple[list[Crossing], float]:
        """A batch that may leave now, and else how long until one is due."""
        # After an outage what waits for its next try is not let wait longer once the line is back.
        horizon = now + timedelta(seconds=LONGEST_WAIT_S)
        with self._deps.store.read() as reading:
            due = reading.pressing(self._ally, now=horizon if self._is_catching_up else now, limit=BATCH)
            due = [crossing for crossing in due if crossing.created_at <= now]
            later = [] if due else reading.due(self._ally, now=horizon, limit=BATCH)
        stays = [crossing for crossing in due if not may_still_leave(crossing, bond)]
        if stays:
            with self._deps.store.write() as tx:
                self._settle(tx, [(one, {"state": CrossingState.WITHHELD, "why": _WITHDRAWN}) for one in stays])
                self._record(tx)
            self._deps.signals.publish("crossing", {"ids": [one.id for one in stays]})
        batch = batch_of([crossing for crossing in due if may_still_leave(crossing, bond)])
        waits = [(one.next_try_at - now).total_seconds() for one in later if one.next_try_at is not None]
        return batch, max(0.0, min(waits, default=LONGEST_WAIT_S))

    def _companions(self, released: Sequence[Released], bond: Bond) -> list[Released]:
        """What explains the batch and was not sent yet over this line."""
        giver = bond.agreement.ally_of(bond.ally.id)
        sent = {one.object_id for one in released}
        return [
            one
            for one in companions(released, giver)
            if (one.object_id, one.content) not in self._told and one.object_id not in sent
        ]

    def _mark(self, batch: Sequence[Crossing], pushed: Pushed) -> None:
        """Write down what the ally took and what it refused; what it said nothing about is tried again."""
        now = self._deps.clock.now()
        taken, refused = set(pushed.taken), dict(pushed.refused)
        became: list[tuple[Crossing, dict[str, Any]]] = []
        for crossing in batch:
            if crossing.object_id in refused:
                why = f"refused by the ally: {show(refused[crossing.object_id], 300)}"
                became.append((crossing, {"state": CrossingState.FAILED, "why": why}))
            elif crossing.object_id in taken:
                became.append((crossing, {"state": CrossingState.DELIVERED, "delivered_at": now}))
            else:
                again_at = now + timedelta(seconds=_wait_s(crossing.n_tries, self._deps.jitter()))
                became.append((crossing, {"why": "the ally did not say what became of it", "next_try_at": again_at}))
        with self._deps.store.write() as tx:
            self._settle(tx, became)
            self._record(tx)
            self._is_catching_up = False
            self._succeeded(n_pending=self._n_pending(tx))
            tx.save_meta(meta_key(self._ally), msgspec.json.encode(self.state).decode())
        self._deps.signals.publish("crossing", {"ids": [one.id for one in batch]})

    def _keep_trying(self, batch: Sequence[Crossing]) -> None:
        """Keep the line's state, and with a batch that did not go why and until when: a restart goes on from there."""
        with self._deps.store.write() as tx:
            again = {"why": self.state.why, "next_try_at": self.state.next_try_at}
            self._settle(tx, [(crossing, again) for crossing in batch])
            self.state = replace(self.state, n_pending=self._n_pending(tx))
            tx.save_meta(meta_key(self._ally), msgspec.json.encode(self.state).decode())

    def _record(self, tx: Writing) -> None:
        """What was settled in this transaction, at once: a leaf each."""
        settled, self._settled = self._settled, []
        record(tx, None, settled, now=self._deps.clock.now())

    def _settle(self, tx: Writing, became: Sequence[tuple[Crossing, Mapping[str, Any]]]) -> None:
        """Change the stored crossings, unless an object has grown meanwhile: then the newer version waits its turn."""
        stored = tx.crossings_numbered(crossing.id for crossing, _ in became)
        changed: list[Crossing] = []
        for crossing, fields in became:
            now = stored.get(crossing.id)
            if now is None or now.state is not CrossingState.PENDING:
                continue
            if now.version != crossing.version:
                due_at = self._deps.clock.now() + timedelta(seconds=THROTTLE_S)
                changed.append(replace(now, next_try_at=fields.get("next_try_at", due_at)))
                continue
            settled = replace(now, **{"why": "", "n_tries": now.n_tries + 1, **fields})
            changed.append(settled)
            if settled.state is not CrossingState.PENDING:
                self._settled.append(settled)
        tx.update_crossings(changed)

    def _back_off(self, error: AmagasaError) -> float:
        """Seconds until the next try: 1, 2, 4 ... 60, each between half and the whole of it."""
        now = self._deps.clock.now()
        wait_s = _wait_s(self.state.n_failures, self._deps.jitter())
        self.state = replace(
            self.state.turned(is_up=False, now=now),
            last_error_at=now,
            why=str(error),
            n_failures=self.state.n_failures + 1,
            next_try_at=now + timedelta(seconds=wait_s),
        )
        return wait_s

    def _succeeded(self, *, n_pending: int) -> None:
        now = self._deps.clock.now()
        self.state = replace(
            self.state.turned(is_up=True, now=now),
            last_success_at=now,
            why="",
            n_failures=0,
            next_try_at=None,
            n_pending=n_pending,
        )

    def _note(self, *, why: str, is_up: bool) -> None:
        if (self.state.why, self.state.is_up) != (why, is_up):
            self.state = replace(self.state.turned(is_up=is_up, now=self._deps.clock.now()), why=why)
            self._publish()

    def _n_pending(self, tx: Writing) -> int:
        return tx.n_crossings(ally=self._ally).get((Direction.OUT, CrossingState.PENDING), 0)

    def _publish(self) -> None:
        self._deps.signals.publish("link", msgspec.to_builtins(self.state))


_WITHDRAWN: Final = "the agreement or the clause which let it go no longer stands [AMG-SHARE-FORCE]"


def meta_key(ally: str) -> str:
    """Where the store keeps the line's last state (`Reading.meta`, JSON of LineState)."""
    return f"line:{ally}"


def batch_of(due: Sequence[Crossing]) -> list[Crossing]:
    """From the oldest on: one version of each object, up to the limit in bytes and at least one."""
    batch: list[Crossing] = []
    ids: set[str] = set()
    n_bytes = 0
    for crossing in due:
        if crossing.object_id in ids:
            continue
        n_bytes += len(crossing.content)
        if batch and n_bytes > BATCH_BYTES:
            break
        batch.append(crossing)
        ids.add(crossing.object_id)
    return batch


def released_of(crossing: Crossing) -> Released:
    """What the crossing carries, as the line takes it."""
    return Released(
        object_id=crossing.object_id,
        object_type=crossing.object_type,
        content=crossing.content,
        clause=crossing.clause,
        marking=tlp_of_word(crossing.marking) or Tlp.RED,
        changes=tuple(Change(path=path, what=what) for path, what in crossing.changes),
    )


def _wait_s(n_failures: int, jitter: float) -> float:
    whole = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(n_failures, 16))
    return whole * (0.5 + jitter / 2)
