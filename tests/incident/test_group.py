from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Status
from amagasa.incident.fold import fold
from amagasa.incident.group import OPEN_AFTER, group
from amagasa.incident.growing import MAX_ALERTS
from amagasa.incident.links import wanted_links
from amagasa.vocab.severity import Level, Severity
from tests.incident.samples import DETECTIONS, NOW, address, alert, at, found, host, user
from tests.incident.worlds import World

SCANNER = address("203.0.113.9")
OTHER = address("198.51.100.7")


def test_scanner_with_thousands_of_detections_of_thirty_rules_is_one_incident() -> None:
    world = World()
    for chunk in range(10):
        detections = [
            found(chunk, SCANNER, host("web01"), rule=f"r{n % 30}", record=chunk * 300 + n) for n in range(300)
        ]
        recent = list(world.alerts.values())
        world.take(*fold(detections, recent, source="web", now=NOW), minutes=chunk)
    (incident,) = world.open()
    assert len(world.alerts) == 30
    assert (incident.n_alerts, incident.n_detections) == (30, 3000)
    assert incident.title.endswith(": 203.0.113.9")
    world.check()


def test_alert_of_medium_severity_opens_an_incident_and_says_why() -> None:
    world = World()
    (one,) = world.take(alert(0, SCANNER, level=Level.MEDIUM))
    (incident,) = world.open()
    assert one.incident_id == incident.id
    assert incident.why == {one.id: "opened this incident: severity medium"}
    assert incident.severity is Severity.MEDIUM
    assert (incident.created_at, incident.first_seen_at) == (at(0), at(0))


def test_alert_of_low_severity_stays_alone_until_there_are_many() -> None:
    world = World()
    (quiet,) = world.take(alert(0, SCANNER, level=Level.LOW, n=OPEN_AFTER - 1))
    assert (quiet.incident_id, world.open()) == (None, [])
    world.take(replace(quiet, n_detections=OPEN_AFTER))
    assert world.open()[0].why == {quiet.id: "opened this incident: 20 detections"}


def test_quiet_alert_joins_what_a_loud_one_of_the_same_batch_opens() -> None:
    world = World()
    quiet = alert(-5, SCANNER, level=Level.LOW, rule="quiet")
    world.take(quiet, alert(0, SCANNER, rule="loud"))
    (incident,) = world.open()
    assert incident.why[quiet.id] == "same source address 203.0.113.9, within 4 hours"
    world.check()


def test_alert_which_shares_only_what_everybody_shares_opens_its_own() -> None:
    world = World()
    target = (
        host("web01"),
        Entity(kind=EntityKind.DESTINATION_ADDRESS, value="192.0.2.1"),
        Entity(kind=EntityKind.DOMAIN, value="www.example.go.jp"),
        Entity(kind=EntityKind.URL, value="/login"),
        Entity(kind=EntityKind.HASH, value="ab" * 32),
        Entity(kind=EntityKind.PROCESS, value="c:\\windows\\system32\\cmd.exe"),
    )
    world.take(alert(0, SCANNER, *target), alert(0, OTHER, *target), alert(0, *target))
    assert len(world.open()) == 3


def test_alerts_whose_evidence_names_one_hash_or_domain_are_one_incident() -> None:
    for kind, value, field in (
        (EntityKind.HASH, "ab" * 32, "SHA256=" + "AB" * 32),
        (EntityKind.DOMAIN, "evil.example", "www.Evil.example"),
    ):
        world = World()
        shared = Entity(kind=kind, value=value)
        world.take(alert(0, host("a"), shared, fields={"x": field}), alert(9, host("b"), shared, fields={"x": [field]}))
        assert len(world.open()) == 1


def test_alert_outside_the_window_opens_a_new_incident() -> None:
    world = World()
    world.take(alert(0, SCANNER))
    world.take(alert(239, SCANNER, rule="r2"))
    assert len(world.open()) == 1
    world.take(alert(480, SCANNER, rule="r3"))
    assert len(world.open()) == 2
    world.check()


def test_account_seen_without_an_address_joins_the_last_who_was_at_it_and_merges_nobody() -> None:
    world = World()
    root = (host("web01"), user("root"))
    for n in range(5):
        world.take(alert(n, address(f"203.0.113.{n}"), *root, rule="brute force"))
    assert len(world.open()) == 5
    (after,) = world.take(alert(6, *root, rule="shell"))
    assert len(world.open()) == 5
    joined = world.incidents[after.incident_id or ""]
    assert joined.title.endswith("203.0.113.4")
    assert joined.why[after.id] == "same host and user web01, root, within 4 hours"
    (more,) = world.take(alert(8, *root, rule="download"))
    assert more.incident_id == after.incident_id
    world.check()


def test_alert_which_links_two_incidents_merges_them_into_the_older() -> None:
    world = World()
    account = (host("ws-07"), user("bob"))
    (first,) = world.take(alert(0, *account), minutes=0)
    (second,) = world.take(alert(1, SCANNER, level=Level.CRITICAL, rule="r2"), minutes=1)
    assert len(world.open()) == 2
    shared = Entity(kind=EntityKind.HASH, value="cd" * 32)
    fields = {"Hashes": "SHA256=" + "cd" * 32}
    world.take(alert(2, *account, shared, rule="r3", fields=fields), minutes=2)
    world.take(alert(3, SCANNER, shared, rule="r4", fields=fields), minutes=3)
    (incident,) = world.open()
    assert incident.id == first.incident_id
    assert incident.n_alerts == 4
    assert incident.title == "Rule r2: 203.0.113.9"
    gone = world.incidents[second.incident_id or ""]
    assert gone.merged_into == incident.id
    assert gone.status is Status.CLOSED
    assert gone.closed_why.startswith("part of an older incident")
    assert world.alerts[second.id].incident_id == incident.id
    world.check()


def test_alert_which_grows_is_counted_anew_and_not_twice() -> None:
    world = World()
    (one,) = world.take(alert(0, SCANNER, n=3))
    world.take(replace(one, n_detections=10))
    (incident,) = world.open()
    assert (incident.n_alerts, incident.n_detections) == (1, 10)
    assert incident.why[one.id] == "opened this incident: severity high"


def test_incident_closed_by_a_person_opens_again_when_its_alert_goes_on() -> None:
    world = World()
    (one,) = world.take(alert(0, SCANNER))
    closed = replace(world.open()[0], status=Status.CLOSED, closed_why="a test")
    world.incidents[closed.id] = closed
    world.take(alert(5, SCANNER, rule="r2"), minutes=5)
    assert len(world.open()) == 1
    assert world.open()[0].id != closed.id
    world.incidents = {closed.id: closed}
    world.take(replace(one, n_detections=7), minutes=9)
    (incident,) = world.open()
    assert (incident.id, incident.closed_why) == (closed.id, "")
    assert incident.why[one.id] == "went on after the incident was closed"


def test_alert_whose_incident_is_not_at_hand_stays_where_it_is() -> None:
    one = alert(0, SCANNER)
    named = replace(one, incident_id="incident--elsewhere")
    grouped = group([named], [], now=NOW)
    assert grouped.alerts == (named,)
    assert grouped.incidents == ()


def test_incident_when_full_is_followed_by_another() -> None:
    world = World()
    world.take(*(alert(n / 10, SCANNER, rule=f"r{n}") for n in range(MAX_ALERTS + 1)))
    assert sorted(one.n_alerts for one in world.open()) == [1, MAX_ALERTS]
    world.check()


def test_title_and_reason_with_hostile_names_are_escaped() -> None:
    world = World()
    hostile = (host("ws\u202e\x1b[2J"), user("b\ud800ob"))
    world.take(alert(0, *hostile, rule="r1"), alert(1, *hostile, rule="r2"))
    (incident,) = world.open()
    assert incident.title == "Rule r1: ws\\u202e\\x1b[2J, b\\ud800ob"
    for text in incident.why.values():
        assert text.isascii()


def test_title_of_any_length_is_cut() -> None:
    world = World()
    world.take(alert(0, host("h" * 500), title="t" * 5000))
    assert len(world.open()[0].title) <= 200


def test_wanted_links_find_the_incident_an_alert_will_join() -> None:
    world = World()
    world.take(alert(0, SCANNER, host("web01"), user("root")))
    (incident,) = world.open()
    for one in (alert(1, SCANNER), alert(1, host("web01"), user("root"))):
        assert set(wanted_links([one])) & set(incident.links)
    assert not set(wanted_links([alert(1, OTHER, host("web01"), user("root"))])) & set(incident.links)


@settings(max_examples=60)
@given(st.lists(st.lists(DETECTIONS, max_size=8), max_size=6))
def test_group_keeps_each_alert_in_one_incident_and_counts_add_up(batches: list[list[Detection]]) -> None:
    world = World()
    for number, batch in enumerate(batches):
        alerts = fold(batch, list(world.alerts.values()), source="web", now=NOW)
        world.take(*alerts, minutes=number)
        world.check()
    assert sum(one.n_detections for one in world.alerts.values()) == sum(map(len, batches))


@settings(max_examples=60)
@given(st.lists(DETECTIONS, max_size=15), st.lists(DETECTIONS, max_size=10), st.randoms(use_true_random=False))
def test_group_in_any_order_gives_the_same_incidents(
    before: list[Detection], detections: list[Detection], random: object
) -> None:
    held = group(fold(before, [], source="web", now=NOW), [], now=NOW)
    alerts = list(fold(detections, held.alerts, source="web", now=at(1)))
    incidents = list(held.incidents)
    one = group(alerts, incidents, now=at(1))
    random.shuffle(alerts)  # type: ignore[attr-defined]
    random.shuffle(incidents)  # type: ignore[attr-defined]
    other = group(alerts, incidents, now=at(1))
    assert {a.id: a for a in one.alerts} == {a.id: a for a in other.alerts}
    assert {i.id: i for i in one.incidents} == {i.id: i for i in other.incidents}
    assert [a.id for a in other.alerts] == [a.id for a in alerts]


@settings(max_examples=60)
@given(st.lists(DETECTIONS, max_size=15))
def test_group_of_alerts_already_grouped_counts_nothing_twice(detections: list[Detection]) -> None:
    world = World()
    alerts = world.take(*fold(detections, [], source="web", now=NOW))
    counted = {key: one.n_by_alert for key, one in world.incidents.items()}
    again = world.take(*world.alerts.values())
    world.check()
    # A quiet alert may join now, because the span of an incident reaches it; nothing else moves.
    moved = [one for one, before in zip(again, alerts, strict=True) if one.incident_id != before.incident_id]
    assert all(world.alerts[one.id].incident_id is not None for one in moved)
    assert all(one.n_by_alert.items() >= counted[one.id].items() for one in world.open() if one.id in counted)


def on_device(minute: float, source: Entity, *devices: str, **given: Any) -> Alert:
    named = tuple(Entity(kind=EntityKind.DESTINATION_ADDRESS, value=one) for one in devices)
    return replace(alert(minute, source, *named, **given), techniques=("T0855",))


def test_device_of_a_plant_struck_from_two_stations_within_a_day_is_one_incident() -> None:
    world = World()
    world.take(on_device(-20 * 60, SCANNER, "192.0.2.9"))
    (second,) = world.take(on_device(0, OTHER, "192.0.2.9", rule="other"))
    (incident,) = world.open()
    assert incident.why[second.id] == "same device of a plant 192.0.2.9, within 24 hours"
    world.check()


def test_device_of_a_plant_struck_on_another_day_is_another_incident() -> None:
    world = World()
    world.take(on_device(-25 * 60, SCANNER, "192.0.2.9"))
    world.take(on_device(0, OTHER, "192.0.2.9", rule="other"))
    assert len(world.open()) == 2


def test_station_that_strikes_two_devices_of_a_plant_within_a_day_is_one_incident() -> None:
    world = World()
    world.take(on_device(-5 * 60, SCANNER, "192.0.2.9"))
    world.take(on_device(0, SCANNER, "192.0.2.8", rule="other"))
    assert len(world.open()) == 1
    world.check()


def test_website_that_two_attack_is_no_device_of_a_plant() -> None:
    world = World()
    one, other = (on_device(0, source, "192.0.2.9") for source in (SCANNER, OTHER))
    world.take(replace(one, techniques=("T1190",)))
    world.take(replace(other, techniques=("T1190",)))
    assert len(world.open()) == 2


def test_sweep_over_a_plant_ties_nothing_by_its_devices() -> None:
    world = World()
    world.take(on_device(0, SCANNER, "192.0.2.9"))
    world.take(on_device(5, OTHER, *(f"192.0.2.{n}" for n in range(5, 15)), rule="sweep"))
    assert len(world.open()) == 2
