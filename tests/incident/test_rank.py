from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.incident.alert import Incident, Status
from amagasa.incident.group import group
from amagasa.incident.rank import rank
from amagasa.incident.score import score_of
from tests.incident.samples import NOW, address, alert

PLAIN = group([alert(0, address("203.0.113.9"))], [], now=NOW).incidents[0]


def test_rank_puts_impact_before_score_before_age() -> None:
    grave = replace(PLAIN, id="grave", assessed={"functional-impact": "denial-of-critical"})
    old = replace(PLAIN, id="old", created_at=NOW - timedelta(hours=2))
    new = replace(PLAIN, id="new", created_at=NOW - timedelta(hours=1))
    lossy = replace(PLAIN, id="lossy")
    ranked = rank([new, old, grave, lossy], {"lossy": 30}, now=NOW)
    assert [one.incident.id for one in ranked] == ["lossy", "grave", "old", "new"]
    assert [one.rank for one in ranked] == [1, 2, 3, 4]
    assert ranked[0].impact == 30
    assert ranked[2].waits_s == 7200


def test_rank_holds_open_incidents_alone() -> None:
    assert rank([replace(PLAIN, status=Status.CLOSED)], {}, now=NOW) == ()


@given(st.permutations([replace(PLAIN, id=str(n), created_at=NOW - timedelta(minutes=n % 3)) for n in range(7)]))
def test_rank_does_not_depend_on_the_order_handed_in(incidents: list[Incident]) -> None:
    assert rank(incidents, {"3": 5}, now=NOW) == rank(incidents[::-1], {"3": 5}, now=NOW)
    assert score_of(incidents[0]) == score_of(incidents[1])
