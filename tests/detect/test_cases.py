"""Each built-in rule against its cases: through the whole path, and through the oracle."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest
import yaml
from sigma.rule import SigmaRule

from amagasa.detect.engine.evaluate import evaluate
from amagasa.detect.engine.memo import Memo
from amagasa.detect.engine.plan import Plan, plan_of
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, EventBatch, Format
from amagasa.event.route import applies
from amagasa.vocab.attack import tactics_of, techniques_of
from tests.detect.built_in import BUILT_IN
from tests.detect.engine import reference

CASES: Final = Path(__file__).resolve().parents[1] / "cases"
READ_AT: Final = datetime(2026, 11, 23, 4, tzinfo=UTC)
LEAST: Final = {"web": 26, "linux": 17, "windows": 22, "ot": 60}


def case_files() -> list[tuple[str, list[dict[str, Any]]]]:
    paths = [path for path in sorted(CASES.rglob("*.yml")) if path.parent.name != "correlation"]
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths]
    return [(document["rule"], document["cases"]) for document in documents]


CASE_FILES: Final = case_files()
TEXTS: Final = dict(BUILT_IN)


def line_of(case: dict[str, Any]) -> bytes:
    record = case["record"]
    return (record if isinstance(record, str) else msgspec.json.encode(record).decode()).encode()


def batch_of(case: dict[str, Any], plan: Plan) -> EventBatch:
    chunk = Chunk(
        path="case", format=Format(case["format"]), first_record=1, data=line_of(case) + b"\n", read_at=READ_AT
    )
    normalised = normalise(chunk, plan.wanted)
    assert normalised.rejects == ()
    (batch,) = [batch for batch in normalised.batches if batch.rows]
    return batch


@pytest.fixture(scope="module")
def whole() -> tuple[Plan, Memo]:
    rules, faults = compile_rules(BUILT_IN)
    assert faults == ()
    plan = plan_of(rules)
    return plan, Memo(plan)


@pytest.mark.parametrize(("rule", "cases"), CASE_FILES, ids=[rule for rule, _ in CASE_FILES])
def test_rule_matches_its_cases_through_the_whole_path(
    rule: str, cases: list[dict[str, Any]], whole: tuple[Plan, Memo]
) -> None:
    plan, memo = whole
    identity = yaml.safe_load(TEXTS[rule])["id"]
    wrong = []
    for case in cases:
        report = evaluate(batch_of(case, plan), plan, memo)
        assert report.faults == ()
        if (identity in {detection.rule_id for detection in report.detections}) != case["matches"]:
            wrong.append(case["name"])
    assert wrong == []


@pytest.mark.parametrize(("rule", "cases"), CASE_FILES, ids=[rule for rule, _ in CASE_FILES])
def test_rule_matches_its_cases_in_the_reference(rule: str, cases: list[dict[str, Any]]) -> None:
    (compiled,), _ = compile_rules([(rule, TEXTS[rule])])
    plan = plan_of([compiled])
    parsed = SigmaRule.from_yaml(TEXTS[rule])
    wrong = []
    for case in cases:
        batch = batch_of(case, plan)
        looks = applies(compiled.logsource, batch.route)
        raw = line_of(case).decode()
        if (looks and reference.matches(parsed, detail(batch, 0).fields, raw)) != case["matches"]:
            wrong.append(case["name"])
    assert wrong == []


def test_every_built_in_rule_has_cases_of_both_kinds() -> None:
    assert sorted(rule for rule, _ in CASE_FILES) == sorted(TEXTS)
    for rule, cases in CASE_FILES:
        found = [case["matches"] for case in cases]
        assert found.count(True) >= 2, rule
        assert found.count(False) >= 2, rule


def test_built_in_rules_are_enough_of_each_kind() -> None:
    for area, least in LEAST.items():
        assert len([rule for rule in TEXTS if rule.startswith(f"{area}/")]) >= least


@pytest.mark.parametrize("rule", sorted(TEXTS))
def test_built_in_rule_is_complete(rule: str) -> None:
    document = yaml.safe_load(TEXTS[rule])
    for key in ("title", "id", "status", "description", "author", "date", "tags", "logsource", "detection", "level"):
        assert document[key], key
    assert UUID(document["id"]).version == 4
    assert document["author"] == "Amagasa"
    assert document["falsepositives"]
    assert techniques_of(document["tags"])
    assert tactics_of(document["tags"])


def test_built_in_rules_have_names_and_titles_of_their_own() -> None:
    documents = [yaml.safe_load(text) for text in TEXTS.values()]
    assert len({document["id"] for document in documents}) == len(documents)
    assert len({document["title"] for document in documents}) == len(documents)
