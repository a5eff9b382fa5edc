"""Operability: the published vectors, and what must hold of any model."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.mission.model import Cycles, Dependency, Kind, Model, Node
from amagasa.mission.operability import Method, Network, network_of, operability, own_of

METHODS = list(Method)


def model_of(*edges: tuple[str, str, float, float], mission: str = "mission") -> Model:
    names = dict.fromkeys(name for edge in edges for name in edge[:2])
    return Model(
        nodes=tuple(Node(name=name, kind=Kind.MISSION if name == mission else Kind.ASSET) for name in names),
        dependencies=tuple(
            Dependency(feeder=feeder, receiver=receiver, strength=strength, criticality=criticality)
            for feeder, receiver, strength, criticality in edges
        ),
    )


def solved(model: Model, given: dict[str, float], method: Method = Method.FDNA) -> dict[str, float]:
    network = network_of(model)
    values = operability(network, own_of(model, given), method).values
    return dict(zip(network.names, values, strict=True))


CHAIN = model_of(
    ("scada", "grid", 0.9, 10),
    ("grid", "base", 0.8, 20),
    ("comms", "base", 0.6, 40),
    ("base", "mission", 0.9, 5),
    ("web", "mission", 0.2, 90),
)


@pytest.mark.parametrize(("feeder", "expected"), [(0, 10), (50, 55), (100, 100)])
@pytest.mark.parametrize("method", [Method.FDNA, Method.SODA])
def test_one_feeder_gives_the_published_figures(feeder: float, expected: float, method: Method) -> None:
    assert solved(model_of(("a", "b", 0.9, 10)), {"a": feeder}, method)["b"] == expected


def test_two_feeders_give_their_mean_under_the_lowest_cap() -> None:
    assert solved(model_of(("a", "c", 0.5, 30), ("b", "c", 0.9, 20)), {"a": 80, "b": 60})["c"] == 77


def test_chain_from_scada_to_mission_gives_the_published_figures() -> None:
    values = solved(CHAIN, {"scada": 0})
    assert (values["grid"], values["base"], values["mission"]) == (10, 30, 35)


def test_weakest_link_hands_the_lowest_on() -> None:
    values = solved(CHAIN, {"comms": 40}, Method.WEAKEST)
    assert values == {"scada": 100, "grid": 100, "base": 40, "comms": 40, "mission": 40, "web": 100}


@pytest.mark.parametrize("method", METHODS)
def test_all_in_health_is_all_in_health(method: Method) -> None:
    assert set(solved(CHAIN, {}, method).values()) == {100}


def test_own_health_caps_fdna_and_is_carried_by_feeders_in_soda() -> None:
    model = model_of(("a", "b", 0.9, 10))
    assert solved(model, {"b": 40}, Method.FDNA)["b"] == 40
    assert solved(model, {"b": 40}, Method.SODA)["b"] == 94  # .9 * 100 + .1 * 40


@st.composite
def models(draw: st.DrawFn) -> Model:
    n = draw(st.integers(2, 9))
    is_ringed = draw(st.booleans())
    pairs = [(a, b) for a in range(n) for b in range(n) if (a != b if is_ringed else a < b)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=2 * n))
    return Model(
        cycles=Cycles.SOLVE,
        nodes=tuple(Node(name=f"n{place}", kind=Kind.ASSET) for place in range(n)),
        dependencies=tuple(
            Dependency(
                feeder=f"n{a}",
                receiver=f"n{b}",
                strength=draw(st.floats(0, 0.98)),
                criticality=draw(st.floats(0, 100)),
            )
            for a, b in chosen
        ),
    )


def health_of(data: st.DataObject, model: Model) -> list[float]:
    n = len(model.nodes)
    return data.draw(st.lists(st.floats(0, 100), min_size=n, max_size=n))


@settings(max_examples=150, deadline=None)
@given(model=models(), data=st.data(), method=st.sampled_from(METHODS))
def test_operability_stays_in_bounds_and_settles(model: Model, data: st.DataObject, method: Method) -> None:
    found = operability(network_of(model), health_of(data, model), method)
    assert found.is_settled
    assert all(0 <= value <= 100 for value in found.values)


@settings(max_examples=150, deadline=None)
@given(model=models(), data=st.data(), method=st.sampled_from(METHODS))
def test_operability_never_falls_when_a_health_rises(model: Model, data: st.DataObject, method: Method) -> None:
    network = network_of(model)
    low, other = health_of(data, model), health_of(data, model)
    high = [max(a, b) for a, b in zip(low, other, strict=True)]
    below, above = operability(network, low, method).values, operability(network, high, method).values
    assert all(b <= a + 2e-6 for b, a in zip(below, above, strict=True))


@settings(max_examples=150, deadline=None)
@given(model=models(), data=st.data(), method=st.sampled_from(METHODS), seed=st.integers(0, 2**32))
def test_operability_does_not_depend_on_the_order_of_the_file(
    model: Model, data: st.DataObject, method: Method, seed: int
) -> None:
    health = dict(zip((node.name for node in model.nodes), health_of(data, model), strict=True))
    shuffle = random.Random(seed)
    nodes, dependencies = list(model.nodes), list(model.dependencies)
    shuffle.shuffle(nodes)
    shuffle.shuffle(dependencies)
    other = replace(model, nodes=tuple(nodes), dependencies=tuple(dependencies))
    mine, theirs = solved(model, health, method), solved(other, health, method)
    assert mine == pytest.approx(theirs, abs=2e-6)


def test_mutual_dependency_holds_itself_up_and_falls_with_either() -> None:
    ring = replace(model_of(("grid", "telecom", 0.5, 20), ("telecom", "grid", 0.5, 20)), cycles=Cycles.SOLVE)
    assert solved(ring, {}) == {"grid": 100, "telecom": 100}
    assert solved(ring, {"telecom": 0}) == {"grid": 20, "telecom": 0}


def test_ring_that_sinks_for_ever_is_said_not_to_have_settled() -> None:
    # Each of 400 rests on all others and on one that failed: a step of a 400th part at a time.
    names = [f"n{place}" for place in range(60)]
    edges = [(a, b, 1.0, 100.0) for a in names for b in names if a != b]
    model = replace(model_of(*edges, ("failed", "n0", 0.0001, 100.0)), cycles=Cycles.SOLVE)
    network = network_of(model)
    found = operability(network, own_of(model, {"failed": 0}))
    assert not found.is_settled
    assert max(found.values) <= 100


def test_network_puts_each_node_after_its_feeders() -> None:
    network: Network = network_of(CHAIN)
    rank = {place: at for at, place in enumerate(network.order)}
    assert all(rank[feed[0]] < rank[place] for place, feeds in enumerate(network.feeds) for feed in feeds)
    assert network.n_plain == len(network.names)
