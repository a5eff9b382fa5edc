"""The language, modifier by modifier: `conformance/*.yml` through the real engine and through the reference.

A case gives a detection (or `item`: its only selection), events that it must match and events that it must not.
`oracle` says why the reference, which is pySigma's reading, is not asked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml
from sigma.rule import SigmaRule

from amagasa.detect.engine.plan import plan_of
from amagasa.detect.sigma.compile import compile_rules
from amagasa.event.record import Format
from tests.detect.cases import found, process_line, rule_text
from tests.detect.engine.pairs import ALWAYS
from tests.detect.engine.reference import matches

FOLDER: Final = Path(__file__).parent / "conformance"
PAGES: Final = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}
CASES: Final = [
    pytest.param(page, case, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, case in enumerate(page["cases"], 1)
]
# pySigma leaves placeholders and nested fields to others.
ASKED_OF_REFERENCE: Final = [
    pytest.param(page, case, id=f"{name}-{number}")
    for name, page in PAGES.items()
    for number, case in enumerate(page["cases"], 1)
    if "oracle" not in case and name not in {"placeholders", "nested"}
]
# Each modifier of the specification's appendix stands in a case which matches and in one which does not.
MODIFIERS: Final = (
    *("all", "startswith", "endswith", "contains", "exists", "cased", "neq", "windash", "re", "i", "m", "s", "base64"),
    *("base64offset", "utf16le", "utf16be", "utf16", "wide", "lt", "lte", "gt", "gte", "minute", "hour", "day", "week"),
    *("month", "year", "cidr", "expand", "fieldref"),
)


def detection_of(case: Mapping[str, Any]) -> dict[str, Any]:
    return case.get("detection") or {"s": case["item"], "condition": "s"}


def text_of(page: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    return rule_text(detection_of(case), **({"logsource": page["logsource"]} if "logsource" in page else {}))


@pytest.mark.parametrize(("page", "case"), CASES)
def test_engine_matches_as_the_specification_says(page: dict[str, Any], case: dict[str, Any]) -> None:
    rules, faults = compile_rules([("x", text_of(page, case))], placeholders=page.get("placeholders", {}))
    assert faults == ()
    events = [*case["matches"], *case["misses"]]
    kind = Format(page.get("format", "windows"))
    base = page.get("record", {})
    lines = [process_line(**event) if kind is Format.WINDOWS else msgspec.json.encode(base | event) for event in events]
    got = [one.record - 1 for one in found(plan_of(rules), lines, kind=kind)]
    assert [events[place] for place in got] == case["matches"]


@pytest.mark.parametrize(("page", "case"), ASKED_OF_REFERENCE)
def test_reference_matches_as_the_specification_says(page: dict[str, Any], case: dict[str, Any]) -> None:
    rule = SigmaRule.from_yaml(text_of(page, case))
    events = [*case["matches"], *case["misses"]]
    assert [event for event in events if matches(rule, ALWAYS | event)] == case["matches"]


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_every_modifier_has_cases_of_both_kinds(modifier: str) -> None:
    own = [case for page in PAGES.values() for case in page["cases"] if f"|{modifier}" in str(detection_of(case))]
    assert any(case["matches"] for case in own)
    assert any(case["misses"] for case in own)
