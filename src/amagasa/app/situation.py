"""How the node stands: its sources, its allies, what is counted, and what a person would best do next."""

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.delivery import LineState, meta_key
from amagasa.app.heart_views import HeartView, heart_view
from amagasa.app.hearts import heart_of
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import CrossingState, Direction, Position, Reading, Store
from amagasa.app.record_views import RecordView, record_view
from amagasa.app.reject_ports import reject_head_in
from amagasa.app.source_health import health_in
from amagasa.app.unkept import Unkept
from amagasa.app.views import Named, named, names_of
from amagasa.detect.baseline.rhythm import Rhythm
from amagasa.event.skew import ClockState
from amagasa.incident.alert import Status
from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.vocab.text import show

LOOKED_AT: Final = 20  # waiting crossings looked at for the reason of a failure
FAULT_SHOWN: Final = 480  # a fault of the store beside one of its own
RATE_WINDOW_S: Final = 60
WRONG_CLOCKS: Final = frozenset({ClockState.AHEAD, ClockState.BEHIND})
CONTENT_COUNTED_S: Final = 3  # content is counted anew after so long


class LinkState(StrEnum):
    """Of the line to an ally, from the last try and from what crossed it."""

    UP = "up"  # the ally answered, or took the last delivery
    DOWN = "down"  # the last try failed
    SENDING = "sending"  # something waits that has not been tried yet
    QUIET = "quiet"  # nothing has crossed so far
    NOT_IN_FORCE = "not-in-force"  # no agreement is in force today


class RhythmState(StrEnum):
    """What is known of a source's rhythm."""

    LEARNING = "learning"  # not enough was seen of it to call a silence unusual
    USUAL = "usual"
    SILENT = "silent"  # longer than it ever was at such hours


class NodeView(Struct, frozen=True, kw_only=True):
    """This node."""

    id: str
    name: str
    country: str
    lang: str


class SourceView(Struct, frozen=True, kw_only=True):
    """A source: what was read of it, and how fresh. `rate_per_s` is None until two looks a second apart.

    `lag_s` is the age of the newest record; None where none carried an instant. `lag_bytes` wait to be read here,
    `n_behind` messages at its broker, both as of the last whole minute. `rhythm` is what is known of it; `alarm_at`:
    when its silence, should it be silent until then, is alarmed of.
    `clock_ahead_s`: how far its clock is ahead (negative: behind, or records are held back on the way), None while that
    is not known; with `is_zone` its time zone is told wrongly. `n_rejects_kept` can be looked at and read again.
    Of a capture, `n_lost` packets were dropped by its kernel, and `n_lost_bytes` went unread for want of room.
    """

    name: str
    address: str
    n_read: int
    n_accepted: int
    n_rejected: int
    last_record_at: datetime | None
    lag_s: float | None
    rate_per_s: float | None
    fault: str
    lag_bytes: int = 0
    n_behind: int = 0
    rhythm: RhythmState = RhythmState.LEARNING
    alarm_at: datetime | None = None
    clock: ClockState = ClockState.UNKNOWN
    clock_ahead_s: float | None = None
    is_zone: bool = False
    n_lost: int = 0
    n_lost_bytes: int = 0
    n_rejects_kept: int = 0
    is_feeding: bool = False


class LinkView(Struct, frozen=True, kw_only=True):
    """The line to an ally; `why` is the reason of the last failure."""

    state: LinkState
    why: str = ""
    n_waiting: int
    last_sent_at: datetime | None
    last_received_at: datetime | None
    next_try_at: datetime | None = None


class ClauseView(Struct, frozen=True, kw_only=True):
    """A clause. `is_ours`: it says what we give."""

    id: str
    is_ours: bool
    objects: tuple[str, ...]
    pattern_types: tuple[str, ...]
    ceiling: str
    consent: Consent
    strip: tuple[str, ...]
    pseudonymise: tuple[str, ...]


class AgreementView(Struct, frozen=True, kw_only=True):
    """The signed terms."""

    id: str
    title: str
    version: int
    valid_from_at: datetime
    valid_until_at: datetime
    is_in_force: bool
    our_role: str
    their_role: str
    clauses: list[ClauseView]


class AllyView(Struct, frozen=True, kw_only=True):
    """An ally, its line, the agreements with it, the newest first, the record of that one, its heartbeat."""

    ally: Named
    country: str
    link: LinkView
    agreements: list[AgreementView]
    record: RecordView
    heart: HeartView


class CountsView(Struct, frozen=True, kw_only=True):
    """What there is to look at."""

    alerts: int
    incidents_open: int
    wanting: int
    content: int
    content_faulted: int


class NextStep(Struct, frozen=True, kw_only=True):
    """What would help most now: `code` for the console's own words, `text` for everyone else."""

    code: str
    text: str


class StatusView(Struct, frozen=True, kw_only=True):
    """Everything the frame of the console shows."""

    node: NodeView
    now_at: datetime
    sources: list[SourceView]
    allies: list[AllyView]
    counts: CountsView
    next: list[NextStep]


class Rates:
    """Records a second for each source, from looks at its total; bounded, thread-safe."""

    SOURCES: Final = 1_000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: OrderedDict[str, deque[tuple[datetime, int]]] = OrderedDict()

    def look(self, position: Position, *, now: datetime) -> float | None:
        """The mean over the last minute; None until two looks are a second apart."""
        with self._lock:
            looks = self._looks.setdefault(position.source, deque())
            self._looks.move_to_end(position.source)
            while len(self._looks) > self.SOURCES:
                self._looks.popitem(last=False)
            if not looks or (now - looks[-1][0]).total_seconds() >= 1:
                looks.append((now, position.n_read))
            while len(looks) > 2 and (now - looks[0][0]).total_seconds() > RATE_WINDOW_S:
                looks.popleft()
            began_at, n_then = looks[0]
        elapsed_s = (now - began_at).total_seconds()
        return round(max(0.0, (position.n_read - n_then) / elapsed_s), 1) if elapsed_s >= 1 else None


class Situation:
    """The queries; `sources` are (name, where) of those the settings name, read yet or not."""

    def __init__(
        self,
        store: Store,
        party: Party,
        *,
        lang: str,
        sources: Sequence[tuple[str, str]] = (),
        unkept: Unkept | None = None,
    ) -> None:
        self._store = store
        self._unkept = unkept or Unkept()
        self._party = party
        self._lang = lang
        self._sources = dict(sources)
        self._rates = Rates()
        self._content: tuple[datetime, int, int] | None = None  # as of then: how many there are, how many cannot run

    def status(self, actor: Actor, agreements: Sequence[Agreement], *, now: datetime) -> StatusView:
        """The node at a glance."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            sources = self._source_views(reading, now=now)
            allies = self._allies(reading, agreements, now=now)
            counts = self._counts(reading, now=now)
        return StatusView(
            node=NodeView(
                id=self._party.id, name=show(self._party.name, 80), country=show(self._party.country), lang=self._lang
            ),
            now_at=now,
            sources=sources,
            allies=allies,
            counts=counts,
            next=_next(sources, allies, counts),
        )

    def allies(self, actor: Actor, agreements: Sequence[Agreement], *, now: datetime) -> list[AllyView]:
        """The allies of every agreement, in force or not."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            return self._allies(reading, agreements, now=now)

    def _source_views(self, reading: Reading, *, now: datetime) -> list[SourceView]:
        read = {position.source: position for position in reading.positions()}
        named_only = [Position(source=name, token={}) for name in self._sources if name not in read]
        return [self._source(reading, position, now=now) for position in (*read.values(), *named_only)]

    def _source(self, reading: Reading, position: Position, *, now: datetime) -> SourceView:
        last = position.last_record_at
        health = health_in(reading, position.source)
        skew, rejects = health.skew, reject_head_in(position.token)
        return SourceView(
            name=show(position.source),
            address=show(self._sources.get(position.source, "")),
            n_read=position.n_read,
            n_accepted=position.n_accepted,
            n_rejected=position.n_rejected,
            last_record_at=last,
            lag_s=None if last is None else max(0.0, (now - last).total_seconds()),
            rate_per_s=self._rates.look(position, now=now),
            fault=show(self._unkept.fault_of(position.source, position.fault), FAULT_SHOWN),
            lag_bytes=health.lag_bytes,
            n_behind=health.n_behind,
            rhythm=_rhythm_of(health.rhythm),
            alarm_at=health.alarm_at,
            clock=skew.state,
            clock_ahead_s=skew.ahead_s,
            is_zone=skew.is_zone,
            n_lost=_lost(position.token, "n_lost"),
            n_lost_bytes=_lost(position.token, "n_lost_bytes"),
            n_rejects_kept=rejects.n_kept,
            is_feeding=rejects.until is not None,
        )

    def _counts(self, reading: Reading, *, now: datetime) -> CountsView:
        # Thousands of rules may be held, each with its text: not to be read for every look of every screen.
        content = self._content
        if content is None or not 0 <= (now - content[0]).total_seconds() < CONTENT_COUNTED_S:
            held = reading.content()
            content = self._content = (now, len(held), sum(1 for item in held if item.fault))
        return CountsView(
            alerts=reading.n_alerts(),
            incidents_open=reading.n_by_status()[Status.OPEN],
            wanting=reading.n_crossings().get((Direction.OUT, CrossingState.WANTING), 0),
            content=content[1],
            content_faulted=content[2],
        )

    def _allies(self, reading: Reading, agreements: Sequence[Agreement], *, now: datetime) -> list[AllyView]:
        names = names_of(self._party.id, agreements)
        ours = [one for one in agreements if self._party.id in {party.id for party in one.parties}]
        ours.sort(key=lambda one: (one.is_in_force(now), one.version, one.valid_from_at), reverse=True)
        by_ally: dict[str, list[Agreement]] = {}
        for agreement in ours:
            by_ally.setdefault(agreement.ally_of(self._party.id).id, []).append(agreement)
        return [
            AllyView(
                ally=named(ally, names),
                country=show(held[0].ally_of(self._party.id).country),
                link=_link(reading, ally, is_in_force=held[0].is_in_force(now)),
                agreements=[_agreement(one, self._party.id, now=now) for one in held],
                record=record_view(reading, held[0], now=now),
                heart=heart_view(heart_of(reading, ally), held[0]),
            )
            for ally, held in by_ally.items()
        ]


def _lost(token: Mapping[str, Any], key: str) -> int:
    """What sources that cannot wait for us had to let go, where they count it."""
    found = token.get(key, 0)
    return found if isinstance(found, int) else 0


def _rhythm_of(rhythm: Rhythm) -> RhythmState:
    if rhythm.is_alarmed:
        return RhythmState.SILENT
    return RhythmState.LEARNING if rhythm.is_learning else RhythmState.USUAL


def _agreement(agreement: Agreement, party_id: str, *, now: datetime) -> AgreementView:
    ally = agreement.ally_of(party_id)
    ours = agreement.ally_of(ally.id)
    return AgreementView(
        id=show(agreement.id),
        title=show(agreement.title),
        version=agreement.version,
        valid_from_at=agreement.valid_from_at,
        valid_until_at=agreement.valid_until_at,
        is_in_force=agreement.is_in_force(now),
        our_role=ours.role.value,
        their_role=ally.role.value,
        clauses=[_clause(clause, party_id) for clause in agreement.clauses],
    )


def _clause(clause: Clause, party_id: str) -> ClauseView:
    return ClauseView(
        id=show(clause.id),
        is_ours=clause.giver == party_id,
        objects=tuple(show(name) for name in clause.objects),
        pattern_types=tuple(show(name) for name in clause.pattern_types),
        ceiling=clause.ceiling.word,
        consent=clause.consent,
        strip=tuple(show(path) for path in clause.strip),
        pseudonymise=tuple(show(path) for path in clause.pseudonymise),
    )


def _link(reading: Reading, ally: str, *, is_in_force: bool) -> LinkView:
    waiting, _ = reading.crossings(
        Page(limit=LOOKED_AT), ally=ally, direction=Direction.OUT, state=CrossingState.PENDING
    )
    sent, _ = reading.crossings(Page(limit=1), ally=ally, direction=Direction.OUT, state=CrossingState.DELIVERED)
    received, _ = reading.crossings(Page(limit=1), ally=ally, direction=Direction.IN)
    failing = next((crossing for crossing in waiting if crossing.n_tries), None)
    told = reading.meta(meta_key(ally))
    line = msgspec.json.decode(told, type=LineState) if told is not None else LineState(ally=ally)
    if not is_in_force:
        state = LinkState.NOT_IN_FORCE
    elif failing is not None or line.is_up is False:
        state = LinkState.DOWN
    elif sent or received or line.is_up:
        state = LinkState.UP
    else:
        state = LinkState.SENDING if waiting else LinkState.QUIET
    return LinkView(
        state=state,
        why=show(line.why or (failing.why if failing is not None else ""), 300) if state is LinkState.DOWN else "",
        n_waiting=reading.n_crossings(ally=ally).get((Direction.OUT, CrossingState.PENDING), 0),
        last_sent_at=sent[0].delivered_at if sent else None,
        last_received_at=received[0].created_at if received else None,
        next_try_at=line.next_try_at or (failing.next_try_at if failing is not None else None),
    )


def _next(sources: Sequence[SourceView], allies: Sequence[AllyView], counts: CountsView) -> list[NextStep]:
    steps = []
    if not sources:
        steps.append(NextStep(code="add-source", text="name a log to follow: amagasa source add DIR NAME PATH"))
    if any(source.fault for source in sources):
        steps.append(NextStep(code="mend-source", text="a source has a fault: see Sources"))
    if any(source.rhythm is RhythmState.SILENT for source in sources):
        steps.append(NextStep(code="silent-source", text="a source fell silent: see Sources"))
    if any(source.clock in WRONG_CLOCKS for source in sources):
        steps.append(NextStep(code="mend-clock", text="the clock of a source is wrong: see Sources"))
    if not allies:
        steps.append(NextStep(code="sign-agreement", text="agree with an ally: amagasa agreement draft"))
    if any(ally.link.state is LinkState.DOWN for ally in allies):
        steps.append(NextStep(code="mend-link", text="an ally cannot be reached: see Allies"))
    if any(ally.heart.silent_at is not None for ally in allies):
        steps.append(NextStep(code="ask-ally", text="an ally is silent: ask by another way, see Allies"))
    if counts.wanting:
        steps.append(NextStep(code="decide-release", text="objects wait for a release officer: see Release"))
    if counts.content_faulted:
        steps.append(NextStep(code="mend-content", text="some rules cannot run: see Content"))
    return steps
