"""An episode -> a detection with its evidence; and what could not be looked at -> faults with their counts."""

from collections.abc import Iterable

from amagasa.detect.correlation.definition import TEMPORAL, Kind
from amagasa.detect.correlation.entry import Entry
from amagasa.detect.correlation.hit import instant
from amagasa.detect.correlation.link import Linked, Links
from amagasa.detect.correlation.machine import Episode
from amagasa.detect.correlation.pattern import ABOUT
from amagasa.detect.correlation.windows import Loss, Tally
from amagasa.detect.report import Detection, RuleFault, Sign, Together
from amagasa.event.entities import entities_of
from amagasa.event.entity import Entity, EntityKind

VALUES_SHOWN = 20
NOT_SEEN = "AMG-CORRELATION-010"
_MEASURES = {
    Kind.VALUE_SUM: "sum",
    Kind.VALUE_AVG: "avg",
    Kind.VALUE_MEDIAN: "median",
    Kind.VALUE_PERCENTILE: "percentile",
}
COUNT = "count"


def detection_of(linked: Linked, episode: Episode, *, n_replaced: int = 0, is_over: bool = True) -> Detection:
    """The episode as a detection at the record at which the correlation came to hold.

    Its fields are those it is grouped by, and `count` (or `sum`, `avg`, `median`, `percentile`): of `event_count` the
    records of the whole episode, of `value_count` their different values, of `temporal` the different rules.
    """
    trigger = episode.trigger
    group = tuple(zip(linked.correlation.group_by, trigger.group, strict=True))
    values = tuple(text for _, text in episode.values)
    examples = tuple(dict.fromkeys((*episode.examples, episode.last)))
    is_pattern = linked.correlation.kind is Kind.PATTERN
    return Detection(
        rule_id=None if is_pattern else linked.id,
        indicator_id=linked.id if is_pattern else None,
        title=linked.title,
        level=linked.level,
        path=trigger.path,
        record=trigger.record,
        event_at=instant(trigger.at),
        techniques=linked.techniques,
        tactics=linked.tactics,
        fields=_measured(linked, episode) | dict(group),
        event=dict(group),
        entities=_entities(linked, trigger),
        raw=trigger.raw,
        origin=linked.origin,
        together=Together(
            n_events=episode.n,
            first_at=instant(episode.first_at),
            last_at=instant(episode.last_at),
            timespan_s=linked.correlation.timespan_s,
            group=group,
            values=values[:VALUES_SHOWN],
            n_values=len(values),
            signs=tuple(_sign(linked, entry) for entry in examples),
            is_over=is_over,
            n_replaced=n_replaced,
            source=trigger.source,
        ),
    )


def _measured(linked: Linked, episode: Episode) -> dict[str, object]:
    correlation = linked.correlation
    kind = correlation.kind
    if kind is Kind.EVENT_COUNT:
        return {COUNT: episode.n}
    if kind in TEMPORAL:
        return {COUNT: int(episode.measure)} | _carried(linked, episode.trigger)
    values = [text for _, text in episode.values]
    shown = {" ".join(correlation.fields): values[:VALUES_SHOWN]} if values else {}
    if kind is Kind.VALUE_COUNT:
        return {COUNT: len(values), **shown}
    is_share = kind is Kind.VALUE_PERCENTILE and correlation.percentile is None
    return {"share" if is_share else _MEASURES[kind]: episode.measure, **shown}


def _carried(linked: Linked, trigger: Entry, *, is_about: bool = False) -> dict[str, object]:
    """Of a pattern the fields in which the record that made it hold satisfied it; `is_about`: and whom it is about."""
    if linked.pattern is None:
        return {}
    carried = trigger.carried
    return {name.removeprefix(ABOUT): text for name, text in carried if is_about or not name.startswith(ABOUT)}


def _entities(linked: Linked, trigger: Entry) -> tuple[Entity, ...]:
    """What the group is about; and the host of the record, where the group names none."""
    names = linked.members[trigger.member].group
    fields = dict(zip(linked.correlation.group_by, trigger.group, strict=True)) | dict(
        zip(names, trigger.group, strict=True)
    )
    found = entities_of(fields | _carried(linked, trigger, is_about=True))
    if trigger.host and all(entity.kind is not EntityKind.HOST for entity in found):
        return (*found, Entity(kind=EntityKind.HOST, value=trigger.host))
    return found


def _sign(linked: Linked, entry: Entry) -> Sign:
    return Sign(
        title=linked.members[entry.member].title,
        path=entry.path,
        record=entry.record,
        event_at=instant(entry.at),
        raw=entry.raw,
    )


def faults_of(links: Links, tally: Tally) -> tuple[RuleFault, ...]:
    """What correlations could not look at, in words, with how many records it was.

    A record without the field it would be grouped by belongs to no group, which is no fault; but where none of a
    rule's records has it, the correlation was blind, and that is one.
    """
    return tuple(
        RuleFault(rule_id=linked.id, path=linked.path, why=why, code=NOT_SEEN)
        for linked in links.correlations
        for why in _said(linked, tally)
    )


def _said(linked: Linked, tally: Tally) -> Iterable[str]:
    room = tally.get((linked.id, "", Loss.NO_ROOM), 0)
    if room:
        yield f"{room} of its groups or values were let go because there was no room for more: it is not exact for them"
    for member in linked.members:
        counts = {loss: tally.get((linked.id, member.title, loss), 0) for loss in Loss}
        of = f'records which "{member.title}" found'
        if n := counts[Loss.NO_INSTANT]:
            yield f"{n} {of} carry no time to be believed: what lies within the timespan cannot be told"
        if n := counts[Loss.LATE]:
            yield f"{n} {of} came later than the stated lateness and were not counted"
        if (n := counts[Loss.NO_GROUP]) and not counts[Loss.TAKEN]:
            yield f"{n} {of} have no {' and '.join(member.group)} to be grouped by, and none has"
        if (n := counts[Loss.NO_VALUE]) and not counts[Loss.TAKEN]:
            yield f"{n} {of} have no {' and '.join(member.values)} that can be counted, and none has"
