"""Batches and plans for tests, without files."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import yaml

from amagasa.detect.engine.evaluate import Suspects, evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.engine.sieve import Sieve, key_bytes, sieve_of
from amagasa.detect.report import Detection, MatchReport
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format

KEY = b"\x5a"
READ_AT = datetime(2026, 1, 2, tzinfo=UTC)


def rule_text(detection: Mapping[str, Any], **more: Any) -> str:
    """A rule for process creations on Windows."""
    source = {"product": "windows", "category": "process_creation"}
    return yaml.safe_dump({"title": "A rule", "logsource": source, "detection": detection} | more, sort_keys=False)


def plan_for(*detections: Mapping[str, Any]) -> Plan:
    texts = [
        rule_text(detection, id=f"00000000-0000-4000-8000-{place:012d}") for place, detection in enumerate(detections)
    ]
    rules, faults = compile_rules([(f"{place}.yml", text) for place, text in enumerate(texts)])
    assert faults == ()
    return plan_of(rules)


def process_line(**fields: Any) -> bytes:
    """A process creation of Sysmon in the flat layout."""
    return msgspec.json.encode({"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational"} | fields)


def chunk_of(lines: Sequence[bytes], *, kind: Format = Format.WINDOWS) -> Chunk:
    return Chunk(
        path="log", format=kind, first_record=1, data=b"".join(line + b"\n" for line in lines), read_at=READ_AT
    )


def report_of(
    plan: Plan, lines: Sequence[bytes], *, memo: Memo | None = None, kind: Format = Format.WINDOWS
) -> MatchReport:
    """What the exact engine finds; what it finds behind the sieve must be the same."""
    own = memo or Memo(plan)
    report = evaluated(plan, chunk_of(lines, kind=kind), own)
    check_sieve(plan, chunk_of(lines, kind=kind), own, report)
    return report


def evaluated(plan: Plan, chunk: Chunk, memo: Memo, suspects: Suspects | None = None) -> MatchReport:
    """What the exact engine finds in the whole chunk."""
    report = MatchReport()
    for batch in normalise(chunk, plan.wanted).batches:
        report = report.merge(evaluate(batch, plan, memo, suspects=suspects))
    return report


def check_sieve(plan: Plan, chunk: Chunk, memo: Memo, report: MatchReport) -> None:
    """Nothing that is found in the chunk falls through a sieve of the plan, met the first time or again."""
    sieve = sieve_of([plan], KEY * key_bytes())
    if sieve is None:
        return
    for _ in range(2):
        rest = sieve.rest_of(chunk)
        behind = evaluated(plan, rest.chunk, memo, rest.suspects[0])
        assert set(map(repr, behind.detections)) == set(map(repr, report.detections))
        assert rest.n_through + behind.n_events == report.n_events


def next_start(plan: Plan, sieve: Sieve, memo: Memo) -> tuple[Sieve, Memo]:
    """A sieve and a memo of the same rules in another plan, which know what these made."""
    known = {**sieve.made(), **memo.made}
    made = sieve_of([plan], KEY * key_bytes(), known)
    assert made is not None
    return made, Memo(plan, known)


def found(plan: Plan, lines: Sequence[bytes], **more: Any) -> list[Detection]:
    return sorted(report_of(plan, lines, **more).detections, key=lambda one: one.record)


def does_match(detection: Mapping[str, Any], **fields: Any) -> bool:
    return bool(found(plan_for(detection), [process_line(**fields)]))
