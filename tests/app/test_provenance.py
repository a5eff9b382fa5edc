"""Three parties: what Japan learnt from the one leaves for the other only where both clauses say so."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.app.ports import Crossing, CrossingState, Direction, Store
from amagasa.app.provenance import mix
from amagasa.app.receiving import receive
from amagasa.app.telling import Telling
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.share.agreement import Agreement, Party
from amagasa.share.terms import Handling, Role
from amagasa.vocab.ids import stable_id
from amagasa.vocab.severity import Severity
from amagasa.vocab.tlp import Tlp
from tests.entry.link_papers import NOW, make_agreement, make_papers, make_party
from tests.entry.link_world import SECRET, Node

TYPES = ("indicator", "sighting", "incident", "attack-pattern")
ITEM = stable_id("indicator", "from the states")


@pytest.fixture
def japan(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path, "japan", "JP", Role.SUPPORTED)
    yield node
    node.store.close()


@pytest.fixture(scope="module")
def allies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Party, Party]:
    folder = tmp_path_factory.mktemp("papers")
    made = [
        make_party(name, country, Role.SUPPORTING, make_papers(folder / name, name))
        for name, country in (("states", "US"), ("australia", "AU"))
    ]
    return made[0], made[1]


def between(node: Node, ally: Party, *, onward: tuple[str, ...] = (), behalf: tuple[str, ...] = ()) -> Agreement:
    made = make_agreement(node.party, ally)
    ours, theirs = made.clauses
    ours = replace(ours, objects=TYPES, behalf=behalf)
    return replace(made, clauses=(ours, replace(theirs, objects=TYPES, handling=Handling(onward=onward))))


def received(store: Store, ally: Party, agreement: Agreement) -> None:
    with store.write() as tx:
        tx.add_crossing(
            Crossing(
                ally=ally.id,
                agreement=agreement.id,
                direction=Direction.IN,
                state=CrossingState.ADMITTED,
                object_id=ITEM,
                object_type="indicator",
                version="1",
                clause="2",
                created_at=NOW,
            )
        )


def alert(number: int, *, origin: str = "", incident: str | None = None) -> Alert:
    return Alert(
        id=stable_id("x-alert", str(number)),
        key=str(number),
        title=f"Detection {number}",
        severity=Severity.HIGH,
        confidence=80,
        content_id=ITEM if origin else "rule",
        is_indicator=bool(origin),
        origin=origin,
        source="log",
        first_seen_at=NOW,
        last_seen_at=NOW,
        created_at=NOW,
        updated_at=NOW,
        n_detections=1,
        techniques=("T1110",),
        tactics=("credential-access",),
        entities=(),
        examples=(),
        incident_id=incident,
    )


def incident(name: str, *, merged_into: str | None = None, seconds: int = 0) -> Incident:
    return Incident(
        id=stable_id("incident", name),
        title="Incident",
        status=Status.OPEN,
        severity=Severity.HIGH,
        created_at=NOW,
        updated_at=NOW + timedelta(seconds=seconds),
        first_seen_at=NOW,
        last_seen_at=NOW,
        n_alerts=1,
        n_detections=1,
        techniques=("T1110",),
        tactics=("credential-access",),
        entities=(),
        why={},
        merged_into=merged_into,
    )


def telling(node: Node) -> Telling:
    return Telling(
        store=node.store,
        signals=node.signals,
        party=node.party,
        book=node.book,
        secret=SECRET,
        marking=Tlp.GREEN,
        min_severity=Severity.LOW,
    )


def tell(node: Node, alerts: list[Alert], incidents: list[Incident], *, seconds: int = 0) -> list[Crossing]:
    with node.store.write() as tx:
        return list(telling(node).tell(tx, alerts, incidents, NOW + timedelta(seconds=seconds)))


def left_for(crossings: list[Crossing], ally: Party) -> list[str]:
    return [one.object_type for one in crossings if one.ally == ally.id and one.state is CrossingState.PENDING]


def test_sighting_of_an_allys_indicator_goes_back_to_it_and_to_nobody_else(
    japan: Node, allies: tuple[Party, Party]
) -> None:
    states, australia = allies
    japan.agreements[:] = [between(japan, states), between(japan, australia)]
    received(japan.store, states, japan.agreements[0])
    made = tell(japan, [alert(1, origin=states.id)], [])
    assert left_for(made, states) == ["sighting"]
    assert left_for(made, australia) == []
    assert ["AMG-SHARE-LEARNT" in one.why for one in made if one.ally == australia.id] == [True]


@pytest.mark.parametrize(("onward", "behalf"), [(False, True), (True, False), (False, False), (True, True)])
def test_it_goes_on_only_where_both_clauses_say_so(
    japan: Node, allies: tuple[Party, Party], onward: object, behalf: object
) -> None:
    states, australia = allies
    japan.agreements[:] = [
        between(japan, states, onward=(australia.id,) if onward else ()),
        between(japan, australia, behalf=(states.id,) if behalf else ()),
    ]
    received(japan.store, states, japan.agreements[0])
    made = tell(japan, [alert(1, origin=states.id)], [])
    assert left_for(made, australia) == (["sighting"] if onward and behalf else [])


@pytest.mark.parametrize("behalf", [False, True])
def test_object_that_its_giver_lets_go_on_is_put_before_the_other_agreement(
    japan: Node, allies: tuple[Party, Party], behalf: object
) -> None:
    states, australia = allies
    japan.agreements[:] = [
        between(japan, states, onward=(australia.id,)),
        between(japan, australia, behalf=(states.id,) if behalf else ()),
    ]
    obj = japan.indicator(7, id=ITEM, created_by_ref=states.id)
    got = receive(
        japan.store, japan.signals, states.id, [obj], book=japan.book, now=NOW, pass_on=telling(japan).pass_on
    )
    assert [one.object_id for one in got.taken] == [ITEM]
    out = japan.crossings(Direction.OUT)
    assert [(one.ally, one.object_id, one.state is CrossingState.PENDING) for one in out] == [
        (australia.id, ITEM, bool(behalf))
    ]


def test_object_that_its_giver_keeps_between_the_two_is_put_before_nobody(
    japan: Node, allies: tuple[Party, Party]
) -> None:
    states, australia = allies
    japan.agreements[:] = [between(japan, states), between(japan, australia, behalf=(states.id,))]
    obj = japan.indicator(7, id=ITEM, created_by_ref=states.id)
    receive(japan.store, japan.signals, states.id, [obj], book=japan.book, now=NOW, pass_on=telling(japan).pass_on)
    assert japan.crossings(Direction.OUT) == []


def test_incident_keeps_what_it_was_ever_made_from_also_when_it_joins_another(
    japan: Node, allies: tuple[Party, Party]
) -> None:
    states, australia = allies
    japan.agreements[:] = [between(japan, states), between(japan, australia)]
    first, second = incident("first"), incident("second")
    assert left_for(tell(japan, [alert(1, incident=second.id)], [second]), australia)[-1] == "incident"
    tell(japan, [alert(2, origin=states.id, incident=first.id)], [first])
    joined = replace(first, merged_into=second.id, updated_at=NOW + timedelta(seconds=60))
    grown = incident("second", seconds=60)
    made = tell(japan, [], [joined, grown], seconds=60)
    assert left_for(made, australia) == []
    assert [one.object_type for one in made if one.ally == australia.id and "AMG-SHARE-LEARNT" in one.why]


def test_what_a_person_moves_to_another_incident_carries_its_taint(japan: Node, allies: tuple[Party, Party]) -> None:
    states, australia = allies
    japan.agreements[:] = [between(japan, states), between(japan, australia)]
    first, second = incident("first"), incident("second")
    tell(japan, [alert(1, origin=states.id, incident=first.id), alert(2, incident=second.id)], [first, second])
    with japan.store.write() as tx:
        mix(tx, [first.id, second.id])
    made = tell(japan, [], [incident("second", seconds=60)], seconds=60)
    assert left_for(made, australia) == []


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["ours", "states"]), st.booleans()), min_size=1, max_size=12
    )
)
def test_nothing_derived_from_one_ally_reaches_the_other(
    tmp_path_factory: pytest.TempPathFactory, allies: tuple[Party, Party], rows: list[tuple[int, str, bool]]
) -> None:
    states, australia = allies
    node = Node(tmp_path_factory.mktemp("japan"), "japan", "JP", Role.SUPPORTED)
    try:
        node.agreements[:] = [between(node, states), between(node, australia)]
        tainted: set[str] = set()
        home = {number: incident(f"i{number}").id for number in range(4)}
        for number, (place, who, is_joined) in enumerate(rows):
            origin = states.id if who == "states" else ""
            merged = [incident(f"i{(place + 1) % 4}", merged_into=home[place], seconds=number)] if is_joined else []
            if origin or (merged and merged[0].id in tainted):
                tainted.add(home[place])
            grown = incident(f"i{place}", seconds=number)
            made = tell(node, [alert(number, origin=origin, incident=home[place])], [*merged, grown], seconds=number)
            told = [one for one in made if one.ally == australia.id and one.content]
            assert not {one.object_id for one in told} & tainted
            assert not any(ITEM in json.dumps(json.loads(one.content)) for one in told)
    finally:
        node.store.close()
