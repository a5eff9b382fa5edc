"""Missions over two nations: what an ally is told, what it can and cannot infer, and how it reckons with it."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.bearing import Bearing
from amagasa.app.boundary import REPEAT, STALE, Shown, object_of, service_id, shown_services
from amagasa.app.mission_views import ModelText
from amagasa.app.missions import Missions
from amagasa.app.pages import Page
from amagasa.app.permissions import NODE
from amagasa.app.ports import Bond, Direction, Store, StoredObject
from amagasa.app.sharing import release_changes
from amagasa.incident.alert import Status
from amagasa.incident.group import group
from amagasa.mission.model import Model
from amagasa.mission.operability import network_of, operability
from amagasa.mission.read import Text, read_model
from amagasa.mission.span import Span
from amagasa.share.admit import admit
from amagasa.vocab.tlp import Tlp
from tests.incident.samples import NOW, alert, host
from tests.share.samples import JAPAN, SECRET, STATES, agreement, clause

RADAR = """
[[service]]
name = "radar"
boundary = true
shown_step = 25
depends_on = [["secret-bunker", 0.9, 10]]
[[asset]]
name = "secret-bunker"
hosts = ["bunker-*"]
[[mission]]
name = "watch-the-sky"
depends_on = ["radar"]
"""
DEFENCE = """
[[service]]
name = "ally-radar"
ally = "japan"
ally_service = "radar"
[[mission]]
name = "missile-defence"
depends_on = [["ally-radar", 1.0, 0]]
"""


class Book:
    """Agreements that can be exchanged."""

    def __init__(self, ally: Any, *clauses: Any) -> None:
        self.held = (Bond(agreement=agreement(*clauses), ally=ally),)

    def bonds(self) -> tuple[Bond, ...]:
        return self.held


SERVICES = clause(id="services-out", objects=("infrastructure",))


class Side:
    """A node's store with its missions."""

    def __init__(self, folder: Path, party: Any, book: Book, text: str) -> None:
        self.store: Store = open_store(folder / f"{party.name}.sqlite")
        self.missions = Missions(self.store, book)
        self.missions.save(NODE, [ModelText(path="m.toml", content=text)], version=None, now=NOW)
        self.bearing = Bearing(
            self.store,
            self.missions,
            lambda tx, objects, now: release_changes(tx, objects, book=book, now=now, secret=SECRET),
            party=party,
            marking=Tlp.AMBER,
        )

    def strike(self, name: str = "bunker-1") -> str:
        raised = replace(alert(0, host(name)), tactics=("impact",), confidence=100)
        grouped = group([raised], [], now=NOW)
        with self.store.write() as tx:
            tx.save_incidents(grouped.incidents)
            tx.save_alerts(grouped.alerts)
        return grouped.incidents[0].id

    def close_incident(self, incident_id: str) -> None:
        with self.store.write() as tx:
            (incident,) = tx.incidents_by_id([incident_id])
            closed_at = incident.updated_at + timedelta(minutes=1)
            tx.save_incidents([replace(incident, status=Status.CLOSED, updated_at=closed_at)])

    def sent(self) -> list[dict[str, Any]]:
        with self.store.read() as reading:
            crossings, _ = reading.crossings(Page(limit=100), direction=Direction.OUT)
        return [json.loads(one.content) for one in reversed(crossings) if one.content]

    def take(self, obj: dict[str, Any], now: datetime) -> None:
        admission = admit([obj], JAPAN, agreement(SERVICES), now=now)
        (admitted,) = admission.admitted
        body = json.dumps(admitted.object).encode()
        with self.store.write() as tx:
            tx.save_object(
                StoredObject(
                    id=obj["id"], version=obj["modified"], type=obj["type"], origin=JAPAN.id, body=body, added_at=now
                )
            )

    def mission(self, name: str, now: datetime) -> Span:
        with self.store.read() as reading:
            reckoned = self.missions.reckon(reading, now=now)
        assert reckoned is not None
        return reckoned.impact.values[reckoned.ground.network.number[name]]


@pytest.fixture
def japan(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path, JAPAN, Book(STATES, SERVICES), RADAR)
    yield side
    side.store.close()


@pytest.fixture
def states(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path, STATES, Book(JAPAN, SERVICES), DEFENCE)
    yield side
    side.store.close()


def figure(obj: dict[str, Any]) -> Any:
    (facts,) = obj["extensions"].values()
    return facts["operability"]


def test_ally_reckons_its_mission_with_what_it_is_told(japan: Side, states: Side) -> None:
    assert states.mission("missile-defence", NOW) == Span(worst=0, likely=100, best=100)  # nothing heard yet
    japan.bearing.bear(now=NOW)
    states.take(japan.sent()[-1], NOW)
    assert states.mission("missile-defence", NOW) == Span(worst=100, likely=100, best=100)
    incident_id = japan.strike()
    japan.bearing.bear(now=NOW + timedelta(seconds=20))
    told = japan.sent()[-1]
    assert figure(told) == 0  # the bunker at 10 leaves the radar at 19, which is shown as 0 to 25
    states.take(told, NOW + timedelta(seconds=21))
    assert states.mission("missile-defence", NOW) == Span(worst=0, likely=12.5, best=25)
    japan.close_incident(incident_id)
    japan.bearing.bear(now=NOW + timedelta(seconds=60))
    states.take(japan.sent()[-1], NOW + timedelta(seconds=61))
    assert states.mission("missile-defence", NOW) == Span(worst=100, likely=100, best=100)


def test_what_leaves_names_the_service_and_nothing_of_the_inner_map(japan: Side) -> None:
    japan.strike()
    japan.bearing.bear(now=NOW)
    (told,) = japan.sent()
    (facts,) = told.pop("extensions").values()
    assert set(facts) == {"extension_type", "operability", "operability_step"}
    assert set(told) - {"type", "spec_version", "id", "created_by_ref", "created", "modified"} == {
        "object_marking_refs",
        "name",
    }
    text = json.dumps([told, facts])
    assert all(word not in text for word in ("bunker", "watch-the-sky", "0.9", "m.toml"))


def test_nothing_leaves_without_a_clause_for_it(tmp_path: Path) -> None:
    side = Side(tmp_path, JAPAN, Book(STATES, clause()), RADAR)
    side.bearing.bear(now=NOW)
    assert side.sent() == []
    side.store.close()


def test_service_within_its_step_is_told_once_and_again_after_hours(japan: Side) -> None:
    japan.bearing.bear(now=NOW)
    first = japan.sent()
    japan.bearing.bear(now=NOW + timedelta(minutes=1))
    assert japan.sent() == first
    japan.bearing.bear(now=NOW + REPEAT)
    assert japan.sent()[-1]["modified"] > first[-1]["modified"]


def test_service_that_is_shown_no_longer_is_taken_back(japan: Side, states: Side) -> None:
    japan.bearing.bear(now=NOW)
    states.take(japan.sent()[-1], NOW)
    hidden = RADAR.replace("boundary = true", "")
    japan.missions.save(NODE, [ModelText(path="m.toml", content=hidden)], version=None, now=NOW)
    later = NOW + timedelta(minutes=5)
    japan.bearing.bear(now=later)
    assert japan.sent()[-1]["revoked"] is True
    states.take(japan.sent()[-1], later)
    assert states.mission("missile-defence", later).worst == 0


def test_silence_of_an_ally_is_no_good_news(japan: Side, states: Side) -> None:
    japan.bearing.bear(now=NOW)
    states.take(japan.sent()[-1], NOW)
    assert states.mission("missile-defence", NOW + STALE + timedelta(minutes=1)).worst == 0


@pytest.mark.parametrize(
    "facts", [{"operability": 101}, {"operability": "90"}, {"operability": -1}, {"operability": True}, {}]
)
def test_figure_that_is_none_counts_as_not_heard(japan: Side, states: Side, facts: dict[str, Any]) -> None:
    japan.bearing.bear(now=NOW)
    told = japan.sent()[-1]
    (key,) = told["extensions"]
    told["extensions"][key] = {"extension_type": "property-extension", **facts}
    states.take(told, NOW)
    assert states.mission("missile-defence", NOW) == Span(worst=0, likely=100, best=100)


def test_another_party_cannot_speak_for_the_ally(japan: Side, states: Side) -> None:
    japan.bearing.bear(now=NOW)
    body = json.dumps(japan.sent()[-1]).encode()
    with states.store.write() as tx:
        tx.save_object(
            StoredObject(
                id=service_id(JAPAN.id, "radar"),
                version="2026-11-23T00:00:00.000Z",
                type="infrastructure",
                origin="identity--3d2e6b40-8f20-4d3e-8c8c-4f7c3c9ebd03",
                body=body,
                added_at=NOW,
            )
        )
    assert states.mission("missile-defence", NOW).worst == 0


def test_queue_is_ordered_by_what_each_incident_takes_and_by_nothing_once_closed(japan: Side) -> None:
    elsewhere, bunker = japan.strike("printer-1"), japan.strike()
    assert japan.bearing.bear(now=NOW).is_reordered
    with japan.store.read() as reading:
        rows = [(incident.id, impact) for incident, impact, _ in reading.cases.queue(limit=10)]
    assert rows == [(bunker, 81), (elsewhere, 0)]
    assert not japan.bearing.bear(now=NOW).is_reordered
    japan.close_incident(bunker)
    assert japan.bearing.bear(now=NOW).is_reordered


# The inference attempt. What leaves is all an ally has: were two maps told alike where their boundary stands alike in
# steps, and never otherwise, then it learns the step and nothing else.


def inner(kind: int, health: float) -> tuple[Model, dict[str, float]]:
    """Maps behind one service that have nothing in common but its name: a chain, a fan, one thing."""
    if kind == 0:
        needs = '[["a", 1.0, 0]]\n[[asset]]\nname = "a"\ndepends_on = [["b", 1.0, 0]]\n[[asset]]\nname = "b"'
    elif kind == 1:
        needs = '[["x", 1.0, 100], ["y", 1.0, 100]]\n[[asset]]\nname = "x"\n[[asset]]\nname = "y"'
    else:
        needs = '["only"]\n[[asset]]\nname = "only"'
    text = f'[[service]]\nname = "radar"\nboundary = true\nshown_step = 10\ndepends_on = {needs}\n'
    model = read_model([Text(path="m.toml", content=text.encode())]).model
    assert model is not None
    network = network_of(model)
    own = [health if node.kind == "asset" else 100.0 for node in model.nodes]
    return model, dict(zip(network.names, operability(network, own).values, strict=True))


@settings(max_examples=100, deadline=None)
@given(first=st.integers(0, 2), second=st.integers(0, 2), course=st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_ally_cannot_tell_two_maps_apart_that_stand_alike_at_the_boundary(
    first: int, second: int, course: list[float]
) -> None:
    def heard(kind: int) -> list[dict[str, Any]]:
        told = []
        for minute, health in enumerate(course):
            (shown,) = shown_services(*inner(kind, health))
            told.append(object_of(shown, party=JAPAN, marking=Tlp.AMBER, now=NOW + timedelta(minutes=minute)))
        return told

    assert heard(first) == heard(second)


@given(operability=st.floats(0, 100), step=st.integers(1, 100))
def test_ally_learns_the_step_and_not_where_in_it(operability: float, step: int) -> None:
    model = read_model(
        [Text(path="m.toml", content=f'service = [{{ name = "s", boundary = true, shown_step = {step} }}]'.encode())]
    ).model
    assert model is not None
    (shown,) = shown_services(model, {"s": operability})
    assert shown.operability % step == 0
    assert shown.operability <= operability + 1e-6
    assert operability < shown.operability + step + 1e-6
    # Whatever else lies in this step gives the same bytes.
    (other,) = shown_services(model, {"s": min(100.0, shown.operability + step / 2)})
    assert other == shown or shown.operability + step / 2 > 100 or other.operability == 100


def test_ally_can_see_that_two_services_fall_together() -> None:
    """The honest half: docs/missions.md says that timing and common falls can be seen, and what to do about it."""
    text = (
        '[[asset]]\nname = "shared"\n[[service]]\nname = "a"\nboundary = true\ndepends_on = ["shared"]\n'
        '[[service]]\nname = "b"\nboundary = true\ndepends_on = ["shared"]\n'
    )
    model = read_model([Text(path="m.toml", content=text.encode())]).model
    assert model is not None
    network = network_of(model)
    values = operability(network, [0.0, 100.0, 100.0]).values
    shown = shown_services(model, dict(zip(network.names, values, strict=True)))
    assert shown == (Shown(name="a", operability=0, step=10), Shown(name="b", operability=0, step=10))
