from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.incident.links import links_of
from amagasa.incident.swarm import LIGHT, SWARM_FROM, is_swarm
from amagasa.vocab.severity import Level, Severity
from tests.incident.samples import address, alert, host, user
from tests.incident.worlds import World

MEDIUM = Level.MEDIUM
WS = host("ws-07")


def hunter(number: int, minutes: float = 0, **changes: Any) -> Alert:
    return alert(minutes, address(f"203.0.113.{number}"), level=MEDIUM, rule="hunt", **changes)


def test_many_sources_which_each_do_the_same_little_are_one_incident() -> None:
    world = World()
    for number in range(40):
        world.take(hunter(number, number))
    (incident,) = world.open()
    assert (incident.n_alerts, len(incident.by_source)) == (40, 40)
    assert incident.title == "Rule hunt: 40 source addresses"
    assert incident.why[world.last.id] == "one of 39 source addresses or more which each did the same little"
    world.check()


def test_fewer_sources_than_a_swarm_stay_apart() -> None:
    world = World()
    for number in range(SWARM_FROM - 1):
        world.take(hunter(number, number))
    assert len(world.open()) == SWARM_FROM - 1


def test_sources_which_do_different_things_or_do_much_are_no_swarm() -> None:
    world = World()
    for number in range(SWARM_FROM + 2):
        world.take(alert(number, address(f"203.0.113.{number}"), level=MEDIUM, rule=f"r{number}"))
        world.take(hunter(100 + number, number, n=LIGHT * 3))
        world.take(alert(number, address(f"198.51.100.{number}"), rule="grave"))
    assert not any(map(is_swarm, world.open()))
    assert len(world.open()) == 3 * (SWARM_FROM + 2)


def test_source_that_is_more_than_one_of_many_leaves_with_all_it_did() -> None:
    world = World()
    for number in range(10):
        world.take(hunter(number, number))
    world.take(hunter(3, 30))  # the same alert key: it grows
    (crowd,) = world.open()
    (broke_in,) = world.take(alert(40, address("203.0.113.3"), rule="break-in"), minutes=40)
    own = world.incidents[broke_in.incident_id or ""]
    left = world.incidents[crowd.id]
    assert own.id != crowd.id
    assert own.severity is Severity.HIGH
    assert (own.n_alerts, left.n_alerts) == (3, 9)
    assert own.why[broke_in.id] == "opened this incident: severity high"
    assert "before it was more than one of many" in " ".join(own.why.values())
    assert len(left.by_source) == 9
    world.check()
    (later,) = world.take(hunter(3, 50, title="again"), minutes=50)
    assert later.incident_id == own.id


def test_alert_that_grows_beyond_a_little_leaves_the_swarm() -> None:
    world = World()
    alerts = [hunter(number, number) for number in range(10)]
    for one in alerts:
        world.take(one)
    (grown,) = world.take(replace(world.alerts[alerts[4].id], n_detections=LIGHT + 1), minutes=20)
    assert world.incidents[grown.incident_id or ""].n_alerts == 1
    world.check()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300), st.sampled_from([1, 5, 40]), st.booleans())))
def test_swarms_keep_each_alert_in_one_incident(deeds: list[tuple[int, int, int, bool]]) -> None:
    world = World()
    for number, minutes, n, is_grave in deeds:
        made = alert(minutes, address(f"203.0.113.{number}"), n=n, level=Level.HIGH if is_grave else MEDIUM)
        world.take(replace(world.alerts.get(made.id, made), n_detections=n), minutes=minutes)
        world.check()
    for incident in world.open():
        known = [key for ids in incident.by_source.values() for key in ids]
        assert len(known) == len(set(known))
        assert set(known) <= set(incident.n_by_alert)


def test_alerts_of_one_host_without_account_are_one_incident_within_the_hour() -> None:
    world = World()
    world.take(alert(0, WS, rule="r1"), alert(50, WS, rule="r2"))
    assert len(world.open()) == 1
    world.take(alert(200, WS, rule="r3"))
    assert len(world.open()) == 2


def test_alert_of_an_account_joins_what_goes_on_at_its_host_and_a_second_account_does_not() -> None:
    world = World()
    world.take(alert(0, WS, rule="cleared"))
    (one,) = world.take(alert(5, WS, user("corp\\bob"), rule="r1"))
    (same,) = world.take(alert(6, WS, user("bob"), rule="r2"))
    (other,) = world.take(alert(7, WS, user("eve"), rule="r3"))
    assert one.incident_id == same.incident_id
    assert other.incident_id != one.incident_id
    why = world.incidents[one.incident_id or ""].why[one.id]
    assert why == "same host, where no second account is at work, ws-07 within 60 minutes"


def test_host_on_which_many_accounts_are_at_work_ties_nothing() -> None:
    world = World()
    server = host("dc01")
    for number, name in enumerate(("ann", "bob", "eve")):
        world.take(alert(number, server, user(name), rule=name))
    assert len(world.open()) == 3
    shared = Entity(kind=EntityKind.HASH, value="ab" * 32)
    for number, name in enumerate(("ann", "bob", "eve")):
        world.take(alert(5 + number, server, user(name), shared, rule=f"{name}2", fields={"x": "ab" * 32}))
    assert len(world.open()) == 1
    (alone,) = world.take(alert(10, server, rule="cleared"))
    assert len(world.open()) == 2
    assert world.incidents[alone.incident_id or ""].n_alerts == 1


def test_alerts_of_one_session_or_process_tree_are_one_incident_whoever_they_name() -> None:
    for field in ("SubjectLogonId", "ProcessGuid"):
        world = World()
        world.take(alert(0, WS, user("bob"), rule="r1", event={field: "{0x5A1F2}"}))
        second = "ParentProcessGuid" if field == "ProcessGuid" else "LogonId"
        world.take(alert(5, WS, user("adm-bob"), rule="r2", event={second: "{0x5a1f2}"}))
        assert len(world.open()) == 1


def test_session_of_the_system_ties_nothing() -> None:
    for value in ("0x3e7", "-", "0x0"):
        assert not any(link.startswith("session") for link in links_of(alert(0, WS, event={"LogonId": value})))


def test_one_tool_that_names_itself_ties_addresses_and_merges_no_incidents() -> None:
    world = World()
    fields = {"cs-user-agent": "w3af.org"}
    for number in range(2):
        world.take(alert(number, address(f"203.0.113.{number}"), rule=f"r{number}"))
    assert len(world.open()) == 2
    world.take(alert(5, address("198.51.100.1"), fields=fields, rule="tool"))
    world.take(alert(6, address("198.51.100.2"), fields=fields, rule="tool"))
    assert len(world.open()) == 3


def test_file_dropped_and_run_by_another_account_is_one_incident() -> None:
    world = World()
    dropped = "C:\\Users\\bob\\Downloads\\x.exe"
    world.take(alert(0, WS, user("bob"), Entity(kind=EntityKind.FILE, value=dropped), rule="r1"))
    world.take(alert(5, WS, user("svc"), Entity(kind=EntityKind.PROCESS, value=dropped.lower()), rule="r2"))
    assert len(world.open()) == 1
    common = Entity(kind=EntityKind.PROCESS, value="C:\\Windows\\System32\\cmd.exe")
    assert not any(link.startswith("file") for link in links_of(alert(0, WS, common)))


def test_address_from_which_many_accounts_come_ties_no_further_account() -> None:
    world = World()
    proxy = address("10.0.0.5")
    for number in range(8):
        world.take(alert(number, proxy, user(f"user{number}"), rule=f"r{number}"))
    assert sorted(one.n_alerts for one in world.open()) == [1, 1, 1, 5]
    (again,) = world.take(alert(20, proxy, user("user2"), rule="again"))
    assert world.incidents[again.incident_id or ""].n_alerts == 6
    world.check()


def test_address_that_guesses_the_passwords_of_many_accounts_is_one_hand() -> None:
    world = World()
    for number in range(8):
        guess = alert(
            number, address("203.0.113.9"), user(f"user{number}"), rule=f"r{number}", tactics=("credential-access",)
        )
        world.take(guess)
    assert len(world.open()) == 1
