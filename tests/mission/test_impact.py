"""Incidents take something from missions, as a range, by stage and confidence; closed ones give it back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.mission.impact import Ground, Touch, assess_impact, forecast, ground_of, touches_of
from amagasa.mission.matching import Matcher
from amagasa.mission.model import Kind, Model, Node
from amagasa.mission.span import HEALTHY, Span, sure
from amagasa.mission.stages import health_after
from amagasa.vocab.attack import TACTICS
from tests.incident.samples import address, alert, host, user
from tests.mission.test_operability import CHAIN, models

SCADA = {"hosts": ("scada-*",), "addresses": ("10.20.0.0/16", "2001:db8::/32"), "accounts": ("svc-scada",)}


def ground(**repair: tuple[float, float]) -> Ground:
    nodes = tuple(
        replace(node, **SCADA, repair_h=repair.get("scada"))
        if node.name == "scada"
        else replace(node, sources=("ministry-*",))
        if node.name == "web"
        else node
        for node in CHAIN.nodes
    )
    return ground_of(replace(CHAIN, nodes=nodes))


def struck(
    *entities: Entity, incident: str = "incident--1", tactics: tuple[str, ...] = ("impact",), **more: object
) -> Alert:
    made = replace(alert(0, *entities), incident_id=incident, tactics=tactics, confidence=100)
    return replace(made, **more)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (host("scada-7"), ("scada",)),
        (host("scada-7.grid.example"), ("scada",)),
        (host("SCADA-7"), ("scada",)),
        (host("web-1"), ()),
        (address("10.20.3.4"), ("scada",)),
        (address("10.21.3.4"), ()),
        (address("2001:db8::7"), ("scada",)),
        (address("not an address"), ()),
        (user("svc-scada"), ("scada",)),
        (Entity(kind=EntityKind.DESTINATION_ADDRESS, value="10.20.0.1"), ("scada",)),
        (Entity(kind=EntityKind.FILE, value="scada-7"), ()),
    ],
)
def test_entity_belongs_to_the_asset_whose_pattern_it_fits(entity: Entity, expected: tuple[str, ...]) -> None:
    assert ground().matcher.assets_of([entity]) == expected


def test_alert_belongs_to_the_asset_of_its_source() -> None:
    assert ground().matcher.assets_of([], "ministry-web") == ("web",)


def test_matcher_remembers_no_more_than_its_limit() -> None:
    matcher = Matcher(Model(nodes=(Node(name="a", kind=Kind.ASSET, hosts=("x*",)),)))
    for number in range(50_000):
        matcher.assets_of([host(f"h{number}")])
    assert len(matcher._known) <= 20_000


def test_later_stage_and_more_confidence_cost_more() -> None:
    early, late = health_after(("discovery",), 90), health_after(("discovery", "impact"), 90)
    assert (late.worst, late.likely, late.best) < (early.worst, early.likely, early.best)
    doubtful = health_after(("impact",), 20)
    assert doubtful.likely > health_after(("impact",), 90).likely
    assert health_after(("impact",), 0) == HEALTHY


@given(tactics=st.lists(st.sampled_from([*TACTICS, "unheard-of"])), confidence=st.integers(-5, 130))
def test_health_is_a_range_within_bounds(tactics: list[str], confidence: int) -> None:
    health = health_after(tactics, confidence)
    assert 0 <= health.worst <= health.likely <= health.best <= 100


def test_incident_lowers_the_mission_above_what_it_touches_and_closing_it_restores_it() -> None:
    place = ground().network.number["mission"]
    touches = touches_of([struck(host("scada-7"))], ground().matcher)
    hit = assess_impact(touches, ground())
    assert hit.values[place] == Span(worst=35, likely=44, best=71)  # scada at 0, 10 and 40
    assert [(one.mission, one.loss) for one in hit.incidents[0].missions] == [
        ("mission", Span(worst=65, likely=56, best=29))
    ]
    assert assess_impact((), ground()).values[place] == HEALTHY


def test_incidents_are_ranked_by_what_each_alone_takes() -> None:
    alerts = [
        struck(host("scada-7"), incident="incident--grave"),
        struck(incident="incident--light", source="ministry-web", tactics=("reconnaissance",)),
    ]
    found = assess_impact(touches_of(alerts, ground().matcher), ground())
    assert [one.incident_id for one in found.incidents] == ["incident--grave", "incident--light"]


def test_two_incidents_on_one_asset_take_no_more_than_the_worse() -> None:
    one = touches_of([struck(host("scada-7"))], ground().matcher)
    two = touches_of([struck(host("scada-7")), struck(host("scada-7"), incident="incident--2")], ground().matcher)
    assert assess_impact(one, ground()).values == assess_impact(two, ground()).values


@settings(max_examples=60, deadline=None)
@given(model=models(), data=st.data())
def test_impact_is_a_range_and_more_touches_never_help(model: Model, data: st.DataObject) -> None:
    here = ground_of(model)
    names = st.sampled_from([node.name for node in model.nodes])
    touch = st.builds(
        lambda name, tactic, sureness, n: Touch(
            incident_id=f"i{n}", asset=name, health=health_after((tactic,), sureness)
        ),
        names,
        st.sampled_from(TACTICS),
        st.integers(0, 100),
        st.integers(0, 3),
    )
    few, more = data.draw(st.lists(touch, max_size=4)), data.draw(st.lists(touch, max_size=4))
    before, after = assess_impact(few, here), assess_impact([*few, *more], here)
    for one, other in zip(before.values, after.values, strict=True):
        assert one.worst <= one.likely <= one.best
        assert other.worst <= one.worst + 1e-5
        assert other.likely <= one.likely + 1e-5
        assert other.best <= one.best + 1e-5


@settings(max_examples=60, deadline=None)
@given(health=st.floats(0, 100))
def test_incident_alone_costs_what_a_whole_reckoning_says(health: float) -> None:
    here = ground()
    for asset in ("scada", "comms", "web"):
        touch = Touch(incident_id="i", asset=asset, health=sure(health))
        found = assess_impact([touch], here)
        place = here.network.number["mission"]
        lost = found.incidents[0].loss.likely
        assert lost == pytest.approx(100 - found.values[place].likely, abs=1e-4)


def test_what_an_ally_tells_counts_as_the_health_of_its_service() -> None:
    here = ground()
    told = Span(worst=0, likely=20, best=100)
    found = assess_impact((), here, heard={"comms": told})
    # comms -> base (.6, 40): at 0 it caps base at 40, at 20 at 60; at 100 nothing is lost.
    assert found.values[here.network.number["base"]] == Span(worst=40, likely=60, best=100)


def test_mission_comes_back_as_repairs_end_at_best_first() -> None:
    here = ground(scada=(4, 12))
    impact = assess_impact(touches_of([struck(host("scada-7"))], here.matcher), here)
    course = forecast(here, impact, assumed_h=(8, 72))
    assert [hour for hour, _ in course] == [0, 4, 8, 12]
    at_hour = {hour: missions["mission"] for hour, missions in course}
    assert at_hour[0] == Span(worst=35, likely=44, best=71)
    assert at_hour[4] == Span(worst=35, likely=44, best=100)
    assert at_hour[8] == Span(worst=35, likely=100, best=100)
    assert at_hour[12] == HEALTHY
