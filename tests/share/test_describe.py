"""What an ally is told of alerts and incidents: sound STIX, stable, and nothing that is ours alone."""

import json
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.intel.build import extension_definition
from amagasa.intel.stix import check_object
from amagasa.share.describe import (
    RuleText,
    describe_address,
    describe_alert,
    describe_entity,
    describe_incident,
    describe_rule,
)
from amagasa.share.subject import external_address, subject_of_value
from amagasa.vocab.errors import BadInputError
from amagasa.vocab.severity import Level, Severity
from amagasa.vocab.tlp import Tlp
from tests.intel.oracle import strict_faults
from tests.share.samples import INDICATOR_ID, JAPAN, NOW, STATES_ID

SOURCE = Entity(kind=EntityKind.SOURCE_ADDRESS, value="203.0.113.7")
HOST = Entity(kind=EntityKind.HOST, value="yokosuka-web-01.mod.example")
USER = Entity(kind=EntityKind.USER, value="corp\\t.yamada")
PROCESS = Entity(kind=EntityKind.PROCESS, value="c:\\tools\\special-agent.exe")


def detection(**fields: Any) -> Detection:
    return Detection(
        rule_id="a-rule",
        title="SQL injection",
        level=Level.HIGH,
        path="/logs/access.log",
        record=7,
        event_at=NOW,
        fields=fields,
        event={},
        raw=f"raw record of {HOST.value} {USER.value} marker-in-raw",
    )


def alert(**changes: Any) -> Alert:
    given_: dict[str, Any] = {
        "id": "alert--5b408962-a142-4f50-8eae-619e5eb0df05",
        "key": "key",
        "content_id": "a-rule",
        "is_indicator": False,
        "title": "SQL injection in the query",
        "severity": Severity.HIGH,
        "confidence": 70,
        "origin": "",
        "source": "/logs/access.log",
        "first_seen_at": NOW - timedelta(minutes=5),
        "last_seen_at": NOW - timedelta(minutes=1),
        "created_at": NOW - timedelta(minutes=4),
        "updated_at": NOW,
        "n_detections": 12,
        "techniques": ("T1190",),
        "tactics": ("initial-access",),
        "entities": (SOURCE, HOST, USER, PROCESS),
        "examples": (detection(query="' or 1=1"),),
    }
    return Alert(**(given_ | changes))


def incident(**changes: Any) -> Incident:
    given_: dict[str, Any] = {
        "id": "incident--5b408962-a142-4f50-8eae-619e5eb0df05",
        "title": "SQL injection: 203.0.113.7",
        "status": Status.OPEN,
        "severity": Severity.HIGH,
        "created_at": NOW - timedelta(minutes=4),
        "updated_at": NOW,
        "first_seen_at": NOW - timedelta(minutes=5),
        "last_seen_at": NOW - timedelta(minutes=1),
        "n_alerts": 2,
        "n_detections": 13,
        "techniques": ("T1190", "T1110.001"),
        "tactics": ("initial-access",),
        "entities": (SOURCE, HOST, USER, PROCESS),
        "why": {"alert--5b408962-a142-4f50-8eae-619e5eb0df05": f"same host {HOST.value}"},
    }
    return Incident(**(given_ | changes))


def told(one: Alert, **changes: Any) -> tuple[dict[str, Any], ...]:
    given_: dict[str, Any] = {"party": JAPAN, "marking": Tlp.AMBER, "now": NOW} | changes
    return describe_alert(one, **given_)


def kinds(objects: tuple[dict[str, Any], ...]) -> list[str]:
    return [obj["type"] for obj in objects]


def test_attack_from_an_address_is_an_indicator_and_its_sighting() -> None:
    found, seen = told(alert())
    assert found["pattern"] == "[ipv4-addr:value = '203.0.113.7']"
    assert found["name"] == "SQL injection in the query"
    assert found["confidence"] == 70
    assert found["valid_from"] <= "2026-11-23T11:55:00.000Z" < found["valid_until"]
    assert seen["sighting_of_ref"] == found["id"]
    assert seen["where_sighted_refs"] == [JAPAN.id]
    assert (seen["count"], seen["first_seen"]) == (12, "2026-11-23T11:55:00.000Z")


def test_grown_alert_is_a_new_version_of_the_same_sighting_and_the_same_indicator() -> None:
    found, seen = told(alert())
    later = NOW + timedelta(minutes=3)
    same, grown = told(replace(alert(), n_detections=40, last_seen_at=later, updated_at=later), now=later)
    assert same == found
    assert grown["id"] == seen["id"]
    assert grown["created"] == seen["created"]
    assert grown["modified"] > seen["modified"]
    assert grown["count"] == 40


def test_attack_into_the_next_day_is_a_new_version_of_the_indicator() -> None:
    found, _ = told(alert())
    tomorrow = NOW + timedelta(hours=20)
    longer, _ = told(replace(alert(), last_seen_at=tomorrow, updated_at=tomorrow), now=tomorrow)
    assert longer["id"] == found["id"]
    assert longer["modified"] > found["modified"]
    assert longer["valid_until"] > found["valid_until"]


def test_two_alerts_of_a_day_by_one_rule_make_one_indicator_and_two_sightings() -> None:
    found, seen = told(alert())
    other_id = "alert--6a519873-b253-4061-9fbf-72af6fc1e006"
    same, other = told(replace(alert(), id=other_id, first_seen_at=NOW, created_at=NOW, updated_at=NOW))
    assert same == found
    assert other["id"] != seen["id"]


def test_alert_by_an_allys_indicator_is_a_sighting_of_that_indicator() -> None:
    (seen,) = told(alert(content_id=INDICATOR_ID, is_indicator=True, origin=STATES_ID))
    assert seen["sighting_of_ref"] == INDICATOR_ID


def test_alert_by_an_allys_rule_tells_that_it_was_seen_and_no_address() -> None:
    (seen,) = told(alert(origin=STATES_ID), seen_indicator=INDICATOR_ID)
    assert seen["sighting_of_ref"] == INDICATOR_ID
    assert "203.0.113" not in str(seen)


def test_alert_by_an_allys_rule_of_no_indicator_tells_techniques_and_no_address() -> None:
    assert set(kinds(told(alert(origin=STATES_ID)))) <= {"attack-pattern", "sighting"}


def test_alert_without_an_address_is_a_sighting_of_its_techniques() -> None:
    objects = told(alert(entities=(HOST, USER, PROCESS), techniques=("T1059.001", "T1003")))
    assert kinds(objects) == ["attack-pattern", "sighting", "attack-pattern", "sighting"]
    assert objects[0]["external_references"] == [{"source_name": "mitre-attack", "external_id": "T1059.001"}]
    assert objects[1]["sighting_of_ref"] == objects[0]["id"]


def test_alert_with_nothing_to_tell_tells_nothing() -> None:
    assert told(alert(entities=(HOST,), techniques=())) == ()


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "192.168.0.9", "172.16.4.4", "127.0.0.1", "100.64.1.1", "169.254.3.3", "fe80::1", "fd00::5", "::1",
     "::ffff:10.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.1", "fe80::1%eth0", "not an address", "-"],
)  # fmt: skip
def test_address_of_the_inside_is_never_told(address: str) -> None:
    assert external_address(address) is None
    one = alert(entities=(Entity(kind=EntityKind.SOURCE_ADDRESS, value=address),), techniques=("T1190",))
    assert "indicator" not in kinds(told(one))
    assert address not in json.dumps(told(one)) or address == "-"


@pytest.mark.parametrize(
    ("kind", "value", "pattern"),
    [
        (EntityKind.SOURCE_ADDRESS, "2001:db8:0:0::7", "[ipv6-addr:value = '2001:db8::7']"),
        (EntityKind.SOURCE_ADDRESS, "::ffff:203.0.113.9", "[ipv4-addr:value = '203.0.113.9']"),
        (EntityKind.DOMAIN, "Evil.Example", "[domain-name:value = 'evil.example']"),
        (EntityKind.URL, "https://evil.example/it's", "[url:value = 'https://evil.example/it\\'s']"),
        (EntityKind.HASH, "SHA256=" + "A" * 64, f"[file:hashes.'SHA-256' = '{'a' * 64}']"),
        (EntityKind.HASH, "b" * 32, f"[file:hashes.'MD5' = '{'b' * 32}']"),
        (EntityKind.HASH, "imphash", None),
        (EntityKind.DOMAIN, "dc01.corp.local", None),
        (EntityKind.DOMAIN, "plainhost", None),
        (EntityKind.URL, "/login.php?id=1", None),
        (EntityKind.URL, "https://10.0.0.5/x", None),
        (EntityKind.URL, "https://tanaka:secret@evil.example/", None),
        (EntityKind.URL, "https://[bad", None),
        (EntityKind.USER, "tanaka", None),
        (EntityKind.DOMAIN, "evil.example\n", None),
    ],
)
def test_value_makes_a_pattern_or_none(kind: EntityKind, value: str, pattern: str | None) -> None:
    subject = subject_of_value(kind, value)
    assert (subject.pattern if subject else None) == pattern


def test_hash_in_passing_is_no_indicator_but_one_that_was_asked_for_is() -> None:
    digest = Entity(kind=EntityKind.HASH, value="c" * 64)
    passing = alert(entities=(digest, HOST), examples=(detection(CommandLine="whoami"),))
    asked = alert(entities=(digest, HOST), examples=(detection(Hashes="SHA256=" + "C" * 64),))
    assert "indicator" not in kinds(told(passing))
    assert told(asked)[0]["pattern"] == f"[file:hashes.'SHA-256' = '{'c' * 64}']"


def test_domain_of_our_own_host_is_no_indicator() -> None:
    entities = (HOST, Entity(kind=EntityKind.DOMAIN, value=HOST.value))
    assert "indicator" not in kinds(told(alert(entities=entities, examples=(detection(query=HOST.value),))))


def test_title_that_names_something_of_ours_is_replaced() -> None:
    found, _ = told(alert(title="Logon of t.yamada on YOKOSUKA-WEB-01"))
    assert found["name"] == "Detection, severity high"
    (made,) = describe_incident(incident(title=f"{HOST.value}: attack"), party=JAPAN, marking=Tlp.AMBER)
    assert made["name"] == "Incident, severity high: T1190, T1110.001"
    for subject in ("10.2.3.4", "fd00::9", "web source, /var/log/auth.log", f"{HOST.value}, {USER.value}"):
        (made,) = describe_incident(incident(title=f"Attack: {subject}"), party=JAPAN, marking=Tlp.AMBER)
        assert made["name"] == "Attack"
        assert subject not in json.dumps(made)
    (made,) = describe_incident(incident(title="Attack on (10.2.3.4)."), party=JAPAN, marking=Tlp.AMBER)
    assert "10.2.3.4" not in json.dumps(made)


def test_word_that_only_contains_a_name_of_ours_is_told() -> None:
    web = (SOURCE, Entity(kind=EntityKind.HOST, value="web"), Entity(kind=EntityKind.USER, value="dba"))
    assert told(alert(title="Webshell sandbar", entities=web))[0]["name"] == "Webshell sandbar"


def test_incident_states_plain_facts() -> None:
    (made,) = describe_incident(incident(), party=JAPAN, marking=Tlp.AMBER)
    assert made["id"] == incident().id
    assert made["name"] == "SQL injection"
    assert "2 alerts, 13 detections" in made["description"]
    facts = next(iter(made["extensions"].values()))
    assert facts["severity"] == 4
    assert facts["source_addresses"] == ["203.0.113.7"]


def test_person_makes_an_indicator_of_an_address_and_of_nothing_else() -> None:
    made = describe_address("198.51.100.9", party=JAPAN, marking=Tlp.GREEN, now=NOW, reason="Scanner")
    assert (made["name"], made["valid_until"]) == ("Scanner", "2026-11-24T12:00:00.000Z")
    with pytest.raises(BadInputError, match="AMG-DESCRIBE-VALUE"):
        describe_address("198.51.100.9' OR", party=JAPAN, marking=Tlp.GREEN, now=NOW)
    with pytest.raises(BadInputError, match="AMG-DESCRIBE-VALUE"):
        describe_entity(USER, party=JAPAN, marking=Tlp.GREEN, now=NOW)


def everything() -> list[dict[str, Any]]:
    rule = RuleText(id="r1", title="Rule", text="title: Rule", created_at=NOW, techniques=("T1190",))
    naked = alert(entities=(HOST,), techniques=("T1059",))
    return [
        extension_definition(),
        *told(alert()),
        *told(naked),
        *told(alert(origin=STATES_ID, content_id=INDICATOR_ID, is_indicator=True)),
        *describe_incident(incident(), party=JAPAN, marking=Tlp.AMBER),
        *describe_incident(incident(id="inc-7", techniques=(), tactics=()), party=JAPAN, marking=Tlp.AMBER),
        describe_rule(rule, party=JAPAN, marking=Tlp.AMBER, now=NOW + timedelta(hours=1)),
        describe_address("198.51.100.9", party=JAPAN, marking=Tlp.GREEN, now=NOW),
    ]


def test_all_that_is_told_passes_stix2_and_the_strict_validator() -> None:
    for obj in everything():
        assert check_object(obj) is None
        stix2.parse(obj)
    assert strict_faults(everything()) == []


OURS = st.text(alphabet=string.ascii_lowercase + string.digits, min_size=6, max_size=12).map(lambda name: f"zq{name}")


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(OURS, min_size=4, max_size=4, unique=True),
    title=st.sampled_from(["{0}: was attacked", "Logon: {0}, dom\\{1}", "Odd process {2}.exe", "Plain title"]),
    source=st.sampled_from(["203.0.113.7", "10.0.0.1", "2001:db8::1", "::1"]),
    origin=st.sampled_from(["", STATES_ID]),
)
def test_names_of_ours_and_raw_records_stay_at_home(names: list[str], title: str, source: str, origin: str) -> None:
    host, user, process, file = names
    entities = (
        Entity(kind=EntityKind.SOURCE_ADDRESS, value=source),
        Entity(kind=EntityKind.HOST, value=f"{host}.base.example"),
        Entity(kind=EntityKind.USER, value=f"dom\\{user}"),
        Entity(kind=EntityKind.PROCESS, value=f"c:\\x\\{process}.exe"),
        Entity(kind=EntityKind.FILE, value=f"/srv/{file}"),
        Entity(kind=EntityKind.DOMAIN, value=f"{host}.base.example"),
        Entity(kind=EntityKind.URL, value=f"https://{host}.base.example/{file}"),
    )
    examples = (detection(QueryName=f"{host}.base.example", url=f"https://{host}.base.example/{file}"),)
    named = title.format(host, user, process)
    one = alert(entities=entities, title=named, examples=examples, origin=origin, techniques=("T1190",))
    objects = (
        *told(one),
        *describe_incident(incident(entities=entities, title=named), party=JAPAN, marking=Tlp.AMBER),
    )
    sent = json.dumps(objects).lower()
    assert objects
    assert not [name for name in names if name in sent]
    assert "marker-in-raw" not in sent
    assert "/logs/access.log" not in sent


def test_instants_never_run_ahead_of_now() -> None:
    ahead = datetime(2027, 1, 1, tzinfo=UTC)
    _, seen = told(alert(updated_at=ahead))
    assert seen["modified"] == "2026-11-23T12:00:00.000Z"
