"""How a node tells its allies what it knows: alerts, incidents, rules and indicators put into STIX and released."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from amagasa.app.agreement_trial import Trial, Voice, try_agreement
from amagasa.app.deciding import Deciding
from amagasa.app.exporting import ExportAsked, Exported, Exporting
from amagasa.app.kept_file import IndicatorFiles
from amagasa.app.permissions import Actor
from amagasa.app.ports import AgreementBook, Crossing, Reading, Store, Writing
from amagasa.app.previewing import Preview, PreviewAsked, preview_objects
from amagasa.app.provenance import Source, kept_sources, sources_of
from amagasa.app.retracting import Retraction, retract
from amagasa.app.sharing import announce, in_force, last_sent, release_changes
from amagasa.app.signals import Signals
from amagasa.incident.alert import Alert, Incident
from amagasa.share.agreement import Agreement, Party
from amagasa.share.describe import RuleText, describe_address, describe_alert, describe_incident, describe_rule
from amagasa.vocab.attack import techniques_of
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp

_TECHNIQUE_TAG: Final = re.compile(r"attack\.t\d{4}(?:\.\d{3})?", re.IGNORECASE)


class Telling:
    """Carries out `app.content.Sharing`, and tells of alerts from `min_severity` on under `marking`."""

    def __init__(  # noqa: PLR0913 - each is another thing the node has
        self,
        *,
        store: Store,
        signals: Signals,
        party: Party,
        book: AgreementBook,
        secret: bytes,
        marking: Tlp,
        min_severity: Severity,
    ) -> None:
        self._store = store
        self._signals = signals
        self._party = party
        self._book = book
        self._secret = secret
        self._marking = marking
        self._min_severity = min_severity
        self._deciding = Deciding(store=store, signals=signals, book=book, secret=secret)

    def tell(
        self, tx: Writing, alerts: Sequence[Alert], incidents: Sequence[Incident], now: datetime
    ) -> tuple[Crossing, ...]:
        """Put new and grown alerts and incidents before each agreement, in the transaction that keeps them."""
        if not self._book.bonds():
            return ()
        told: dict[str, dict[str, Any]] = {}
        sources: dict[str, frozenset[Source]] = {}
        learnt = sources_of(tx, alerts, incidents)
        for alert in alerts:
            if alert.severity >= self._min_severity:
                objects = describe_alert(alert, party=self._party, marking=self._marking, now=now)
                told.update((obj["id"], obj) for obj in objects)
                sources |= _together(sources, objects, learnt.get(alert.id, frozenset()))
        for incident in incidents:
            if incident.severity >= self._min_severity:
                objects = describe_incident(incident, party=self._party, marking=self._marking, now=now)
                told.update((obj["id"], obj) for obj in objects)
                sources |= _together(sources, objects, learnt.get(incident.id, frozenset()))
        return self._release(tx, list(told.values()), now, sources)

    def tell_again(self, tx: Writing, incidents: Sequence[Incident], now: datetime) -> tuple[Crossing, ...]:
        """Put these before each agreement in force, however grave they are: a person says that the ally should know."""
        told: list[dict[str, Any]] = []
        learnt: dict[str, frozenset[Source]] = {}
        for incident in incidents:
            for obj in describe_incident(incident, party=self._party, marking=self._marking, now=now):
                told.append(obj)
                learnt[obj["id"]] = frozenset(kept_sources(tx, [], [incident]))
        return self._release(tx, told, now, learnt)

    def crossed(self, reading: Reading, incidents: Sequence[str], now: datetime) -> dict[str, list[Crossing]]:
        """The newest crossing of each incident towards each ally, by the incident's own identifier."""
        found: dict[str, list[Crossing]] = {}
        for bond in in_force(self._book, now):
            for key, crossing in last_sent(reading, bond, incidents, secret=self._secret, now=now).items():
                found.setdefault(key, []).append(crossing)
        return found

    def rule_object(self, text: str, *, rule_id: str, title: str, marking: Tlp, now: datetime) -> dict[str, Any]:
        """The STIX indicator (`pattern_type` sigma) of a rule; held already, it is a new version of the same object."""
        with self._store.read() as reading:
            held = reading.content_items([rule_id])
        rule = RuleText(
            id=rule_id,
            title=title,
            text=text,
            created_at=held[0].added_at if held else now,
            techniques=techniques_of(_TECHNIQUE_TAG.findall(text)),
        )
        return describe_rule(rule, party=self._party, marking=marking, now=now)

    def address_object(self, address: str, *, title: str, marking: Tlp, now: datetime) -> dict[str, Any]:
        """The STIX indicator of an address."""
        return describe_address(address, party=self._party, marking=marking, now=now, reason=title)

    def release(self, tx: Writing, objects: Sequence[dict[str, Any]], *, now: datetime) -> None:
        """Decide per ally and agreement, and keep what comes of it as crossings in this transaction."""
        self._release(tx, objects, now)

    @property
    def marking(self) -> Tlp:
        """Of what this node tells by itself."""
        return self._marking

    def offer(self, tx: Writing, objects: Sequence[dict[str, Any]], now: datetime) -> tuple[Crossing, ...]:
        """As `release`, with the crossings that are to be announced after the commit."""
        return self._release(tx, objects, now)

    def decide(self, actor: Actor, crossing_id: int, *, approve: bool, version: str, now: datetime) -> None:
        """A release officer's yes or no."""
        self._deciding.decide(actor, crossing_id, approve=approve, version=version, now=now)

    def edit(
        self,
        actor: Actor,
        crossing_id: int,
        *,
        strip: Sequence[str],
        marking: Tlp | None,
        version: str,
        now: datetime,
    ) -> None:
        """Less of it, or marked higher."""
        self._deciding.edit(actor, crossing_id, strip=strip, marking=marking, version=version, now=now)

    def retract(self, actor: Actor, object_id: str, *, why: str, now: datetime) -> Retraction:
        """Take an object back from every ally."""
        allies = tuple(dict.fromkeys(bond.ally.id for bond in self._book.bonds()))
        return retract(self._store, self._signals, actor, object_id, why=why, now=now, allies=allies)

    def try_agreement(self, actor: Actor, agreement: Agreement, *, now: datetime, days: int) -> Trial:
        """What this agreement would have let go of the last days; nothing is kept."""
        return try_agreement(self._store, actor, agreement, self._voice, book=self._book, now=now, days=days)

    @property
    def _voice(self) -> Voice:
        return Voice(party=self._party, marking=self._marking, min_severity=self._min_severity, secret=self._secret)

    def export(self, actor: Actor, asked: ExportAsked, *, files: IndicatorFiles | None, now: datetime) -> Exported:
        """What is known here in the form of another system; for an ally what its agreement releases."""
        exporting = Exporting(self._store, self._voice, book=self._book, files=files, let=self._let)
        exported, crossings = exporting.export(actor, asked, now=now)
        announce(self._signals, crossings)
        return exported

    def _let(
        self,
        tx: Writing,
        objects: Sequence[Mapping[str, Any]],
        sources: Mapping[str, frozenset[Source]],
        *,
        ally: str,
        now: datetime,
    ) -> tuple[Crossing, ...]:
        return release_changes(
            tx, objects, book=self._book, now=now, secret=self._secret, sources=sources, allies=[ally]
        )

    def preview(self, actor: Actor, asked: PreviewAsked, *, now: datetime) -> list[Preview]:
        """What would leave of this alert or incident, or of these objects; nothing is kept.

        Raises BadInputError (AMG-PREVIEW-UNKNOWN) where there is no such alert or incident.
        """
        objects: list[Mapping[str, Any]] = list(asked.objects)
        sources: frozenset[Source] = frozenset()
        with self._store.read() as reading:
            alert = reading.alert(asked.alert) if asked.alert else None
            incident = reading.incident(asked.incident) if asked.incident else None
            if alert is not None:
                objects += describe_alert(alert, party=self._party, marking=self._marking, now=now)
            if incident is not None:
                objects += describe_incident(incident, party=self._party, marking=self._marking, now=now)
            sources = kept_sources(reading, [alert] if alert else [], [incident] if incident else [])
        if (asked.alert and alert is None) or (asked.incident and incident is None):
            got = asked.alert or asked.incident
            raise BadInputError("AMG-PREVIEW-UNKNOWN", "there is no such alert or incident", got=got)
        return preview_objects(
            self._store,
            actor,
            objects,
            book=self._book,
            now=now,
            secret=self._secret,
            sources=tuple(sources),
        )

    def pass_on(
        self, tx: Writing, ally_id: str, objects: Sequence[dict[str, Any]], *, onward: frozenset[str], now: datetime
    ) -> tuple[Crossing, ...]:
        """What an ally gave and lets go on, put before the agreements with those whom its clause names."""
        sources = {obj["id"]: frozenset([Source(party=ally_id, item=obj["id"])]) for obj in objects}
        return release_changes(
            tx, objects, book=self._book, now=now, secret=self._secret, sources=sources, allies=onward - {ally_id}
        )

    def _release(
        self,
        tx: Writing,
        objects: Sequence[dict[str, Any]],
        now: datetime,
        sources: Mapping[str, Collection[Source]] | None = None,
    ) -> tuple[Crossing, ...]:
        return release_changes(tx, objects, book=self._book, now=now, secret=self._secret, sources=sources)


def _together(
    known: Mapping[str, frozenset[Source]], objects: Sequence[dict[str, Any]], learnt: frozenset[Source]
) -> dict[str, frozenset[Source]]:
    """An object that several alerts make was learnt from whomever any of them was learnt from."""
    return {obj["id"]: known.get(obj["id"], frozenset()) | learnt for obj in objects}
