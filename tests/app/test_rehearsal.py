"""The rehearsal: deterministic, quick to begin, and found by exactly what is meant to find it."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise, takewhile

import msgspec
import pytest
from stix2 import parse as stix_parse

from amagasa.app.rehearsal import Scenario, Step, scenario_of, steps
from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import plan_of
from amagasa.detect.indicators.compiling import compile_indicators
from amagasa.detect.indicators.looking import evaluate_indicators
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format
from tests.detect.built_in import BUILT_IN

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
ALLY = "identity--2a5f1f2e-94a1-4b43-8d9e-5f5d7c3f9f10"
ORDINARY = {"visit", "process"}
FOR_THE_ALLY = {"known-to-ally", "rule-of-ally"}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return scenario_of((files("amagasa") / "content/scenarios/ministry.toml").read_text(encoding="utf-8"))


def played(scenario: Scenario, *, seed: int, until_s: float) -> list[Step]:
    return list(takewhile(lambda step: step.at_s < until_s, steps(scenario, seed=seed, started_at=START)))


def found_by(documents: list[tuple[str, str]], lines: list[Step]) -> dict[int, set[str]]:
    """Index of the line -> paths of the rules which match it."""
    rules, faults = compile_rules(documents)
    assert faults == ()
    plan = plan_of(rules)
    paths = {rule.id: rule.path for rule in rules}
    found: dict[int, set[str]] = {}
    for source, form in (("web", Format.ACCESS), ("base", Format.WINDOWS)):
        places = [index for index, step in enumerate(lines) if step.source == source]
        data = b"".join(lines[index].line.encode() + b"\n" for index in places)
        chunk = Chunk(path=source, format=form, first_record=1, data=data, read_at=START)
        normalised = normalise(chunk, plan.wanted)
        assert normalised.rejects == ()
        for batch in normalised.batches:
            for detection in evaluate(batch, plan, Memo(plan)).detections:
                found.setdefault(places[detection.record - 1], set()).add(paths[detection.rule_id or ""])
    return found


def test_steps_same_seed_give_the_same_lines(scenario: Scenario) -> None:
    assert played(scenario, seed=7, until_s=20) == played(scenario, seed=7, until_s=20)
    assert played(scenario, seed=7, until_s=20) != played(scenario, seed=8, until_s=20)


@pytest.mark.parametrize("seed", range(5))
def test_steps_come_in_order_and_begin_soon(scenario: Scenario, seed: int) -> None:
    lines = played(scenario, seed=seed, until_s=60)
    assert [step.at_s for step in lines] == sorted(step.at_s for step in lines)
    first = {kind: next(step.at_s for step in lines if step.kind == kind) for kind in {step.kind for step in lines}}
    attacks = {kind: at_s for kind, at_s in first.items() if kind not in ORDINARY | FOR_THE_ALLY}
    assert min(attacks.values()) < 2
    assert set(attacks) == {"scanner", "brute-force", "sql-injection", "intrusion"}
    assert max(first.values()) < 15
    assert 200 < len(lines) < 900
    for kind in FOR_THE_ALLY:
        times = [step.at_s for step in lines if step.kind == kind]
        assert max(later - earlier for earlier, later in pairwise(times)) < 3


def test_steps_all_stages_of_the_intrusion_come_within_fifteen_seconds(scenario: Scenario) -> None:
    lines = [step for step in played(scenario, seed=1, until_s=15) if step.kind == "intrusion"]
    assert len(lines) == len(scenario.base.intrusion.stages)
    assert "vssadmin" in lines[-1].line


def test_built_in_rules_find_the_attacks_and_nothing_else(scenario: Scenario) -> None:
    lines = played(scenario, seed=3, until_s=180)
    found = found_by(BUILT_IN, lines)
    false = [
        (lines[i].kind, lines[i].line, rules) for i, rules in found.items() if lines[i].kind in ORDINARY | FOR_THE_ALLY
    ]
    assert false == []
    for kind in ("brute-force", "sql-injection", "scanner"):
        missed = [step.line for i, step in enumerate(lines) if step.kind == kind and i not in found]
        assert missed == []
    intrusion = [i for i, step in enumerate(lines) if step.kind == "intrusion"]
    assert len([i for i in intrusion if i in found]) >= len(intrusion) * 0.85


def test_ally_s_rule_finds_its_lines_and_nothing_else(scenario: Scenario) -> None:
    lines = played(scenario, seed=4, until_s=60)
    found = found_by([("reply.yml", scenario.sigma_rule)], lines)
    assert {lines[i].kind for i in found} == {"rule-of-ally"}
    assert len(found) == len([step for step in lines if step.kind == "rule-of-ally"])


def test_ally_s_indicator_finds_its_lines_and_nothing_else(scenario: Scenario) -> None:
    lines = [step for step in played(scenario, seed=5, until_s=60) if step.source == "web"]
    indicators, faults = compile_indicators([scenario.indicator(created_by=ALLY, now=START)], origins={})
    assert faults == ()
    data = b"".join(step.line.encode() + b"\n" for step in lines)
    chunk = Chunk(path="web", format=Format.ACCESS, first_record=1, data=data, read_at=START)
    (batch,) = normalise(chunk, indicators.wanted).batches
    report = evaluate_indicators(batch, indicators, now=START + timedelta(seconds=1))
    assert {lines[one.record - 1].kind for one in report.detections} == {"known-to-ally"}
    assert len(report.detections) == len([step for step in lines if step.kind == "known-to-ally"])


def test_indicator_is_valid_stix(scenario: Scenario) -> None:
    document = scenario.indicator(created_by=ALLY, now=START)
    assert stix_parse(document).pattern == f"[ipv4-addr:value = '{scenario.address}']"


def test_lines_carry_the_time_of_their_step(scenario: Scenario) -> None:
    first = played(scenario, seed=2, until_s=5)[0]
    assert "[23/Nov/2026:12:00:00 +0900]" in first.line


@pytest.mark.parametrize("document", ["", "name = 3", "name = 'x'\n[web]\n", "not toml ["])
def test_scenario_of_other_documents_is_an_error(document: str) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError)):
        scenario_of(document)
