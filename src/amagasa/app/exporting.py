"""Use cases: what this node holds, as files for other tools. For oneself: what an ally gets, agreements alone decide.

An export holds what the same thing would say to an ally at most (no record, no name of a host, user or file of ours),
with its marking on every object. What an ally sent stands in it as it came, under its marking.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Struct

from amagasa.app import campaigns
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import ContentItem, ContentKind, Reading, Store
from amagasa.app.queries import MissingError, all_alerts
from amagasa.brief.flat import csv_of, list_of
from amagasa.brief.misp import event_of
from amagasa.brief.navigator import Domain, domain_of, layer_of
from amagasa.brief.values import techniques_in, told_of
from amagasa.incident.alert import Incident
from amagasa.intel.build import EXTENSION_ID, authors, extension_definition, identity
from amagasa.intel.marking import marking_definition
from amagasa.intel.stix import check_object
from amagasa.share.agreement import Party
from amagasa.share.describe import RuleText, describe_alert, describe_incident, describe_rule
from amagasa.vocab.severity import Severity
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

Object = dict[str, Any]
MAX_OBJECTS: Final = 100_000


class Form(StrEnum):
    """Kinds of files."""

    STIX = "stix"  # a bundle of STIX 2.1
    MISP = "misp"  # an event in MISP's core format
    CSV = "csv"
    LIST = "list"  # values, one a line
    NAVIGATOR = "navigator"  # a layer of the ATT&CK Navigator, for enterprise
    NAVIGATOR_ICS = "navigator-ics"  # the same for industrial control


class Exported(Struct, frozen=True, kw_only=True):
    """A file. `note` says what of the thing is not in it, "" where nothing is missing."""

    content: bytes
    media_type: str
    file_name: str
    note: str = ""


class Voice(Struct, frozen=True, kw_only=True):
    """As whom, under which marking, and when."""

    party: Party
    marking: Tlp
    now: datetime


class _Thing(Struct, frozen=True, kw_only=True):
    """What is exported: its objects, and what a document says of it as a whole."""

    id: str
    title: str
    at: datetime
    objects: tuple[Object, ...]
    severity: Severity | None = None


def export_incident(store: Store, actor: Actor, incident_id: str, *, form: Form, voice: Voice) -> Exported:
    """An incident with what its alerts say. Raises MissingError and DeniedError."""
    require(actor, Act.READ)
    with store.read() as reading:
        incident = reading.incident(incident_id)
        if incident is None:
            raise MissingError("AMG-INCIDENT-UNKNOWN", "there is no such incident here", got=show(incident_id))
        objects = _of_incident(reading, incident, voice)
    thing = _Thing(
        id=incident.id,
        title=incident.title,
        at=incident.last_seen_at,
        objects=_together(objects),
        severity=incident.severity,
    )
    return _exported(thing, voice, form)


def export_campaign(
    store: Store, actor: Actor, campaign_id: str, *, form: Form, voice: Voice, names: Mapping[str, str]
) -> Exported:
    """A campaign: our incidents of it, and those of allies as they came. Raises MissingError and DeniedError."""
    found = campaigns.campaign(store, actor, names, campaign_id)
    objects: list[Object] = []
    with store.read() as reading:
        for member in found.members:
            if member.is_ours:
                incident = reading.incident(member.id)
                objects += _of_incident(reading, incident, voice) if incident is not None else []
            else:
                objects += [msgspec.json.decode(one.body) for one in reading.objects([member.id])]
    thing = _Thing(
        id=campaign_id,
        title=found.title,
        at=found.last_seen_at,
        objects=_together(objects),
        severity=Severity(found.severity),
    )
    return _exported(thing, voice, form)


def export_content(store: Store, actor: Actor, *, form: Form, voice: Voice) -> Exported:
    """Rules and indicators beside the built-in ones and the files of lists. Raises DeniedError."""
    require(actor, Act.READ)
    objects: list[Object] = []
    with store.read() as reading:
        items = reading.content()
        for item in items:
            objects += [one for one in _of_content(reading, item, voice) if check_object(one) is None]
    thing = _Thing(
        id=f"report--{uuid5(NAMESPACE_URL, voice.party.id)}",
        title=f"Rules and indicators of {voice.party.name}",
        at=voice.now,
        objects=_together(objects),
    )
    made = _exported(thing, voice, form)
    n_lists = sum(item.kind is ContentKind.LIST for item in items)
    more = f"{n_lists} files of lists are not in it: they are files already" if n_lists else ""
    return msgspec.structs.replace(made, note="; ".join(filter(None, (made.note, more))))


def _of_incident(reading: Reading, incident: Incident, voice: Voice) -> list[Object]:
    party, marking, now = voice.party, voice.marking, voice.now
    objects = list(describe_incident(incident, party=party, marking=marking, now=now))
    for alert in all_alerts(reading, incident.id):
        objects += describe_alert(alert, party=party, marking=marking, now=now)
    return objects


def _of_content(reading: Reading, item: ContentItem, voice: Voice) -> list[Object]:
    stored = reading.objects([item.id]) if item.origin else []
    if stored or item.kind is ContentKind.LIST:
        return [msgspec.json.decode(one.body) for one in stored]
    if item.kind is ContentKind.STIX:
        return [msgspec.json.decode(item.text, type=dict[str, Any])]
    if item.origin:
        return []  # a rule whose author and marking are not known any more
    rule = RuleText(id=item.id, title=item.title, text=item.text, created_at=item.added_at)
    return [describe_rule(rule, party=voice.party, marking=voice.marking, now=max(item.added_at, voice.now))]


def _together(objects: Iterable[Object]) -> tuple[Object, ...]:
    """Each object once, the last version that is told."""
    return tuple({str(one.get("id")): one for one in objects}.values())[:MAX_OBJECTS]


def _exported(thing: _Thing, voice: Voice, form: Form) -> Exported:
    name = f"amagasa-{thing.id.rpartition('--')[2][:8]}"
    match form:
        case Form.STIX:
            return _json(_bundle(thing, voice), f"{name}.stix.json", "application/stix+json;version=2.1")
        case Form.MISP:
            event = event_of(thing.title, thing.objects, identifier=thing.id, at=thing.at, severity=thing.severity)
            return _json(event, f"{name}.misp.json", "application/json")
        case Form.CSV:
            content = csv_of(told_of(thing.objects))
            return Exported(content=content, media_type="text/csv; charset=utf-8", file_name=f"{name}.csv")
        case Form.LIST:
            content, n_without = list_of(told_of(thing.objects))
            note = f"{n_without} indicators are no single value and stand in no list" if n_without else ""
            return Exported(content=content, media_type="text/plain; charset=utf-8", file_name=f"{name}.txt", note=note)
        case Form.NAVIGATOR | Form.NAVIGATOR_ICS:
            return _layer(thing, Domain.ICS if form is Form.NAVIGATOR_ICS else Domain.ENTERPRISE, name)


def _layer(thing: _Thing, domain: Domain, name: str) -> Exported:
    counts = techniques_in(thing.objects)
    n_others = sum(domain_of(technique) is not domain for technique in counts)
    layer = layer_of(thing.title, f"Exported by Amagasa: {thing.id}", counts, domain)
    note = f"{n_others} techniques are of the other matrix and stand in its layer" if n_others else ""
    return msgspec.structs.replace(_json(layer, f"{name}.{domain.value}.json", "application/json"), note=note)


def _json(document: Any, file_name: str, media_type: str) -> Exported:
    content = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
    return Exported(content=content, media_type=media_type, file_name=file_name)


def _bundle(thing: _Thing, voice: Voice) -> Object:
    """The objects, behind what explains them: markings, this party, our extension."""
    written = msgspec.json.encode(thing.objects)
    needed: Sequence[Object] = [identity(voice.party.id, voice.party.name)]
    if EXTENSION_ID.encode() in written:
        needed = [*needed, authors(), extension_definition()]
    written += msgspec.json.encode(needed)
    marks = [marking_definition(tlp) for tlp in Tlp if tlp.marking_id.encode() in written]
    known = {one["id"] for one in thing.objects}
    return {
        "type": "bundle",
        "id": f"bundle--{uuid5(NAMESPACE_URL, thing.id + voice.now.isoformat())}",
        "objects": [*(one for one in (*marks, *needed) if one["id"] not in known), *thing.objects],
    }
