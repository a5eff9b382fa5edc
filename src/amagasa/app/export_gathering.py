"""What an export is to hold: the objects that tell of an alert, an incident, a campaign, content, or an agreement."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.app.agreement_trial import Voice
from amagasa.app.indicator_files import kept_in
from amagasa.app.kept_file import IndicatorFiles
from amagasa.app.kept_marking import marking_key
from amagasa.app.pages import Page
from amagasa.app.ports import ContentItem, ContentKind, Crossing, CrossingState, Reading
from amagasa.app.provenance import Source, kept_sources
from amagasa.app.sharing import is_retraction
from amagasa.brief.written import LeftOut
from amagasa.incident.alert import Alert, Incident
from amagasa.share.describe import RuleText, describe_alert, describe_incident, describe_rule
from amagasa.vocab.attack import techniques_of
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.tlp import tlp_of_word

ALL_CONTENT: Final = "content"
MAX_OBJECTS: Final = 50_000  # of one export: some 50 MB of JSON
_PAGE: Final = 500
_TECHNIQUE: Final = re.compile(r"attack\.t\d{4}(?:\.\d{3})?", re.IGNORECASE)
_LEFT: Final = frozenset({CrossingState.PENDING, CrossingState.DELIVERED, CrossingState.ADMITTED})


class Gathered(Struct, frozen=True, kw_only=True):
    """Objects with what they are called together, from whom each was learnt, and what could not be put into STIX.

    `clauses`: by which each crossed, where it did.
    """

    title: str
    objects: tuple[dict[str, Any], ...]
    sources: Mapping[str, frozenset[Source]] = {}
    left_out: tuple[LeftOut, ...] = ()
    clauses: Mapping[str, str] = {}


class Gatherer:
    """Reads one snapshot; `now` bounds what is stated."""

    def __init__(
        self,
        reading: Reading,
        voice: Voice,
        *,
        files: IndicatorFiles | None,
        now: datetime,
    ) -> None:
        self._reading = reading
        self._voice = voice
        self._files = files
        self._now = now
        self._objects: dict[str, dict[str, Any]] = {}
        self._sources: dict[str, frozenset[Source]] = {}
        self._left_out: list[LeftOut] = []
        self._clauses: dict[str, str] = {}

    def gathered(self, title: str) -> Gathered:
        """What was taken. Raises BadInputError where it is more than an export holds."""
        if len(self._objects) > MAX_OBJECTS:
            raise BadInputError(
                "AMG-EXPORT-MANY",
                "this is too much for one export",
                expected=f"at most {MAX_OBJECTS:,} objects",
                got=f"{len(self._objects):,}",
                then="nothing was exported; export its parts",
            )
        return Gathered(
            title=title,
            objects=tuple(self._objects.values()),
            sources=self._sources,
            left_out=tuple(self._left_out),
            clauses=self._clauses,
        )

    def alert(self, alert: Alert) -> None:
        """What an ally would be told of it."""
        told = describe_alert(alert, party=self._voice.party, marking=self._voice.marking, now=self._now)
        self._take(told, kept_sources(self._reading, [alert], []))

    def incident(self, incident: Incident) -> None:
        """It and its alerts."""
        told = describe_incident(incident, party=self._voice.party, marking=self._voice.marking, now=self._now)
        self._take(told, kept_sources(self._reading, [], [incident]))
        cursor = None
        while True:
            alerts, cursor = self._reading.alerts(Page(limit=_PAGE, before=cursor), incident_id=incident.id)
            for alert in alerts:
                self.alert(alert)
            if cursor is None or len(self._objects) > MAX_OBJECTS:
                return

    def held(self, ids: Sequence[str]) -> None:
        """Objects that allies gave."""
        held = {stored.id: stored for stored in self._reading.objects(ids) if stored.origin}
        for identifier in ids:
            stored = held.get(identifier)
            if stored is None:
                why = "the object is not held as the ally gave it"
                self._left_out.append(LeftOut(object_id=identifier, object_type="", why=why))
            else:
                source = Source(party=stored.origin, item=stored.id)
                self._take([msgspec.json.decode(stored.body)], frozenset([source]))

    def content(self, item: ContentItem) -> None:
        """A rule, an indicator, or the objects of a file."""
        kept = kept_in(item)
        if kept is not None:
            self._file(item)
        elif item.kind is ContentKind.STIX:
            source = [Source(party=item.origin, item=item.id)] if item.origin else []
            self._take([{"id": item.id, **msgspec.json.decode(item.text)}], frozenset(source))
        elif item.origin:
            self.held([item.id])
        else:
            self._take([self._rule(item)], frozenset())

    def agreement(self, crossings: Sequence[Crossing], now: datetime) -> None:
        """What crossed the line under it: the newest version of each object, as it crossed."""
        for one in sorted(crossings, key=lambda crossing: crossing.id):
            if is_retraction(one):
                self._objects.pop(one.object_id, None)
            elif one.state in _LEFT and one.content and one.created_at <= now:
                self._clauses[one.object_id] = one.clause
                self._objects[one.object_id] = msgspec.json.decode(one.content)

    def _take(self, objects: Sequence[dict[str, Any]], sources: frozenset[Source]) -> None:
        for obj in objects:
            self._objects[obj["id"]] = obj
            if sources:
                self._sources[obj["id"]] = self._sources.get(obj["id"], frozenset()) | sources

    def _rule(self, item: ContentItem) -> dict[str, Any]:
        """Under the marking that it was added with."""
        rule = RuleText(
            id=item.id,
            title=item.title,
            text=item.text,
            created_at=item.added_at,
            techniques=techniques_of(_TECHNIQUE.findall(item.text)),
        )
        told = tlp_of_word(self._reading.meta(marking_key(item.id)) or "")
        marking = self._voice.marking if told is None else told
        return describe_rule(rule, party=self._voice.party, marking=marking, now=item.added_at)

    def _file(self, item: ContentItem) -> None:
        """The objects of a bundle or of an export of MISP; the lines of a list are the list itself."""
        kept = kept_in(item)
        read = self._files.objects(kept.file) if self._files is not None and kept is not None else None
        if read is None or read.n_lines:
            why = "it is a list already: its file is what another system reads"
            self._left_out.append(LeftOut(object_id=item.id, object_type="list", why=why))
        for obj in read.objects if read is not None else ():
            whole = _completed(obj, item)
            self._objects[str(whole["id"])] = whole


def _completed(obj: Mapping[str, Any], item: ContentItem) -> dict[str, Any]:
    """With what STIX 2.1 asks of an indicator that was made of an attribute."""
    since = obj.get("valid_from") or to_rfc3339(item.added_at)
    first = obj.get("created") or since
    made = {"spec_version": "2.1", "created": first, "modified": first, "valid_from": since}
    kept = {name: value for name, value in obj.items() if value not in ([], {}, "")}  # STIX knows no empty list
    return {**made, **kept} if obj.get("type") == "indicator" else dict(obj)
