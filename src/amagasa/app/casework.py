"""What people do with incidents: each deed is kept, changes what it says, and can be taken back."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import Reading, Store, Writing
from amagasa.app.provenance import mix
from amagasa.app.queries import MissingError, all_alerts
from amagasa.incident import reshape
from amagasa.incident.alert import Incident, Stage, Status
from amagasa.incident.case import SHAPING, Deed, DeedKind, case_of
from amagasa.incident.growing import MAX_ALERTS
from amagasa.incident.reshape import Reshaped, Whole
from amagasa.incident.score import USUAL, is_option
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.text import show

TEXT_CHARACTERS: Final = 4_000
WHY_CHARACTERS: Final = 500
NAME_CHARACTERS: Final = 80
_NOTHING: Final = "nothing was changed"


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants to do. Which of these a deed needs says docs/incidents.md."""

    kind: DeedKind
    text: str = ""
    other: str = ""
    alerts: tuple[str, ...] = ()
    of: int = 0


class Done(Struct, frozen=True, kw_only=True):
    """What was done, and the incidents that it changed."""

    deed: Deed
    incidents: tuple[Incident, ...]


def do(store: Store, actor: Actor, incident_id: str, asked: Asked, *, now: datetime) -> Done:
    """One deed, in one transaction. Raises DeniedError, MissingError, and BadInputError where it cannot be done."""
    require(actor, Act.TRIAGE)
    with store.write() as tx:
        incident = known(tx, incident_id)
        if incident.merged_into is not None and asked.kind is not DeedKind.NOTE:
            raise BadInputError(
                "AMG-INCIDENT-MERGED",
                "this incident is now part of another",
                got=incident.merged_into,
                then=f"{_NOTHING}; open that one, where the merge can be undone",
            )
        plain = Deed(incident_id=incident.id, kind=asked.kind, at=now, by=actor.name)
        done = _DEEDS[asked.kind](tx, incident, asked, plain)
        deed = tx.cases.add(done.deed)
        if done.incidents:
            tx.save_incidents(done.incidents)
            mix(tx, [one.id for one in done.incidents])
    return Done(deed=deed, incidents=done.incidents or (incident,))


def known(tx: Reading, incident_id: str) -> Incident:
    """The incident. Raises MissingError."""
    incident = tx.incident(incident_id)
    if incident is None:
        raise MissingError("AMG-INCIDENT-UNKNOWN", "there is no such incident here", got=show(incident_id))
    return incident


def _close(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    del tx
    if incident.status is Status.CLOSED:
        raise _refused("AMG-INCIDENT-CLOSED", "the incident is closed already", expected="an open one")
    why = asked.text.strip()[:WHY_CHARACTERS]
    closed = replace(incident, status=Status.CLOSED, closed_why=f"{deed.by}: {why}", updated_at=_later(incident, deed))
    return Done(deed=replace(deed, text=why), incidents=(closed,))


def _reopen(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    del tx, asked
    if incident.status is Status.OPEN:
        raise _refused("AMG-INCIDENT-OPEN", "the incident is open already", expected="a closed one")
    return Done(deed=replace(deed, before=incident.closed_why), incidents=(_reopened(incident, deed),))


def _own(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    """Give it to somebody by name; "" lets it go; no `text` at all would be one's own name on the command line."""
    del tx
    name = asked.text.strip()[:NAME_CHARACTERS]
    owned = replace(incident, owner=name, updated_at=_later(incident, deed))
    return Done(deed=replace(deed, text=name, before=incident.owner), incidents=(owned,))


def _stage(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    del tx
    if asked.text not in set(Stage):
        raise _refused("AMG-CASE-STAGE", "there is no such stage", expected=", ".join(Stage), got=asked.text)
    staged = replace(incident, stage=Stage(asked.text), updated_at=_later(incident, deed))
    return Done(deed=replace(deed, text=asked.text, before=incident.stage.value), incidents=(staged,))


def _assess(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    """`category=option`; an empty option lets the evidence speak again."""
    del tx
    category, _, option = asked.text.partition("=")
    if not (is_option(category, option) or (not option and category in USUAL)):
        raise _refused(
            "AMG-CASE-OPTION", "NCISS has no such option", expected="category=option, as docs/incidents.md lists them",
            got=asked.text,
        )  # fmt: skip
    before = incident.assessed.get(category, "")
    assessed = {name: value for name, value in incident.assessed.items() if name != category}
    changed = replace(
        incident,
        assessed=assessed | ({category: option} if option else {}),
        updated_at=_later(incident, deed),
    )
    return Done(deed=replace(deed, text=asked.text, before=f"{category}={before}"), incidents=(changed,))


def _write_down(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    """A note, a task, a piece of evidence: words, and for evidence the alerts they are about."""
    text = asked.text.strip()[:TEXT_CHARACTERS]
    if not text:
        raise _refused("AMG-CASE-EMPTY", "there is nothing to write down", expected="a few words")
    held = [key for key in asked.alerts if key in incident.n_by_alert]
    del tx
    return Done(deed=replace(deed, text=text, alerts=tuple(held)), incidents=())


def _finish(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    tasks = {task.id: task for task in case_of(incident.id, tx.cases.deeds_of(incident.id)).tasks}
    if asked.of not in tasks or tasks[asked.of].done_by:
        raise _refused("AMG-CASE-TASK", "there is no such task to be done", expected="an open task", got=str(asked.of))
    return Done(deed=replace(deed, of=asked.of, text=tasks[asked.of].text), incidents=())


def _split(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    whole = _whole(tx, incident)
    chosen = _chosen(whole, asked)
    made = reshape.split(whole, chosen, by=show(deed.by, NAME_CHARACTERS), now=deed.at)
    return _kept(tx, made, replace(deed, other=made.second.id, alerts=tuple(chosen)))


def _move(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    source, target = _whole(tx, incident), _whole(tx, _target(tx, incident, asked))
    chosen = _chosen(source, asked)
    if len(target.alerts) + len(chosen) > MAX_ALERTS:
        raise _full(len(target.alerts) + len(chosen))
    made = reshape.move(source, target, chosen, by=show(deed.by, NAME_CHARACTERS), now=deed.at)
    return _kept(tx, made, replace(deed, other=target.incident.id, alerts=tuple(chosen)))


def _merge(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    other = _target(tx, incident, asked)
    if incident.n_alerts + other.n_alerts > MAX_ALERTS:
        raise _full(incident.n_alerts + other.n_alerts)
    made = reshape.merge(incident, other, now=deed.at)
    return _kept(tx, made, replace(deed, other=other.id, alerts=tuple(other.n_by_alert)))


def _undo(tx: Writing, incident: Incident, asked: Asked, deed: Deed) -> Done:
    case = case_of(incident.id, tx.cases.deeds_of(incident.id))
    if asked.of not in case.undoable:
        raise _refused(
            "AMG-CASE-UNDO", "this cannot be undone (any more)", expected="a deed which nothing was built upon",
            got=str(asked.of),
        )  # fmt: skip
    done = next(one for one in case.history if one.id == asked.of)
    named = replace(deed, of=done.id, text=done.kind.value, other=done.other)
    if done.kind in SHAPING:
        return _shape_back(tx, incident, done, named)
    back: Mapping[DeedKind, Callable[[], Incident]] = {
        DeedKind.CLOSE: lambda: _reopened(incident, deed),
        DeedKind.REOPEN: lambda: replace(incident, status=Status.CLOSED, closed_why=done.before),
        DeedKind.OWNER: lambda: replace(incident, owner=done.before),
        DeedKind.STAGE: lambda: replace(incident, stage=Stage(done.before or Stage.DETECTED)),
        DeedKind.ASSESS: lambda: _assessed_before(incident, done),
    }
    changed = back[done.kind]() if done.kind in back else None
    if changed is None:
        return Done(deed=named, incidents=())
    return Done(deed=named, incidents=(replace(changed, updated_at=_later(incident, deed)),))


def _shape_back(tx: Writing, incident: Incident, done: Deed, deed: Deed) -> Done:
    """Take a split, move or merge back: the alerts that changed places and are still there go home."""
    here, there = _whole(tx, incident), _whole(tx, known(tx, done.other))
    if done.kind is DeedKind.MERGE:
        if not 0 < len(here.only(done.alerts)) < len(here.alerts) or there.incident.merged_into != incident.id:
            raise _refused("AMG-CASE-UNDO", "what was merged is no longer here", expected="its alerts in this incident")
        return _kept(tx, reshape.unmerge(here, there.incident, done.alerts, now=deed.at), deed)
    n_back = len(there.only(done.alerts))
    if not n_back or len(here.alerts) + n_back > MAX_ALERTS:
        raise _refused("AMG-CASE-UNDO", "what was taken away is no longer there", expected="its alerts in the other")
    return _kept(tx, reshape.unmove(here, there, done.alerts, now=deed.at), deed)


def _kept(tx: Writing, made: Reshaped, deed: Deed) -> Done:
    tx.save_incidents([made.first, made.second])
    tx.move_alerts(made.moved)
    return Done(deed=deed, incidents=(made.first, made.second))


def _whole(tx: Reading, incident: Incident) -> Whole:
    return Whole(incident=incident, alerts=all_alerts(tx, incident.id))


def _chosen(whole: Whole, asked: Asked) -> list[str]:
    """Those of the alerts asked for that are here, some and not all."""
    here = {one.id for one in whole.alerts}
    chosen = [key for key in dict.fromkeys(asked.alerts) if key in here]
    if len(chosen) < len(set(asked.alerts)):
        missing = next(key for key in asked.alerts if key not in here)
        raise _refused("AMG-CASE-ALERT", "an alert is not in this incident", expected="its alerts", got=show(missing))
    if not 0 < len(chosen) < len(here):
        raise _refused(
            "AMG-CASE-ALERTS", "some alerts must go and some must stay",
            expected=f"1 to {len(here) - 1} of its {len(here)} alerts", got=str(len(chosen)),
        )  # fmt: skip
    return chosen


def _target(tx: Writing, incident: Incident, asked: Asked) -> Incident:
    other = known(tx, asked.other)
    if other.id == incident.id or other.merged_into is not None:
        raise _refused("AMG-CASE-OTHER", "this is no second incident", expected="another one, not part of a third")
    return other


def _reopened(incident: Incident, deed: Deed) -> Incident:
    return replace(incident, status=Status.OPEN, closed_why="", updated_at=_later(incident, deed))


def _assessed_before(incident: Incident, done: Deed) -> Incident:
    category, _, option = done.before.partition("=")
    rest = {name: value for name, value in incident.assessed.items() if name != category}
    return replace(incident, assessed=rest | ({category: option} if option else {}))


def _later(incident: Incident, deed: Deed) -> datetime:
    return max(deed.at, incident.updated_at)


def _full(n: int) -> BadInputError:
    return _refused("AMG-CASE-FULL", "one incident cannot hold all that", expected=f"{MAX_ALERTS} alerts", got=str(n))


def _refused(code: str, what: str, *, expected: str, got: str = "") -> BadInputError:
    return BadInputError(code, what, expected=expected, got=show(got), then=_NOTHING)


_DEEDS: Final[Mapping[DeedKind, Callable[[Writing, Incident, Asked, Deed], Done]]] = {
    DeedKind.CLOSE: _close,
    DeedKind.REOPEN: _reopen,
    DeedKind.OWNER: _own,
    DeedKind.STAGE: _stage,
    DeedKind.ASSESS: _assess,
    DeedKind.NOTE: _write_down,
    DeedKind.TASK: _write_down,
    DeedKind.EVIDENCE: _write_down,
    DeedKind.DONE: _finish,
    DeedKind.SPLIT: _split,
    DeedKind.MOVE: _move,
    DeedKind.MERGE: _merge,
    DeedKind.UNDO: _undo,
}
