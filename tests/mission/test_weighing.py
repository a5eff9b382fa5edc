"""What hurts most, what to restore first, and the way of a loss."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.mission.model import Dependency, Kind, Model, Node
from amagasa.mission.operability import Method, network_of
from amagasa.mission.saying import sentence_of
from amagasa.mission.weighing import Standing, hurting, restore_order, stand, way_of_loss
from tests.mission.test_operability import CHAIN, models


def standing(model: Model, given: dict[str, float], method: Method = Method.FDNA) -> Standing:
    return stand(model, network_of(model), given, method=method)


def test_asset_that_hurts_most_is_named_with_the_mission_it_hurts() -> None:
    found = hurting(standing(CHAIN, {}))
    assert [(one.name, one.loss) for one in found[:2]] == [("base", 95.0), ("grid", 75.0)]
    assert {one.worst for one in found} == {"mission"}


@settings(max_examples=60, deadline=None)
@given(model=models(), method=st.sampled_from(list(Method)), data=st.data())
def test_hurting_is_what_failing_each_by_hand_gives(model: Model, method: Method, data: st.DataObject) -> None:
    goal = Node(name="goal", kind=Kind.MISSION, weight=2)
    feeders = data.draw(st.lists(st.sampled_from(model.nodes), unique=True, min_size=1))
    whole = Model(
        nodes=(*model.nodes, goal),
        dependencies=(
            *model.dependencies,
            *(Dependency(feeder=one.name, receiver="goal", strength=0.7) for one in feeders),
        ),
    )
    now = standing(whole, {}, method)
    for one in hurting(now):
        by_hand = standing(whole, {one.name: 0.0}, method)
        # In SODA healthy feeders carry a node whose own health is gone; here the node itself fails.
        if method is not Method.SODA or not now.network.feeds[now.network.number[one.name]]:
            assert one.loss == pytest.approx(2 * (now.value("goal") - by_hand.value("goal")), abs=1e-4)


def test_way_of_loss_goes_down_what_binds_to_where_it_begins() -> None:
    steps = way_of_loss(standing(CHAIN, {"scada": 0}), "mission")
    assert [(step.name, step.bound_by) for step in steps] == [
        ("mission", "criticality"),
        ("base", "criticality"),
        ("grid", "criticality"),
        ("scada", "own"),
    ]
    assert sentence_of(steps) == "at most 5 above base (30)"
    assert way_of_loss(standing(CHAIN, {}), "mission") == ()


def test_way_of_loss_in_a_ring_ends() -> None:
    ring = Model(
        nodes=tuple(Node(name=name, kind=Kind.SERVICE) for name in "abc"),
        dependencies=(
            Dependency(feeder="a", receiver="b"),
            Dependency(feeder="b", receiver="a"),
            Dependency(feeder="c", receiver="a"),
        ),
    )
    assert [step.name for step in way_of_loss(standing(ring, {"c": 10}), "b")][:2] == ["b", "a"]


def test_restore_order_takes_what_gains_most_an_hour_first() -> None:
    slow = Node(name="slow", kind=Kind.ASSET, repair_h=(40, 60))
    quick = Node(name="quick", kind=Kind.ASSET, repair_h=(1, 1))
    goal = Node(name="goal", kind=Kind.MISSION)
    model = Model(
        nodes=(slow, quick, goal),
        dependencies=(
            Dependency(feeder="slow", receiver="goal", strength=0.9, criticality=100),
            Dependency(feeder="quick", receiver="goal", strength=0.3, criticality=100),
        ),
    )
    steps = restore_order(standing(model, {"slow": 0, "quick": 0}))
    assert [(one.name, one.gain, one.is_estimated) for one in steps] == [("quick", 15.0, False), ("slow", 45.0, False)]


def test_restore_order_sees_through_a_pair_that_binds_together() -> None:
    nodes = [Node(name=name, kind=Kind.ASSET) for name in ("a", "b", "idle")]
    model = Model(
        nodes=(*nodes, Node(name="goal", kind=Kind.MISSION)),
        dependencies=(Dependency(feeder="a", receiver="goal"), Dependency(feeder="b", receiver="goal")),
    )
    steps = restore_order(standing(model, {"a": 0, "b": 0, "idle": 99}))
    assert {one.name for one in steps[:2]} == {"a", "b"}
    assert sum(one.gain for one in steps) == 100
    assert steps[0].is_estimated


def test_restoring_everything_in_order_gains_the_whole_loss() -> None:
    draw = random.Random(7)
    health = {name: float(draw.randrange(100)) for name in ("scada", "comms", "web", "grid")}
    damaged = standing(CHAIN, health)
    assert sum(one.gain for one in restore_order(damaged)) == pytest.approx(100 - damaged.value("mission"), abs=1e-4)
