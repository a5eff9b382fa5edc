from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from amagasa.incident.alert import Status
from amagasa.incident.group import group
from amagasa.incident.rank import rank
from amagasa.vocab.severity import Severity
from tests.incident.samples import NOW, address, alert

PLAIN = replace(group([alert(0, address("203.0.113.9"))], [], now=NOW).incidents[0], last_seen_at=NOW)


def test_rank_puts_severity_before_everything_else() -> None:
    broad = replace(PLAIN, id="a", severity=Severity.MEDIUM, tactics=("a", "b", "c", "d", "e"), n_alerts=99)
    old = replace(PLAIN, id="b", severity=Severity.HIGH, tactics=(), last_seen_at=NOW - timedelta(days=9))
    assert [one.incident.id for one in rank([broad, old], now=NOW)] == ["b", "a"]


def test_rank_of_equal_severity_puts_the_broader_and_fresher_first() -> None:
    stale = replace(PLAIN, id="a", last_seen_at=NOW - timedelta(hours=2))
    broad = replace(PLAIN, id="b", tactics=("execution", "impact", "discovery"), n_alerts=3)
    ranked = rank([stale, PLAIN, broad], now=NOW)
    assert [one.incident.id for one in ranked] == ["b", PLAIN.id, "a"]
    assert ranked[0].why == ("severity high", "3 tactics", "3 alerts", "seen within the last hour")


def test_rank_puts_closed_incidents_last() -> None:
    closed = replace(PLAIN, id="c", severity=Severity.FATAL, status=Status.CLOSED)
    assert [one.priority for one in rank([closed], now=NOW)] == [0]


@given(st.sampled_from(Severity), st.integers(0, 20), st.integers(0, 500), st.integers(0, 10_000))
def test_rank_priority_lies_between_0_and_100(severity: Severity, tactics: int, alerts: int, minutes: int) -> None:
    one = replace(
        PLAIN,
        severity=severity,
        tactics=tuple(str(n) for n in range(tactics)),
        n_alerts=alerts,
        last_seen_at=NOW - timedelta(minutes=minutes),
    )
    assert 0 <= rank([one], now=NOW)[0].priority <= 100
