"""What follows from the missions by itself: the queue's order, and what allies are told of the boundary."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.boundary import REPEAT, Shown, object_of, revoked_object, shown_services
from amagasa.app.missions import Missions, Reckoned
from amagasa.app.ports import Crossing, Reading, Store, Writing
from amagasa.mission.impact import percent_of
from amagasa.share.agreement import Party
from amagasa.vocab.tlp import Tlp

_TOLD: Final = "mission.told"
_RANKED: Final = "mission.ranked"

# Puts objects before each agreement, in the transaction it is given.
Offer = Callable[[Writing, Sequence[dict[str, Any]], datetime], tuple[Crossing, ...]]


class Told(Struct, frozen=True, kw_only=True):
    """What was told last of a service, and when."""

    operability: int
    step: int
    at: datetime


class Borne(Struct, frozen=True, kw_only=True):
    """What one look changed: crossings to announce, and whether the order of the queue is another."""

    crossings: tuple[Crossing, ...] = ()
    is_reordered: bool = False


class Bearing:
    """Looks at the missions and carries out what follows. One at a time: the node's own thread."""

    def __init__(self, store: Store, missions: Missions, offer: Offer, *, party: Party, marking: Tlp) -> None:
        self._store = store
        self._missions = missions
        self._offer = offer
        self._party = party
        self._marking = marking

    def bear(self, *, now: datetime, is_all_told: bool = False) -> Borne:
        """Rank incidents by what they take, tell allies of boundary services that changed. Raises WorldError.

        Nothing is written where nothing changed. With `is_all_told` everything is told again: agreements changed.
        """
        with self._store.read() as reading:
            reckoned = self._missions.reckon(reading, now=now)
            told, ranked = _noted_told(reading), _noted_ranks(reading)
        impacts = _impacts(reckoned)
        shown = _shown(reckoned)
        changed = {key: impacts.get(key, 0) for key in {*ranked, *impacts} if ranked.get(key, 0) != impacts.get(key, 0)}
        due = [one for one in shown if is_all_told or _is_due(one, told.get(one.name), now)]
        gone = sorted(set(told) - {one.name for one in shown})
        if not (changed or due or gone):
            return Borne()
        objects = [object_of(one, party=self._party, marking=self._marking, now=now) for one in due]
        objects += [revoked_object(name, party=self._party, marking=self._marking, now=now) for name in gone]
        with self._store.write() as tx:
            if changed:
                tx.cases.set_impacts(changed.items())
                tx.save_meta(_RANKED, msgspec.json.encode(impacts).decode())
            crossings = self._offer(tx, objects, now) if objects else ()
            if objects:
                fresh = {one.name: Told(operability=one.operability, step=one.step, at=now) for one in due}
                kept = {name: one for name, one in {**told, **fresh}.items() if name not in gone}
                tx.save_meta(_TOLD, msgspec.json.encode(kept).decode())
        return Borne(crossings=crossings, is_reordered=bool(changed))


def _impacts(reckoned: Reckoned | None) -> dict[str, int]:
    if reckoned is None:
        return {}
    found = {one.incident_id: percent_of(one, reckoned.ground.model) for one in reckoned.impact.incidents}
    return {key: percent for key, percent in found.items() if percent}


def _shown(reckoned: Reckoned | None) -> tuple[Shown, ...]:
    if reckoned is None:
        return ()
    names, values = reckoned.ground.network.names, reckoned.impact.values
    return shown_services(
        reckoned.ground.model, {name: value.likely for name, value in zip(names, values, strict=True)}
    )


def _is_due(shown: Shown, told: Told | None, now: datetime) -> bool:
    return told is None or (told.operability, told.step) != (shown.operability, shown.step) or now - told.at >= REPEAT


def _noted_told(reading: Reading) -> Mapping[str, Told]:
    kept = reading.meta(_TOLD)
    return msgspec.json.decode(kept, type=dict[str, Told]) if kept else {}


def _noted_ranks(reading: Reading) -> Mapping[str, int]:
    kept = reading.meta(_RANKED)
    return msgspec.json.decode(kept, type=dict[str, int]) if kept else {}
