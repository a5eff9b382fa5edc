"""Leaving and taking the watch: what is open goes from one officer to the next, and to an ally by the agreement."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from amagasa.app.case_views import QueueView
from amagasa.app.casework import TEXT_CHARACTERS, known
from amagasa.app.content import Sharing
from amagasa.app.evidence_views import TITLE_CHARACTERS
from amagasa.app.permissions import Act, Actor, Role, require
from amagasa.app.ports import Crossing, Reading, Store, Writing
from amagasa.app.queries import MissingError
from amagasa.app.views import lines
from amagasa.incident.alert import Incident, Status
from amagasa.incident.case import Deed, DeedKind
from amagasa.incident.score import score_of
from amagasa.vocab.errors import BadInputError, DeniedError
from amagasa.vocab.text import show
from amagasa.workforce.handover import MOST_GIVEN, Given, Handover, leave, may_take, take

_KEPT: Final = "triage.handovers"
_TRIAGE: Final = frozenset({Role.WATCH_OFFICER.value, Role.ANALYST.value})


class HandoverAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes the watch ("": the next), words, the incidents that go over, and those to be told to allies."""

    to: str = ""
    note: str = ""
    incidents: tuple[str, ...] = ()
    offered: tuple[str, ...] = ()


class LineView(Struct, frozen=True, kw_only=True):
    """Where an incident stands towards an ally: a state of crossings, and why where it stays or failed."""

    incident_id: str
    ally: str
    state: str
    why: str


class HandoverView(Struct, frozen=True, kw_only=True):
    """A hand-over as a person reads it. `may_take`: by whoever asks."""

    number: int
    at: datetime
    by: str
    to: str
    note: str
    given: tuple[Given, ...]
    n_open: int
    n_done: int
    n_held: int
    taken_at: datetime | None
    taken_by: str
    may_take: bool
    lines: list[LineView]


class HandoversView(Struct, frozen=True, kw_only=True):
    """The last ones, the newest first; and who can take a watch here."""

    handovers: list[HandoverView]
    officers: list[str]


class Left(Struct, frozen=True, kw_only=True):
    """What was left, and what of it was put before the agreements: announce that after the commit."""

    handover: Handover
    crossings: tuple[Crossing, ...]


class Handovers:
    """The use cases. `names` are what each ally calls itself."""

    def __init__(self, store: Store, sharing: Sharing, names: Mapping[str, str]) -> None:
        self._store = store
        self._sharing = sharing
        self._names = names

    def all(self, actor: Actor, *, now: datetime) -> HandoversView:
        """The last ones."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            held = _held(reading)
            ids = dict.fromkeys(given.incident_id for one in held for given in one.given)
            crossed = self._sharing.crossed(reading, list(ids), now)
            officers = _officers(reading)
        may = actor.may(Act.TRIAGE)
        return HandoversView(
            handovers=[self._view(one, crossed, is_theirs=may and may_take(one, actor.name)) for one in held],
            officers=officers,
        )

    def lines_of(self, actor: Actor, incident_id: str, *, now: datetime) -> list[LineView]:
        """Where an incident stands towards each ally that it was put before. Raises MissingError."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            known(reading, incident_id)
            return self._lines(self._sharing.crossed(reading, [incident_id], now), [incident_id])

    def hand_over(self, actor: Actor, asked: HandoverAsked, queue: QueueView, *, now: datetime) -> Left:
        """Leave the watch. `queue` is what stands open. Raises DeniedError, MissingError and BadInputError."""
        require(actor, Act.TRIAGE)
        if len({*asked.incidents, *asked.offered}) > MOST_GIVEN:
            raise _refused("AMG-WATCH-MANY", "that is more than one hand-over holds", f"{MOST_GIVEN} incidents at most")
        with self._store.write() as tx:
            if asked.to and (asked.to == actor.name or asked.to not in _officers(tx)):
                raise _refused("AMG-WATCH-OFFICER", "this person cannot take the watch", "another officer", asked.to)
            incidents = {key: known(tx, key) for key in dict.fromkeys((*asked.incidents, *asked.offered))}
            held = leave(_held(tx), _left(actor, asked, queue, incidents, now=now))
            offered = [incidents[key] for key in dict.fromkeys(asked.offered)]
            crossings = self._sharing.tell_again(tx, offered, now)
            _keep(tx, held)
        return Left(handover=held[0], crossings=crossings)

    def take_over(self, actor: Actor, number: int, *, now: datetime) -> tuple[Incident, ...]:
        """Take the watch: what was left becomes one's own where it is still with the other officer. Those incidents.

        Raises MissingError, and DeniedError where it is another's to take.
        """
        require(actor, Act.TRIAGE)
        with self._store.write() as tx:
            held = _held(tx)
            one = next((each for each in held if each.number == number), None)
            if one is None:
                raise MissingError("AMG-WATCH-UNKNOWN", "there is no such hand-over here", got=str(number))
            if not may_take(one, actor.name):
                raise DeniedError(
                    "AMG-WATCH-TAKEN",
                    "this hand-over is not yours to take",
                    expected="an open one, left to you or to whoever comes next",
                    got=f"left by {show(one.by, 80)} to {show(one.to, 80) or 'the next'}",
                    then="nothing was changed",
                )
            taken = tuple(_owned(tx, incident, actor.name, now) for incident in _still(tx, one))
            tx.save_incidents(taken)
            _keep(tx, take(held, number, by=actor.name, now=now))
        return taken

    def _view(self, one: Handover, crossed: Mapping[str, Sequence[Crossing]], *, is_theirs: bool) -> HandoverView:
        lines = self._lines(crossed, [given.incident_id for given in one.given])
        return HandoverView(**msgspec.structs.asdict(one), may_take=is_theirs, lines=lines)

    def _lines(self, crossed: Mapping[str, Sequence[Crossing]], incidents: Sequence[str]) -> list[LineView]:
        return [
            LineView(
                incident_id=key,
                ally=self._names.get(crossing.ally, show(crossing.ally, 80)),
                state=crossing.state.value,
                why=show(crossing.why),
            )
            for key in incidents
            for crossing in crossed.get(key, ())
        ]


def _left(
    actor: Actor, asked: HandoverAsked, queue: QueueView, incidents: Mapping[str, Incident], *, now: datetime
) -> Handover:
    impacts = {one.incident.id: one.impact for one in queue.incidents}
    given = [incidents[key] for key in dict.fromkeys(asked.incidents)]
    return Handover(
        number=0,
        at=now,
        by=actor.name,
        to=asked.to,
        note=lines(asked.note.strip(), TEXT_CHARACTERS),
        given=tuple(_given(one, impact=impacts.get(one.id, 0)) for one in given if one.status is Status.OPEN),
        n_open=queue.n_open,
        n_done=queue.budget.n_done,
        n_held=queue.n_deferred + queue.n_offered,
    )


def _still(tx: Reading, one: Handover) -> list[Incident]:
    found = [tx.incident(given.incident_id) for given in one.given]
    return [each for each in found if each is not None and each.status is Status.OPEN and each.owner in {one.by, ""}]


def _owned(tx: Writing, incident: Incident, name: str, now: datetime) -> Incident:
    deed = Deed(incident_id=incident.id, kind=DeedKind.OWNER, at=now, by=name, text=name, before=incident.owner)
    tx.cases.add(deed)
    return msgspec.structs.replace(incident, owner=name, updated_at=max(now, incident.updated_at))


def _given(incident: Incident, *, impact: int) -> Given:
    return Given(
        incident_id=incident.id,
        title=show(incident.title, TITLE_CHARACTERS),
        severity=int(incident.severity),
        stage=incident.stage.value,
        score=score_of(incident).score,
        impact=impact,
    )


def _officers(reading: Reading) -> list[str]:
    accounts = reading.accounts()
    return sorted(show(one.name, 80) for one in accounts if one.is_enabled and not _TRIAGE.isdisjoint(one.roles))


def _held(reading: Reading) -> tuple[Handover, ...]:
    noted = reading.meta(_KEPT)
    return () if noted is None else msgspec.json.decode(noted, type=tuple[Handover, ...])


def _keep(tx: Writing, held: Sequence[Handover]) -> None:
    tx.save_meta(_KEPT, msgspec.json.encode(held).decode())


def _refused(code: str, what: str, expected: str, got: str = "") -> BadInputError:
    return BadInputError(code, what, expected=expected, got=show(got, 80), then="nothing was changed")
