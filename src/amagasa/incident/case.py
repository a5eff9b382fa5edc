"""The case file: what people did with an incident, deed by deed, and what stands of it.

Nothing is overwritten: every deed is kept with who did it and when, and an undo is a deed of its own. What stands
(owner, stage, notes, tasks, evidence) is made of them anew each time, so the file shows its own history.

The stages are those of NIST SP 800-61r3, which tells the life of an incident along the functions of the Cybersecurity
Framework 2.0: detected (DE.AE), triage (RS.MA), analysis (RS.AN), containment and eradication (RS.MI), recovery
(RC.RP), lessons (ID.IM). Whether an incident is open or closed is another matter: one may be closed at any stage.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.incident.alert import Stage


class DeedKind(StrEnum):
    """What a person can do with an incident."""

    OWNER = "owner"
    STAGE = "stage"
    NOTE = "note"
    TASK = "task"
    DONE = "done"
    EVIDENCE = "evidence"
    ASSESS = "assess"
    CLOSE = "close"
    REOPEN = "reopen"
    SPLIT = "split"
    MOVE = "move"
    MERGE = "merge"
    UNDO = "undo"


SHAPING: Final = frozenset({DeedKind.SPLIT, DeedKind.MOVE, DeedKind.MERGE})
# Of these the last alone can be taken back: what came before it is no more.
_LAST_ALONE: Final = frozenset({DeedKind.OWNER, DeedKind.STAGE, DeedKind.CLOSE, DeedKind.REOPEN})
_OF_LIFE: Final = frozenset({DeedKind.CLOSE, DeedKind.REOPEN})


class Deed(Struct, frozen=True, kw_only=True):
    """One deed. `id` is 0 until stored, and rises.

    `text` is the note, the task, the reason, the owner's name or the stage; `before` what stood there before it.
    `other` is the second incident of a split, move or merge, and `alerts` are those which changed places: from
    `incident_id` to `other` in a split or move, from `other` to `incident_id` in a merge. `of` is the deed which this
    one undoes, or the task that it says is done.
    """

    id: int = 0
    incident_id: str
    kind: DeedKind
    at: datetime
    by: str
    text: str = ""
    before: str = ""
    other: str = ""
    alerts: tuple[str, ...] = ()
    of: int = 0


class Task(Struct, frozen=True, kw_only=True):
    """Something to do, and who said that it is done ("": nobody yet)."""

    id: int
    text: str
    by: str
    at: datetime
    done_by: str = ""


class Case(Struct, frozen=True, kw_only=True):
    """What stands. `history` is every deed, oldest first; `undone` and `undoable` are ids in it."""

    owner: str
    stage: Stage
    notes: tuple[Deed, ...]
    evidence: tuple[Deed, ...]
    tasks: tuple[Task, ...]
    history: tuple[Deed, ...]
    undone: frozenset[int]
    undoable: frozenset[int]


def case_of(incident_id: str, deeds: Iterable[Deed]) -> Case:
    """The case file of an incident from its deeds, in any order. Deeds of other incidents which name it count too."""
    history = tuple(sorted(deeds, key=lambda one: one.id))
    undone = frozenset(one.of for one in history if one.kind is DeedKind.UNDO)
    standing = [one for one in history if one.id not in undone and one.incident_id == incident_id]
    owners = [one.text for one in standing if one.kind is DeedKind.OWNER]
    stages = [one.text for one in standing if one.kind is DeedKind.STAGE]
    done = {one.of: one.by for one in standing if one.kind is DeedKind.DONE}
    return Case(
        owner=owners[-1] if owners else "",
        stage=Stage(stages[-1]) if stages else Stage.DETECTED,
        notes=tuple(one for one in standing if one.kind is DeedKind.NOTE),
        evidence=tuple(one for one in standing if one.kind is DeedKind.EVIDENCE),
        tasks=tuple(
            Task(id=one.id, text=one.text, by=one.by, at=one.at, done_by=done.get(one.id, ""))
            for one in standing
            if one.kind is DeedKind.TASK
        ),
        history=history,
        undone=undone,
        undoable=_undoable(incident_id, history, undone),
    )


def _undoable(incident_id: str, history: Sequence[Deed], undone: frozenset[int]) -> frozenset[int]:
    """Which deeds may be taken back now: of owner, stage and life the last; of shape the last; of others each."""
    found: set[int] = set()
    last: dict[str, Deed] = {}
    for one in history:
        if one.id in undone or one.kind is DeedKind.UNDO:
            continue
        if one.kind in SHAPING:
            last["shape"] = one
        elif one.incident_id != incident_id:
            continue
        elif one.kind in _LAST_ALONE:
            last["life" if one.kind in _OF_LIFE else one.kind.value] = one
        else:
            found.add(one.id)
    return frozenset(found | {one.id for one in last.values() if one.incident_id == incident_id})
