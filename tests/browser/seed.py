"""A plausible node: alerts of a web scan, a brute force and an intrusion, and what crossed the line to the ally."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from amagasa.app.pages import Page
from amagasa.app.ports import Bond, ContentItem, ContentKind, Crossing, CrossingState, Dead, Direction, Position, Store
from amagasa.detect.report import Detection, Sign, Together
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.terms import Role
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Level
from amagasa.vocab.tlp import Tlp
from tests.share.cards import keys

NOW: Final = datetime(2026, 11, 23, 3, 4, 5, tzinfo=UTC)
HOSTILE: Final = '<img src=x onerror="window.pwned=1">{{7*7}}\u202egnp.exe\x1b[31m<script>window.pwned=1</script>'
JAPAN_KEYS: Final = keys("japan")
STATES_KEYS: Final = keys("states")
JAPAN: Final = Party(
    id=stable_id("identity", "japan"),
    name="Japan",
    country="JP",
    role=Role.SUPPORTED,
    key=JAPAN_KEYS.public_key,
    certificate=JAPAN_KEYS.certificate,
    address="https://127.0.0.1:9443/taxii2/",
)
STATES: Final = Party(
    id=stable_id("identity", "states"),
    name="United States",
    country="US",
    role=Role.SUPPORTING,
    key=STATES_KEYS.public_key,
    certificate=STATES_KEYS.certificate,
    address="https://127.0.0.1:9444/taxii2/",
)
PAGE: Final = Page(limit=100)
SCANNER: Final = "198.51.100.23"
INTRUDER: Final = "203.0.113.77"


class Book:
    """The agreements of a test node."""

    def __init__(self, *agreements: Agreement, party: Party = JAPAN) -> None:
        self._bonds = tuple(Bond(agreement=one, ally=one.ally_of(party.id)) for one in agreements)

    def bonds(self) -> tuple[Bond, ...]:
        return self._bonds


def agreement() -> Agreement:
    return Agreement(
        id="agreement--umbrella-2026",
        title="Arrangement on timely and routine sharing of cyber defence information",
        version=3,
        parties=(JAPAN, STATES),
        valid_from_at=datetime(2026, 4, 1, tzinfo=UTC),
        valid_until_at=datetime(2027, 4, 1, tzinfo=UTC),
        clauses=(
            Clause(
                id="sightings",
                giver=JAPAN.id,
                objects=("sighting", "observed-data", "ipv4-addr", "ipv6-addr"),
                ceiling=Tlp.AMBER,
                consent=Consent.AUTOMATIC,
                pseudonymise=("objects.*.hostname",),
            ),
            Clause(
                id="incidents",
                giver=JAPAN.id,
                objects=("incident",),
                ceiling=Tlp.AMBER_STRICT,
                consent=Consent.RELEASE_OFFICER,
                strip=("description", "external_references"),
            ),
            Clause(
                id="indicators",
                giver=STATES.id,
                objects=("indicator",),
                ceiling=Tlp.AMBER_STRICT,
                consent=Consent.AUTOMATIC,
                pattern_types=("stix", "sigma"),
            ),
            Clause(
                id="our-indicators",
                giver=JAPAN.id,
                objects=("indicator",),
                ceiling=Tlp.AMBER,
                consent=Consent.RELEASE_OFFICER,
                pattern_types=("stix", "sigma"),
            ),
        ),
    )


# title, level, technique, tactic, subject kind and value, raw record, matched fields, detections, minutes ago, incident
_SCENE: Final[tuple[tuple[Any, ...], ...]] = (
    ("Scanner announces itself in the user agent", Level.LOW, "T1595.002", "reconnaissance", SCANNER, 412, 38, "web"),
    ("Path traversal in a request", Level.MEDIUM, "T1190", "initial-access", SCANNER, 27, 31, "web"),
    ("Many failed sign-ins from one address", Level.MEDIUM, "T1110.001", "credential-access", SCANNER, 96, 24, "web"),
    ("SQL injection in a query string", Level.HIGH, "T1190", "initial-access", SCANNER, 63, 12, "web"),
    ("Office program starts a shell", Level.HIGH, "T1204.002", "execution", "ws-0417.base.example", 1, 21, "base"),
    ("Encoded PowerShell command line", Level.HIGH, "T1059.001", "execution", "ws-0417.base.example", 3, 20, "base"),
    (
        "Scheduled task made by a script host",
        Level.MEDIUM,
        "T1053.005",
        "persistence",
        "ws-0417.base.example",
        1,
        17,
        "base",
    ),
    ("Memory of LSASS read", Level.CRITICAL, "T1003.001", "credential-access", "ws-0417.base.example", 2, 14, "base"),
    (
        "Remote service created over SMB",
        Level.HIGH,
        "T1021.002",
        "lateral-movement",
        "dc-01.base.example",
        1,
        6,
        "base",
    ),
    ("Shadow copies deleted", Level.CRITICAL, "T1490", "impact", "dc-01.base.example", 1, 2, "base"),
    (
        "Connection to a reported command server",
        Level.CRITICAL,
        "T1071.001",
        "command-and-control",
        INTRUDER,
        8,
        1,
        "base",
    ),
    ("New account in a privileged group", Level.MEDIUM, "T1098", "persistence", "dc-01.base.example", 1, 4, ""),
)
_RAW_WEB: Final = (
    '198.51.100.23 - - [23/Nov/2026:02:52:11 +0000] "GET /search?q=1%27%20UNION%20SELECT%20password%20FROM%20users--'
    ' HTTP/1.1" 200 5120 "-" "Mozilla/5.0 (probe)"'
)
_RAW_HOST: Final = json.dumps(
    {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Hostname": "ws-0417.base.example",
        "Image": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
        "CommandLine": "powershell.exe -NoP -W Hidden -Enc SQBFAFgA",
        "ParentImage": "C:\\Program Files\\Microsoft Office\\root\\Office16\\WINWORD.EXE",
        "User": "BASE\\sato",
    }
)


def alerts(now: datetime = NOW) -> list[Alert]:
    return [_alert(number, *row, now=now) for number, row in enumerate(_SCENE)]


def _alert(  # noqa: PLR0917 -- one argument a column of the scene
    number: int,
    title: str,
    level: Level,
    technique: str,
    tactic: str,
    subject: str,
    n: int,
    minutes: int,
    scene: str,
    *,
    now: datetime,
) -> Alert:
    is_ours = subject != INTRUDER
    at = now - timedelta(minutes=minutes)
    is_host = "." in subject and subject[0].isalpha()
    entity = Entity(kind=EntityKind.HOST if is_host else EntityKind.SOURCE_ADDRESS, value=subject)
    content_id = stable_id("rule" if is_ours else "indicator", title)
    fields = (
        {"CommandLine": "powershell.exe -NoP -W Hidden -Enc SQBFAFgA", "Image": "C:\\...\\powershell.exe"}
        if scene == "base"
        else {"cs-uri-query": "q=1' UNION SELECT password FROM users--", "c-ip": SCANNER, "sc-status": 200}
    )
    detection = Detection(
        rule_id=content_id if is_ours else None,
        indicator_id=None if is_ours else content_id,
        title=title,
        level=level,
        path="/var/log/nginx/access.log" if scene == "web" else "/var/log/winevents/base.ndjson",
        record=1042 + number,
        event_at=at,
        techniques=(technique,),
        tactics=(tactic,),
        fields=fields,
        event=fields,
        entities=(entity,),
        raw=_RAW_WEB if scene == "web" else _RAW_HOST,
        origin="" if is_ours else STATES.id,
    )
    if title.startswith("Many failed"):
        detection = replace(detection, fields={"count": n, "c-ip": subject}, together=_together(detection, n))
    return alert_of(detection, number=number, n=n, incident=incident_id(scene) if scene else None, at=at, now=now)


def _together(detection: Detection, n: int) -> Together:
    at = detection.event_at
    assert at is not None
    signs = [
        Sign(
            title="Sign-in refused",
            path=detection.path,
            record=detection.record - 40 + 10 * number,
            event_at=at + timedelta(seconds=number),
            raw=f'198.51.100.23 - tanaka{number} "POST /sign-in HTTP/1.1" 401',
        )
        for number in range(5)
    ]
    return Together(
        n_events=n,
        first_at=at,
        last_at=at + timedelta(seconds=40),
        timespan_s=600,
        group=(("c-ip", SCANNER),),
        signs=tuple(signs),
    )


def alert_of(detection: Detection, *, number: int, n: int, incident: str | None, at: datetime, now: datetime) -> Alert:
    return Alert(
        id=stable_id("alert", detection.title[:100], str(number)),
        key=stable_id("key", detection.title[:100], str(number)),
        content_id=detection.content_id,
        is_indicator=detection.indicator_id is not None,
        title=detection.title,
        severity=detection.level.severity,
        confidence=75,
        origin=detection.origin,
        source="web" if "nginx" in detection.path else "base",
        first_seen_at=at,
        last_seen_at=min(now, at + timedelta(seconds=40)),
        created_at=at,
        updated_at=min(now, at + timedelta(seconds=40)),
        n_detections=n,
        techniques=detection.techniques,
        tactics=detection.tactics,
        entities=detection.entities,
        examples=(detection,),
        incident_id=incident,
    )


def hostile_alert(now: datetime = NOW, *, number: int = 900, title: str = HOSTILE) -> Alert:
    detection = Detection(
        rule_id=stable_id("rule", "hostile"),
        title=title,
        level=Level.HIGH,
        path="/var/log/nginx/access.log",
        record=7,
        event_at=now,
        techniques=("T1190",),
        tactics=("initial-access",),
        fields={HOSTILE: HOSTILE, "number": 7, "nothing": None, "list": [HOSTILE]},
        event={},
        entities=(Entity(kind=EntityKind.SOURCE_ADDRESS, value=HOSTILE),),
        raw=HOSTILE * 20,
    )
    return alert_of(detection, number=number, n=1, incident=None, at=now, now=now)


def incident_id(scene: str) -> str:
    return stable_id("incident", scene)


def incidents(held: Sequence[Alert]) -> list[Incident]:
    titles = {"web": "Attack on the government website", "base": "Intrusion on a base's Windows hosts"}
    return [
        _incident(incident_id(scene), title, [one for one in held if one.incident_id == incident_id(scene)])
        for scene, title in titles.items()
    ]


def _incident(identifier: str, title: str, parts: Sequence[Alert]) -> Incident:
    return Incident(
        id=identifier,
        title=title,
        status=Status.OPEN,
        severity=max(one.severity for one in parts),
        created_at=min(one.created_at for one in parts),
        updated_at=max(one.updated_at for one in parts),
        first_seen_at=min(one.first_seen_at for one in parts),
        last_seen_at=max(one.last_seen_at for one in parts),
        n_alerts=len(parts),
        n_detections=sum(one.n_detections for one in parts),
        techniques=tuple(dict.fromkeys(name for one in parts for name in one.techniques)),
        tactics=tuple(dict.fromkeys(name for one in parts for name in one.tactics)),
        entities=tuple(dict.fromkeys(entity for one in parts for entity in one.entities)),
        why={one.id: f"shares {one.entities[0].value} with the alert before it" for one in parts},
        n_by_alert={one.id: one.n_detections for one in parts},
    )


def _sighting(number: int, now: datetime) -> bytes:
    instant = f"{now:%Y-%m-%dT%H:%M:%S}.000Z"
    body = {
        "type": "sighting",
        "spec_version": "2.1",
        "id": stable_id("sighting", str(number)),
        "created": instant,
        "modified": instant,
        "count": 3 + number,
        "name": "SQL injection in a query string",
        "sighting_of_ref": stable_id("indicator", "reported"),
        "object_marking_refs": [Tlp.AMBER.marking_id],
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def crossings(now: datetime = NOW) -> list[Crossing]:
    common: dict[str, Any] = {"ally": STATES.id, "agreement": agreement().id, "version": "2026-11-23T03:00:00.000Z"}
    sighting: dict[str, Any] = common | {"object_type": "sighting", "clause": "sightings", "marking": "amber"}
    out, incoming = Direction.OUT, Direction.IN
    states = CrossingState
    made = [
        Crossing(
            **sighting,
            direction=out,
            state=states.DELIVERED,
            object_id=stable_id("sighting", str(number)),
            content=_sighting(number, now),
            changes=(("objects.0.hostname", "pseudonymised"),),
            created_at=now - timedelta(minutes=20 - number),
            delivered_at=now - timedelta(minutes=20 - number) + timedelta(milliseconds=240),
            n_tries=1,
        )
        for number in range(4)
    ]
    incident = json.dumps({"type": "incident", "name": "Intrusion on a base's Windows hosts", "spec_version": "2.1"})
    made += [
        Crossing(
            **common,
            direction=out,
            state=states.WANTING,
            object_id=incident_id("base"),
            object_type="incident",
            clause="incidents",
            marking="amber+strict",
            content=incident.encode(),
            changes=(("description", "stripped"), ("external_references", "stripped")),
            created_at=now - timedelta(minutes=3),
        ),
        Crossing(
            **common,
            direction=out,
            state=states.WITHHELD,
            object_id=stable_id("incident", "secret"),
            object_type="incident",
            why="its marking TLP:RED is above the ceiling TLP:AMBER+STRICT of clause incidents [AMG-SHARE-CEILING]",
            created_at=now - timedelta(minutes=9),
        ),
        Crossing(
            **common,
            direction=incoming,
            state=states.ADMITTED,
            object_id=stable_id("indicator", "reported"),
            object_type="indicator",
            clause="indicators",
            marking="amber+strict",
            content=json.dumps({"type": "indicator", "name": f"Command server {INTRUDER}"}).encode(),
            created_at=now - timedelta(minutes=5),
        ),
        Crossing(
            **common,
            direction=incoming,
            state=states.REFUSED,
            object_id=stable_id("malware", "no"),
            object_type="malware",
            why="no clause lets this party give a malware [AMG-SHARE-CLAUSE]",
            created_at=now - timedelta(minutes=4),
        ),
    ]
    return made


RULE: Final = """title: Encoded PowerShell command line
id: 2f4e9d5c-1b6a-4c1e-9a53-6d1f0c7e8b21
logsource:
  category: process_creation
  product: windows
detection:
  selection:
    Image|endswith: '\\powershell.exe'
    CommandLine|contains: ' -enc '
  condition: selection
level: high
"""


def content(now: datetime = NOW) -> list[ContentItem]:
    pattern = {"type": "indicator", "pattern": f"[ipv4-addr:value = '{INTRUDER}']", "pattern_type": "stix"}
    return [
        ContentItem(
            id="2f4e9d5c-1b6a-4c1e-9a53-6d1f0c7e8b21",
            kind=ContentKind.SIGMA,
            title="Encoded PowerShell command line",
            origin=STATES.id,
            text=RULE,
            is_active=True,
            added_at=now - timedelta(minutes=22),
            added_by="United States",
            activated_at=now - timedelta(minutes=22),
        ),
        ContentItem(
            id=stable_id("indicator", "reported"),
            kind=ContentKind.STIX,
            title=f"Command server {INTRUDER}",
            origin=STATES.id,
            text=json.dumps(pattern),
            is_active=True,
            added_at=now - timedelta(minutes=5),
            added_by="United States",
            activated_at=now - timedelta(minutes=5),
        ),
        ContentItem(
            id=stable_id("rule", "broken").partition("--")[2],
            kind=ContentKind.SIGMA,
            title="Sign-in outside office hours",
            origin="",
            text="title: Sign-in outside office hours\n",
            is_active=False,
            added_at=now - timedelta(hours=5),
            added_by="tanaka",
            fault="the field %office_hours% is a placeholder that nobody expands [AMG-RULE-PLACEHOLDER]",
        ),
    ]


def fill_content(store: Store, now: datetime = NOW) -> None:
    with store.write() as tx:
        for item in content(now):
            tx.save_content(item)


def fill(store: Store, now: datetime = NOW) -> None:
    """Everything above."""
    held = alerts(now)
    fill_content(store, now)
    with store.write() as tx:
        tx.save_incidents(incidents(held))
        tx.save_alerts(held)
        for crossing in crossings(now):
            tx.add_crossing(crossing)
        for name, n, rejected, age_s in (("web", 1_284_551, 3, 1), ("base", 88_207, 0, 4)):
            tx.save_position(
                Position(
                    source=name,
                    token={},
                    n_read=n,
                    n_accepted=n - rejected,
                    n_rejected=rejected,
                    last_record_at=now - timedelta(seconds=age_s),
                )
            )
        tx.save_dead(
            [
                Dead(
                    source="web",
                    path="/var/log/nginx/access.log",
                    record=77,
                    why="no request in it: \\x16\\x03",
                    at=now,
                )
            ]
        )
