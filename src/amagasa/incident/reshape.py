"""What a person makes of incidents: split, move, merge, and all of it taken back.

What comes of it holds against what alerts say later: the keys of alerts that were moved are pinned to where they are
now, and the two incidents are kept apart (`incident.group`). Both are undone with the deed.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from amagasa.incident.alert import Alert, Incident, Status
from amagasa.incident.growing import merged, opened, with_alert, with_incident
from amagasa.incident.links import pin_of
from amagasa.vocab.ids import stable_id
from amagasa.vocab.instants import to_rfc3339


class Whole(Struct, frozen=True, kw_only=True):
    """An incident with all of its alerts."""

    incident: Incident
    alerts: Sequence[Alert]

    def without(self, ids: Collection[str]) -> list[Alert]:
        """Its alerts but these."""
        return [one for one in self.alerts if one.id not in ids]

    def only(self, ids: Collection[str]) -> list[Alert]:
        """Those of its alerts."""
        return [one for one in self.alerts if one.id in ids]


class Reshaped(Struct, frozen=True, kw_only=True):
    """Both incidents as they are now, and the alerts that changed places, as (alert, incident) pairs."""

    first: Incident
    second: Incident
    moved: tuple[tuple[str, str], ...]


def rebuilt(incident: Incident, alerts: Sequence[Alert], *, now: datetime, why: str = "") -> Incident:
    """The incident with exactly these alerts, at least one: what alerts say is made anew, what people said stays.

    `why` is said of those which it did not hold before.
    """
    ordered = sorted(alerts, key=lambda one: (one.first_seen_at, one.id))
    made = opened(ordered[0], now)
    for alert in ordered:
        made = with_alert(made, alert, incident.why.get(alert.id, why), now)
    return replace(
        made,
        id=incident.id,
        status=incident.status,
        closed_why=incident.closed_why,
        merged_into=incident.merged_into,
        created_at=incident.created_at,
        apart=incident.apart,
        pins=incident.pins,
        assessed=incident.assessed,
        owner=incident.owner,
        stage=incident.stage,
    )


def split(whole: Whole, chosen: Collection[str], *, by: str, now: datetime) -> Reshaped:
    """Take the chosen of its alerts into an incident of their own; some must stay."""
    going = whole.only(chosen)
    identifier = stable_id("incident", whole.incident.id, to_rfc3339(now), *(one.id for one in going))
    new = Whole(incident=replace(opened(going[0], now), id=identifier), alerts=())
    return _moved(whole, new, going, now=now, why=f"split from another incident by {by}")


def move(source: Whole, target: Whole, chosen: Collection[str], *, by: str, now: datetime) -> Reshaped:
    """Take the chosen alerts of `source` over to `target`; some must stay."""
    return _moved(source, target, source.only(chosen), now=now, why=f"put here by {by}")


def merge(incident: Incident, other: Incident, *, now: datetime) -> Reshaped:
    """Make `other` part of `incident`."""
    taken = with_incident(incident, other, now)
    both = {incident.id, other.id}
    taken = replace(taken, apart=tuple(one for one in taken.apart if one not in both))
    pairs = tuple((key, incident.id) for key in other.n_by_alert)
    return Reshaped(first=taken, second=merged(other, taken, now), moved=pairs)


def unmerge(whole: Whole, other: Incident, ids: Collection[str], *, now: datetime) -> Reshaped:
    """Take a merge back: those of the alerts which `other` had go back to it. Some must go, and some must stay."""
    back = whole.only(ids)
    pins = {pin_of(one.key) for one in back}
    left = replace(whole.incident, pins=tuple(pin for pin in whole.incident.pins if pin not in pins))
    alone = replace(other, status=Status.OPEN, merged_into=None, closed_why="", pins=())
    return Reshaped(
        first=rebuilt(left, whole.without(ids), now=now),
        second=rebuilt(alone, back, now=now, why="came back when a merge was undone"),
        moved=tuple((one.id, other.id) for one in back),
    )


def unmove(source: Whole, target: Whole, ids: Collection[str], *, now: datetime) -> Reshaped:
    """Take a split or move back: those of the alerts of `target` go home to `source`.

    A target that nothing is left of becomes part of the source again.
    """
    back, held = target.only(ids), target.without(ids)
    pins = {pin_of(one.key) for one in back}
    home = replace(source.incident, apart=tuple(one for one in source.incident.apart if one != target.incident.id))
    rest = replace(
        target.incident,
        apart=tuple(one for one in target.incident.apart if one != source.incident.id),
        pins=tuple(pin for pin in target.incident.pins if pin not in pins),
    )
    whole = rebuilt(home, [*source.alerts, *back], now=now, why="came back when a split or move was undone")
    return Reshaped(
        first=whole,
        second=rebuilt(rest, held, now=now) if held else merged(rest, whole, now),
        moved=tuple((one.id, source.incident.id) for one in back),
    )


def _moved(source: Whole, target: Whole, going: Sequence[Alert], *, now: datetime, why: str) -> Reshaped:
    ids = {one.id for one in going}
    pins = tuple(dict.fromkeys(pin_of(one.key) for one in going))
    first, second = source.incident, target.incident
    left = replace(
        first,
        apart=tuple(dict.fromkeys((*first.apart, second.id))),
        pins=tuple(pin for pin in first.pins if pin not in pins),
    )
    taken = replace(
        second,
        apart=tuple(dict.fromkeys((*second.apart, first.id))),
        pins=tuple(dict.fromkeys((*second.pins, *pins))),
    )
    return Reshaped(
        first=rebuilt(left, source.without(ids), now=now),
        second=rebuilt(taken, [*target.without(ids), *going], now=now, why=why),
        moved=tuple((one.id, second.id) for one in going),
    )
