"""The other way round: what an ally could not push to us is fetched, and it learns what became of each object.

Both ways lead into `receive`, so what comes by both arrives once. The giver's side is `waiting_for` and `settle`.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.delivery import LONGEST_WAIT_S, DeliveryDeps, batch_of, released_of
from amagasa.app.hearts import EVERY_S, silence_of
from amagasa.app.link_ports import AllyLine
from amagasa.app.ports import Bond, Crossing, CrossingState, Direction, Reading, Store
from amagasa.app.receiving import Received, receive, require_in_force
from amagasa.app.recording import record
from amagasa.app.sharing import may_still_leave
from amagasa.app.signals import Signals
from amagasa.intel.stix import instant_of
from amagasa.share.release import companions
from amagasa.vocab.errors import AmagasaError, BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

PAGE: Final = 500
FATES: Final = 2_000
# After a page that brought something new: the ally's push does not reach us, so we ask as often as it would.
EAGER_S: Final = 1.0
# A quiet line is asked this often, a push being the rule.
QUIET_S: Final = 30.0
# Another product, which keeps nothing for us beside its collections.
NEVER_S: Final = 3_600.0


class Waiting(Struct, frozen=True, kw_only=True):
    """An object that waits for its ally. `token` names it and its version to its giver; "" where nothing is owed."""

    token: str
    object: Any


class Page(Struct, frozen=True, kw_only=True):
    """What waits, and whether there is more behind it."""

    waiting: tuple[Waiting, ...] = ()
    more: bool = False


class Fate(Struct, frozen=True, kw_only=True):
    """What became of an object at the ally: `why` is "" where it was taken."""

    token: str
    why: str = ""


class Fates(Struct, frozen=True, kw_only=True):
    """What the fetching side says of a page."""

    fates: tuple[Fate, ...] = ()


def waiting_for(store: Store, bond: Bond, *, now: datetime) -> bytes:
    """A page of what waits for this ally, as JSON of `Page`: the same that the next push would carry. Blocking."""
    with store.read() as reading:
        due = reading.pressing(bond.ally.id, now=now + timedelta(seconds=LONGEST_WAIT_S), limit=PAGE)
    leaving = [one for one in due if one.created_at <= now and may_still_leave(one, bond)]
    batch = batch_of(leaving)
    page = {
        "waiting": page_items(batch, bond),
        "more": len(batch) < len(leaving) or len(due) == PAGE,
    }
    return msgspec.json.encode(page)


def page_items(batch: Sequence[Crossing], bond: Bond) -> list[dict[str, Any]]:
    """What waits as items of a page, with what explains it before."""
    released = [released_of(crossing) for crossing in batch]
    sent = {one.object_id for one in released}
    beside = companions(released, bond.agreement.ally_of(bond.ally.id))
    return [
        *({"token": "", "object": msgspec.Raw(one.content)} for one in beside if one.object_id not in sent),
        *({"token": _token(one), "object": msgspec.Raw(one.content)} for one in batch),
    ]


def fates_of(body: bytes) -> tuple[Fate, ...]:
    """What an ally says of a page. Raises BadInputError (AMG-FETCH-FORM)."""
    try:
        told = msgspec.json.decode(body, type=Fates).fates
        why = "" if len(told) <= FATES else f"{len(told)} of them"
    except (ValueError, RecursionError) as error:
        told, why = (), str(error)
    if why:
        expected = f"JSON with at most {FATES} fates (docs/link.md)"
        raise BadInputError("AMG-FETCH-FORM", "this does not say what became of objects", expected=expected, got=why)
    return told


def settle(
    store: Store,
    signals: Signals,
    bond: Bond,
    fates: Sequence[Fate],
    *,
    now: datetime,
    how: str = "fetched by the ally",
) -> int:
    """Note what became of what waited, as the ally says; how many. What has grown since then waits on. Blocking."""
    told = {fate.token: fate.why for fate in fates}
    settled: list[Crossing] = []
    with store.write() as tx:
        for token, why in told.items():
            number, _, _ = token.partition(".")
            crossing = tx.crossing(int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
            if crossing is None or not _is_open(crossing, bond) or _token(crossing) != token:
                continue
            done = _settled(crossing, why, how=how, now=now)
            tx.update_crossing(done)
            settled.append(done)
        record(tx, None, settled, now=now)
    if settled:
        signals.publish("crossing", {"ids": [one.id for one in settled]})
    return len(settled)


def _settled(crossing: Crossing, why: str, *, how: str, now: datetime) -> Crossing:
    n_tries = crossing.n_tries + 1
    if why:
        refused = f"refused by the ally: {show(why, 300)}"
        return replace(crossing, state=CrossingState.FAILED, why=refused, n_tries=n_tries)
    return replace(crossing, state=CrossingState.DELIVERED, why=how, delivered_at=now, n_tries=n_tries)


def _is_open(crossing: Crossing, bond: Bond) -> bool:
    is_theirs = (crossing.ally, crossing.direction) == (bond.ally.id, Direction.OUT)
    return is_theirs and crossing.state is CrossingState.PENDING


def _token(crossing: Crossing) -> str:
    return f"{crossing.id}.{hashlib.sha256(crossing.content).hexdigest()[:16]}"


class Fetching:
    """Asks one ally over its line for what waits for us there. One task runs it; the store is on other threads.

    `is_up` says whether the line stands, as far as the delivery over it knows: a line that is down is the delivery's
    to try.
    """

    def __init__(self, ally: str, line: AllyLine, deps: DeliveryDeps, *, is_up: Callable[[], bool]) -> None:
        self._ally = ally
        self._line = line
        self._deps = deps
        self._is_up = is_up
        self._wait_s = EAGER_S
        self._beat_at: datetime | None = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let `run` end after the step in hand: a connection that is cut while it is made is not closed in order."""
        self._stopping.set()

    async def run(self, pause: Callable[[float], Awaitable[None]] | None = None) -> None:
        """Until stopped: fetch what waits, then pause."""
        pause = pause or self._pause
        while not self._stopping.is_set():
            try:
                wait_s = await self.step()
            except AmagasaError:
                # The line broke or our store is away: nothing is lost, the ally keeps what it was not told of.
                wait_s = self._slower()
            await pause(wait_s)

    async def step(self) -> float:
        """Fetch page after page, as long as the ally says there is more; how long to wait for the next look.

        Raises WorldError where the line breaks, DeniedError where no agreement with this ally is in force.
        """
        if not self._is_up():
            self._wait_s = EAGER_S
            return EAGER_S
        told: tuple[Fate, ...] = ()
        while True:
            now = self._deps.clock.now()
            bond = require_in_force(self._deps.book, self._ally, now)
            await self._beat(bond, now)
            content = await self._line.fetch_waiting()
            if content is None:
                return NEVER_S
            page = _page_of(content)
            if not page.waiting:
                return self._slower()
            received = await asyncio.to_thread(self._receive, [one.object for one in page.waiting], now)
            before, told = told, fates_for(page.waiting, received)
            if told:
                await self._line.tell_fates(msgspec.json.encode(Fates(fates=told)))
            if received.n_new:
                self._wait_s = EAGER_S
            if not page.more or told in ((), before):
                return self._wait_s if received.n_new else self._slower()

    async def _beat(self, bond: Bond, now: datetime) -> None:
        """Exchange heartbeats when it is time. What is none comes of the ally and stops nothing else."""
        hearts, last = self._deps.hearts, self._beat_at
        every_s = EVERY_S if hearts is None else min(EVERY_S, silence_of(bond) / 3)
        if hearts is None or (last is not None and (now - last).total_seconds() < every_s):
            return
        said = await self._line.exchange_beats(await asyncio.to_thread(hearts.beat, bond, now=now))
        self._beat_at = now
        if said is not None:
            with contextlib.suppress(BadInputError):
                await asyncio.to_thread(hearts.hear, bond, said, now=now)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _receive(self, objects: Sequence[Any], now: datetime) -> Received:
        deps = self._deps
        received = receive(
            deps.store, deps.signals, self._ally, objects, book=deps.book, now=now, pass_on=deps.pass_on, own=deps.own()
        )
        if received.n_new:
            with deps.store.write() as tx:
                tx.save_meta(_key(self._ally), to_rfc3339(now))
        return received

    def _slower(self) -> float:
        wait_s, self._wait_s = self._wait_s, min(QUIET_S, self._wait_s * 2)
        return wait_s * (0.5 + self._deps.jitter() / 2)


def fetched_at(reading: Reading, ally: str) -> datetime | None:
    """When something new was last fetched from this ally, which it had not pushed; None where that never was."""
    kept = reading.meta(_key(ally))
    return instant_of(kept) if kept else None


def _key(ally: str) -> str:
    return f"fetched:{ally}"


def _page_of(content: bytes) -> Page:
    try:
        page = msgspec.json.decode(content, type=Page)
        why = "" if len(page.waiting) <= FATES else f"{len(page.waiting)} objects"
    except (ValueError, RecursionError) as error:
        page, why = Page(), str(error)
    if why:
        raise BadInputError("AMG-FETCH-FORM", "what the ally keeps for us cannot be read", got=show(why))
    return page


def fates_for(waiting: Sequence[Waiting], received: Received) -> tuple[Fate, ...]:
    """For each that has a token: taken, or why not. What nothing is said of is asked for again."""
    taken = {one.object_id for one in received.taken}
    refused: Mapping[str, str] = {one.object_id: one.why for one in received.refused}
    fates = []
    for one in waiting:
        known_as = one.object.get("id") if isinstance(one.object, dict) else None
        known_as = known_as if isinstance(known_as, str) else ""
        if one.token and known_as in taken:
            fates.append(Fate(token=one.token))
        elif one.token and show(known_as) in refused:
            fates.append(Fate(token=one.token, why=refused[show(known_as)]))
    return tuple(fates)
