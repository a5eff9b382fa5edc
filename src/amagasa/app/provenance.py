"""From whom it was learnt: what an object was made from follows it, and keeps it from those whom it is not for.

An alert that an ally's rule or indicator raised is learnt from that ally, and so is the incident which it joins. What
an incident was ever made from is kept with it, also when it joins another.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.ports import AgreementBook, Bond, CrossingState, Direction, Reading, Writing
from amagasa.incident.alert import Alert, Incident
from amagasa.share.known import Known, Learnt
from amagasa.share.treatment import reminted_types
from amagasa.vocab.ids import is_stix_id

# Of one incident; one that was learnt in more ways than these leaves for nobody but its only teacher.
MAX_SOURCES: Final = 200
_STAYED: Final = frozenset([CrossingState.WITHHELD, CrossingState.REFUSED])


class Source(Struct, frozen=True, kw_only=True, order=True):
    """That something was learnt from `party` by its object `item`; "" where it can no longer be told by which."""

    party: str
    item: str


def sources_of(tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident]) -> dict[str, frozenset[Source]]:
    """By what each alert and incident was learnt from others, by its own identifier; what is ours alone is absent.

    Keeps it with the incidents, in this transaction.
    """
    found: dict[str, frozenset[Source]] = {}
    joined: dict[str, set[Source]] = {}
    for alert in alerts:
        if alert.origin:
            source = Source(party=alert.origin, item=alert.content_id)
            found[alert.id] = frozenset([source])
            if alert.incident_id is not None:
                joined.setdefault(alert.incident_id, set()).add(source)
    for incident in incidents:
        if incident.merged_into is not None:
            joined.setdefault(incident.merged_into, set()).update(_kept(tx, incident.id))
    for identifier in dict.fromkeys([*joined, *(incident.id for incident in incidents)]):
        before = _kept(tx, identifier)
        after = before | joined.get(identifier, set())
        if after != before:
            tx.save_meta(_key(identifier), msgspec.json.encode(sorted(_bounded(after))).decode())
        if after:
            found[identifier] = frozenset(after)
    return found


def mix(tx: Writing, incident_ids: Sequence[str]) -> None:
    """What a person moved between these incidents carries with it from whom it was learnt: each has all of it now."""
    every = frozenset[Source]().union(*(_kept(tx, identifier) for identifier in incident_ids))
    for identifier in incident_ids if every else ():
        tx.save_meta(_key(identifier), msgspec.json.encode(sorted(_bounded(every))).decode())


def kept_sources(reading: Reading, alerts: Sequence[Alert], incidents: Sequence[Incident]) -> frozenset[Source]:
    """By what these were learnt from others, as it is kept."""
    found = {Source(party=alert.origin, item=alert.content_id) for alert in alerts if alert.origin}
    return frozenset(found.union(*(_kept(reading, incident.id) for incident in incidents)))


def known_of(reading: Reading, objects: Sequence[Mapping[str, Any]], bond: Bond, *, us: str) -> Known:
    """What is known of the references in `objects` towards this ally; nothing of what they were learnt from."""
    references = {text for obj in objects for text in _references(obj)}
    foreign: frozenset[str] = frozenset()
    if references and reminted_types(bond.agreement, us):
        foreign = frozenset(stored.id for stored in reading.objects(references) if stored.origin)
    ours = references - foreign
    last = reading.crossings_of(bond.ally.id, Direction.OUT, ours) if ours else []
    stayed = {one.known_as for one in last if one.state in _STAYED}
    return Known(foreign=foreign, withheld=frozenset(stayed))


def learnt_of(reading: Reading, sources: Iterable[Source], book: AgreementBook) -> tuple[Learnt, ...]:
    """To whom each teacher lets it go on, by the clause under which it came; one for each source."""
    terms = {(bond.agreement.id, bond.ally.id): bond.agreement for bond in book.bonds()}
    found = []
    for source in sorted(sources):
        came = reading.crossings_of(source.party, Direction.IN, [source.item]) if source.item else []
        agreement = terms.get((came[0].agreement, source.party)) if came else None
        clause = next((one for one in agreement.clauses if one.id == came[0].clause), None) if agreement else None
        onward = frozenset(clause.handling.onward) if clause is not None else frozenset[str]()
        found.append(Learnt(party=source.party, onward=onward))
    return tuple(dict.fromkeys(found))


def _references(obj: Mapping[str, Any]) -> Iterator[str]:
    """Every identifier that stands in it by itself, but its own."""
    waiting: list[Any] = [inner for name, inner in obj.items() if name not in {"id", "object_marking_refs"}]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif (
            isinstance(value, str)
            and is_stix_id(value)
            and not value.startswith(("identity-", "marking-", "extension-"))
        ):
            yield value


def _bounded(sources: Collection[Source]) -> list[Source]:
    if len(sources) <= MAX_SOURCES:
        return list(sources)
    return [Source(party=party, item="") for party in sorted({source.party for source in sources})]


def _kept(reading: Reading, identifier: str) -> frozenset[Source]:
    noted = reading.meta(_key(identifier))
    return frozenset() if noted is None else frozenset(msgspec.json.decode(noted, type=list[Source]))


def _key(identifier: str) -> str:
    return f"learnt:{identifier}"
