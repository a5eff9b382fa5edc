"""The console's queries. Each asks first whether the actor may read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.case_views import IncidentDetail, case_view, graph_view, score_view, step_views
from amagasa.app.evidence_views import TITLE_CHARACTERS, evidence_view
from amagasa.app.field_previews import fields_of
from amagasa.app.left_out import ExcludedBy, GivenPlaceholder
from amagasa.app.pages import Page
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.ports import CrossingState, Dead, Direction, Reading, Store
from amagasa.app.receipt_views import with_receipts
from amagasa.app.titles import told_by
from amagasa.app.views import (
    CONTENT_CHARACTERS,
    AlertDetail,
    AlertsView,
    AttackView,
    ContentView,
    CrossingDetail,
    CrossingsView,
    CrossingView,
    IncidentsView,
    RejectView,
    TechniqueSeen,
    alert_view,
    content_view,
    crossing_view,
    entity_views,
    incident_view,
    timeline,
)
from amagasa.incident.alert import Alert, Status
from amagasa.incident.case import case_of
from amagasa.incident.graph import graph_of
from amagasa.incident.growing import MAX_ALERTS
from amagasa.incident.score import score_of
from amagasa.incident.story import story_of
from amagasa.share.agreement import Agreement
from amagasa.vocab.attack import TACTICS
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.ids import is_stix_id
from amagasa.vocab.text import show

INCIDENT_ALERTS: Final = 500
MOST_COUNTED: Final = 10_000


class RuleFaultView(Struct, frozen=True, kw_only=True):
    """A rule which could not load or run, and why. `code` is "" where an older node noted it."""

    rule_id: str
    path: str
    why: str
    code: str = ""


class ReplacedView(Struct, frozen=True, kw_only=True):
    """A rule that does not look because another, whose title is `instead`, takes its place."""

    rule_id: str
    title: str = ""
    path: str
    why: str
    instead: str = ""


class RulesSince(Struct, frozen=True, kw_only=True):
    """So many rules look since then."""

    n_rules: int
    since: datetime


class RulesView(Struct, frozen=True, kw_only=True):
    """The rules on disk that the node looks with; `n_rules` is 0 until they are loaded. The first 1,000 of each list.

    `since`: how many look from when on, the last steps. `n_coming` files are new and their rules do not look yet;
    `n_compiled` of them are compiled. `n_off` rules could run and do not, by their level or status, or since others
    (`replaced`) take their place. `excluded` are the site's exclusions with what they took out since the detection
    process began, `placeholders` those that the site gave values.
    """

    n_rules: int = 0
    n_coming: int = 0
    n_compiled: int = 0
    since: tuple[RulesSince, ...] = ()
    n_faults: int = 0
    faults: tuple[RuleFaultView, ...] = ()
    n_off: int = 0
    n_off_by: dict[str, int] = {}
    replaced: tuple[ReplacedView, ...] = ()
    excluded: tuple[ExcludedBy, ...] = ()
    placeholders: tuple[GivenPlaceholder, ...] = ()


class MissingError(BadInputError):
    """There is no such thing here (HTTP 404)."""


class Queries:
    """Thread-safe. `names` are those of the allies, by identity."""

    def __init__(self, store: Store, names: Mapping[str, str]) -> None:
        self._store = store
        self._names = names

    def alerts(self, actor: Actor, page: Page, *, incident_id: str | None = None) -> AlertsView:
        """The queue."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            alerts, cursor = reading.alerts(page, incident_id=incident_id)
            return AlertsView(
                alerts=[alert_view(alert, self._names) for alert in alerts], next=cursor, n_all=reading.n_alerts()
            )

    def found_alerts(self, actor: Actor, page: Page, *, words: str, technique: str) -> AlertsView:
        """Those which have all the words and the technique, the last made first. Counted up to `MOST_COUNTED`."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            alerts, cursor = reading.finding.alerts(page, words=words, technique=technique)
            n_all = reading.finding.n_alerts(words=words, technique=technique, most=MOST_COUNTED)
        return AlertsView(alerts=[alert_view(alert, self._names) for alert in alerts], next=cursor, n_all=n_all)

    def leads(self, actor: Actor, page: Page) -> AlertsView:
        """What one list says and nothing else yet: alerts which were not raised."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            leads, cursor = reading.leads.page(page)
            return AlertsView(
                alerts=[alert_view(lead, self._names) for lead in leads], next=cursor, n_all=reading.leads.n()
            )

    def alert(self, actor: Actor, alert_id: str) -> AlertDetail:
        """One alert with its evidence."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            alert = reading.alert(alert_id)
        if alert is None:
            raise _missing("AMG-ALERT-UNKNOWN", "alert", alert_id)
        return AlertDetail(
            alert=alert_view(alert, self._names),
            entities=entity_views(alert.entities),
            evidence=[evidence_view(detection) for detection in alert.examples],
        )

    def incidents(self, actor: Actor, page: Page, *, status: Status | None) -> IncidentsView:
        """The incidents."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            incidents, cursor = reading.incidents(page, status=status)
        return IncidentsView(incidents=[incident_view(incident) for incident in incidents], next=cursor)

    def found_incidents(self, actor: Actor, page: Page, *, words: str) -> IncidentsView:
        """Those which have all the words, open or closed, the last made first."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            incidents, cursor = reading.finding.incidents(page, words=words)
        return IncidentsView(incidents=[incident_view(incident) for incident in incidents], next=cursor)

    def incident(self, actor: Actor, incident_id: str) -> IncidentDetail:
        """One incident: its alerts, its story, who touched what, its score and its case file."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            incident = reading.incident(incident_id)
            if incident is None:
                raise _missing("AMG-INCIDENT-UNKNOWN", "incident", incident_id)
            alerts = all_alerts(reading, incident_id)
            deeds = reading.cases.deeds_of(incident_id)
        ordered = sorted(alerts, key=lambda alert: (alert.first_seen_at, alert.id))
        shown = ordered[-INCIDENT_ALERTS:]
        return IncidentDetail(
            incident=incident_view(incident),
            alerts=[alert_view(alert, self._names, why=incident.why.get(alert.id, "")) for alert in shown],
            timeline=timeline(shown),
            is_cut=len(ordered) > INCIDENT_ALERTS,
            story=step_views(story_of(ordered)),
            graph=graph_view(graph_of(ordered)),
            score=score_view(score_of(incident)),
            case=case_view(case_of(incident_id, deeds)),
        )

    def attack(self, actor: Actor) -> AttackView:
        """The matrix of what was seen."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            seen = reading.techniques_seen()
        return AttackView(
            tactics=TACTICS,
            techniques=[
                TechniqueSeen(technique=show(technique), tactics=tactics, n_detections=n)
                for technique, tactics, n in seen
            ],
        )

    def crossings(
        self,
        actor: Actor,
        page: Page,
        *,
        ally: str | None,
        direction: Direction | None,
        state: CrossingState | None,
    ) -> CrossingsView:
        """What crossed the line, waits at it, or was kept from it."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            crossings, cursor = reading.crossings(page, ally=ally, direction=direction, state=state)
            views = _told_by_name(reading, [crossing_view(crossing, self._names) for crossing in crossings])
        return CrossingsView(crossings=views, next=cursor)

    def with_receipts(self, found: CrossingsView, agreements: Sequence[Agreement], *, now: datetime) -> CrossingsView:
        """The same page, each retraction with its receipt."""
        with self._store.read() as reading:
            return replace(found, crossings=with_receipts(reading, found.crossings, agreements, now=now))

    def crossing(self, actor: Actor, crossing_id: int) -> CrossingDetail:
        """One crossing with what it carries."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            crossing = reading.crossing(crossing_id)
            if crossing is None:
                raise _missing("AMG-CROSSING-UNKNOWN", "crossing", str(crossing_id))
            (view,) = _told_by_name(reading, [crossing_view(crossing, self._names)])
        content = show(crossing.content, CONTENT_CHARACTERS)
        return CrossingDetail(
            crossing=view,
            content=content,
            is_cut=len(content) == CONTENT_CHARACTERS,
            fields=fields_of(crossing.content, crossing.changes),
        )

    def content(self, actor: Actor) -> list[ContentView]:
        """Rules and indicators, newest first, without their text."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            items = reading.content()
        items.sort(key=lambda item: item.added_at, reverse=True)
        return [content_view(item, self._names) for item in items]

    def content_item(self, actor: Actor, content_id: str) -> ContentView:
        """One of them with its text."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            held = reading.content_items([content_id])
        if not held:
            raise _missing("AMG-CONTENT-UNKNOWN", "rule or indicator", content_id)
        return content_view(held[0], self._names, with_text=True)

    def rules(self, actor: Actor) -> RulesView:
        """What the detection process said of the rules it loaded and ran."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            noted = reading.meta("rules")
        if noted is None:
            return RulesView()
        known = msgspec.json.decode(noted, type=RulesView)
        excluded = tuple(
            replace(one, exclusion=show(one.exclusion), reason=show(one.reason, 300)) for one in known.excluded
        )
        placeholders = tuple(replace(one, name=show(one.name)) for one in known.placeholders)
        return replace(
            known,
            faults=_shown(known.faults),
            replaced=tuple(map(_shown_replaced, known.replaced)),
            excluded=excluded,
            placeholders=placeholders,
        )

    def rejects(self, actor: Actor, page: Page) -> list[RejectView]:
        """Records that could not be read, newest first."""
        require(actor, Act.READ)
        with self._store.read() as reading:
            dead = reading.dead(page)
        return [_reject(one) for one in dead]


def all_alerts(reading: Reading, incident_id: str) -> list[Alert]:
    """All alerts of an incident, as many as it can hold, the last changed first."""
    found: list[Alert] = []
    cursor = None
    while len(found) <= MAX_ALERTS:
        some, cursor = reading.alerts(Page(limit=INCIDENT_ALERTS, before=cursor), incident_id=incident_id)
        found += some
        if cursor is None:
            break
    return found


def _told_by_name(reading: Reading, views: Sequence[CrossingView]) -> list[CrossingView]:
    """A sighting goes by the name of what it saw, where we hold or told that; else by its identifier."""
    seen = {view.title for view in views if is_stix_id(view.title)}
    told = [one for ally in {view.ally.id for view in views} for one in reading.crossings_of(ally, Direction.OUT, seen)]
    titles = {one.object_id: show(told_by(one.content).title, TITLE_CHARACTERS) for one in told}
    titles |= {one.id: show(told_by(one.body).title, TITLE_CHARACTERS) for one in reading.objects(seen)}
    return [replace(view, title=titles.get(view.title) or view.title) for view in views]


def _reject(dead: Dead) -> RejectView:
    return RejectView(
        source=show(dead.source), path=show(dead.path), record=dead.record, why=show(dead.why, 300), at=dead.at
    )


def _missing(code: str, what: str, got: str) -> MissingError:
    return MissingError(code, f"there is no such {what} here", got=got, then="it may have been removed")


def _shown(faults: Sequence[RuleFaultView]) -> tuple[RuleFaultView, ...]:
    return tuple(replace(one, rule_id=show(one.rule_id), path=show(one.path), why=show(one.why, 300)) for one in faults)


def _shown_replaced(one: ReplacedView) -> ReplacedView:
    return ReplacedView(
        rule_id=show(one.rule_id),
        title=show(one.title),
        path=show(one.path),
        why=show(one.why, 300),
        instead=show(one.instead),
    )
