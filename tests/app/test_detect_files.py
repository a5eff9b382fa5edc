"""Detecting in files: every record, fault and detection is counted where it belongs."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.app.detect_files import MAX_REJECTS_SHOWN, Item, Looked, Summary, add_content, detect_files
from amagasa.app.path import Seen
from amagasa.detect.report import Detection, MatchReport, RuleFault
from amagasa.event.record import Chunk, Format, Reject, SourceFault
from amagasa.vocab.severity import Level

NOW = datetime(2026, 11, 23, tzinfo=UTC)
FAULT = RuleFault(path="r.yml", rule_id="r", why="it cannot run")


def chunk(n: int) -> Chunk:
    return Chunk(path="a.log", format=Format.ACCESS, first_record=n, data=b"x" * 10, read_at=NOW)


def reject(n: int) -> Reject:
    return Reject(path="a.log", record=n, why="no line")


def detection(n: int, level: Level = Level.HIGH, rule: str = "r") -> Detection:
    return Detection(rule_id=rule, title="t", level=level, path="a.log", record=n, event_at=None, fields={}, event={})


def seen(*detections: Detection, n_read: int = 5, rejects: int = 0, faults: tuple[RuleFault, ...] = ()) -> Seen:
    return Seen(
        n_read=n_read,
        n_accepted=n_read - rejects,
        rejects=tuple(reject(n) for n in range(rejects)),
        report=MatchReport(detections=detections, faults=faults),
    )


def counted(
    items: Iterable[Chunk | Reject | SourceFault], *answers: Seen, fail_on: Level | None = None
) -> tuple[Summary, list[Detection]]:
    """What comes of these records, where the chunks are seen as `answers` say."""
    given_answers = iter(answers)
    found: list[Detection] = []

    def look(streams: Iterable[Iterable[Item]]) -> Iterator[Looked | Reject | SourceFault]:
        for one in chain.from_iterable(streams):
            yield Looked(n_bytes=len(one.data), seen=next(given_answers)) if isinstance(one, Chunk) else one

    return detect_files([items], look, found.append, fail_on=fail_on), found


def test_detect_files_of_nothing_is_done() -> None:
    summary, found = counted([])
    assert (summary, found) == (Summary(), [])
    assert summary.exit_code() == 0


def test_detect_files_counts_what_was_read_and_found() -> None:
    summary, found = counted([chunk(1), chunk(6)], seen(detection(1), detection(2, rule="s")), seen(detection(6)))
    assert (summary.n_read, summary.n_accepted, summary.n_rejected) == (10, 10, 0)
    assert [one.record for one in found] == [1, 2, 6]
    assert (summary.n_detections, summary.detections_by_rule, summary.bytes) == (3, {"r": 2, "s": 1}, 20)
    assert summary.exit_code() == 0


def test_detect_files_with_a_reject_could_not_look_at_all() -> None:
    summary, _ = counted([reject(1), chunk(2)], seen(rejects=2))
    assert (summary.n_read, summary.n_accepted, summary.n_rejected) == (6, 3, 3)
    assert summary.exit_code() == 3


def test_detect_files_with_a_source_fault_could_not_look_at_all() -> None:
    fault = SourceFault(path="b.log", why="forbidden", code="AMG-SOURCE-001")
    summary, _ = counted([fault, chunk(1)], seen())
    assert (summary.not_looked_at, summary.n_read) == ([fault], 5)
    assert summary.exit_code() == 3


def test_detect_files_with_a_rule_fault_says_it_once() -> None:
    summary, _ = counted([chunk(1), chunk(6)], seen(faults=(FAULT,)), seen(faults=(FAULT,)))
    loading = RuleFault(path="s.yml", rule_id="", why="it is no rule")
    add_content(summary, n_rules=7, n_indicators=2, faults=[loading])
    assert summary.faults == [loading, FAULT]
    assert (summary.n_rules, summary.n_indicators, summary.n_rules_faulted) == (7, 2, 2)
    assert summary.exit_code() == 3


def test_detect_files_keeps_the_first_rejects_and_counts_all() -> None:
    summary, _ = counted(reject(n) for n in range(MAX_REJECTS_SHOWN * 3))
    assert (len(summary.rejects), summary.n_rejected) == (MAX_REJECTS_SHOWN, MAX_REJECTS_SHOWN * 3)
    assert [one.record for one in summary.rejects] == list(range(MAX_REJECTS_SHOWN))


@pytest.mark.parametrize(("fail_on", "code"), [(None, 0), (Level.CRITICAL, 0), (Level.HIGH, 1), (Level.LOW, 1)])
def test_detect_files_told_to_fail_on_a_level_does(fail_on: Level | None, code: int) -> None:
    summary, _ = counted([chunk(1)], seen(detection(1)), fail_on=fail_on)
    assert summary.exit_code() == code


def test_detect_files_findings_outrank_what_could_not_be_looked_at() -> None:
    summary, _ = counted([chunk(1)], seen(detection(1), rejects=1), fail_on=Level.LOW)
    assert summary.exit_code() == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 3)), max_size=12))
def test_detect_files_always_adds_up(shapes: list[tuple[int, int, int]]) -> None:
    answers = [
        seen(*[detection(n) for n in range(n_found)], n_read=max(a, b), rejects=min(a, b)) for a, b, n_found in shapes
    ]
    summary, found = counted([item for n in range(len(shapes)) for item in (chunk(n), reject(n))], *answers)
    assert summary.n_accepted + summary.n_rejected == summary.n_read
    assert summary.n_read == sum(max(a, b) for a, b, _ in shapes) + len(shapes)
    assert len(found) == summary.n_detections == sum(summary.detections_by_rule.values())
