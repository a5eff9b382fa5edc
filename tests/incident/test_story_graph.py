from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.fold import fold
from amagasa.incident.graph import MAX_OF_A_KIND, graph_of
from amagasa.incident.story import story_of
from tests.incident.samples import DETECTIONS, NOW, address, alert, host, user

BOB, WS = user("bob"), host("ws-07")


def test_story_follows_the_matrix_then_time_and_names_the_evidence() -> None:
    theft = alert(5, BOB, WS, rule="theft", tactics=("credential-access",))
    entry = alert(0, address("203.0.113.9"), WS, rule="entry", tactics=("initial-access", "execution"))
    untold = alert(1, WS, rule="odd", tactics=())
    steps = story_of([theft, untold, entry])
    assert [(one.tactic, one.title) for one in steps] == [
        ("initial-access", "Rule entry"),
        ("credential-access", "Rule theft"),
        ("", "Rule odd"),
    ]
    assert (steps[0].who, steps[0].what) == (("203.0.113.9",), ("ws-07",))
    assert steps[0].evidence[0].record == entry.examples[0].record
    assert steps[1].alerts == (theft.id,)


def test_story_of_a_swarm_is_one_step_with_its_numbers() -> None:
    steps = story_of(alert(n, address(f"203.0.113.{n}"), n=2) for n in range(40))
    (step,) = steps
    assert (step.n_alerts, step.n_detections, step.n_who, len(step.who), len(step.evidence)) == (40, 80, 40, 5, 3)


def test_graph_says_who_touched_what() -> None:
    tool = Entity(kind=EntityKind.PROCESS, value="C:\\Temp\\x.exe")
    graph = graph_of([alert(0, address("203.0.113.9"), WS), alert(1, BOB, WS, tool, n=3, rule="theft")])
    values = {node.id: node.value for node in graph.nodes}
    edges = {(values[one.source], values[one.target]): one for one in graph.edges}
    assert set(edges) == {("203.0.113.9", "ws-07"), ("bob", "ws-07"), ("bob", "C:\\Temp\\x.exe")}
    assert (edges["bob", "ws-07"].n_detections, edges["bob", "ws-07"].titles) == (3, ("Rule theft",))


def test_graph_of_a_swarm_folds_what_nobody_can_look_at() -> None:
    graph = graph_of(alert(n, address(f"198.51.100.{n}"), WS) for n in range(100))
    (more,) = [node for node in graph.nodes if node.n_more]
    assert (more.n_more, len(graph.nodes)) == (100 - MAX_OF_A_KIND, MAX_OF_A_KIND + 2)


@given(st.lists(DETECTIONS, max_size=25), st.randoms(use_true_random=False))
def test_story_and_graph_tell_every_alert_and_name_nodes_that_are_there(
    detections: list[Detection], random: object
) -> None:
    alerts = list(fold(detections, [], source="web", now=NOW))
    story = story_of(alerts)
    assert sum(step.n_alerts for step in story) == len(alerts)
    graph = graph_of(alerts)
    ids = {node.id for node in graph.nodes}
    assert all({edge.source, edge.target} <= ids for edge in graph.edges)
    random.shuffle(alerts)  # type: ignore[attr-defined]
    assert story_of(alerts) == story
    assert graph_of(alerts) == graph
