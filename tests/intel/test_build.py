"""What we build: parses with stix2 and passes the OASIS validator's strict mode."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import stix2
from stix2.pattern_visitor import create_pattern_object

from amagasa.intel.build import (
    attack_pattern,
    authors,
    common,
    extension,
    extension_definition,
    identity,
    indicator,
    quoted,
    sighting,
)
from amagasa.intel.marking import marking_definition
from amagasa.intel.stix import check_object
from amagasa.vocab.tlp import Tlp
from tests.intel.oracle import strict_faults

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
PARTY = "identity--1f0c4d0e-6d0e-4b1c-8a6a-2d5a1a7c9b01"
INDICATOR = "indicator--5b408962-a142-4f50-8eae-619e5eb0df05"


def base(kind: str, identifier: str) -> dict[str, Any]:
    return common(kind, identifier, created_at=AT, modified_at=AT, author=PARTY, marking=Tlp.AMBER)


def built() -> list[dict[str, Any]]:
    seen = sighting(
        base("sighting", "sighting--6a519873-b253-4061-9fbf-72af6fc1e006"),
        of=INDICATOR,
        where=PARTY,
        n_seen=10**12,
        first_seen_at=AT,
        last_seen_at=AT,
    )
    found = indicator(
        base("indicator", INDICATOR),
        name="Brute force",
        description="Many failures from one address.",
        pattern=f"[url:value = {quoted(chr(39) + chr(92))}]",
        pattern_type="stix",
        valid_from_at=AT,
    )
    rule = indicator(
        base("indicator", "indicator--7b62a984-c364-4172-8ac0-83b07fd2f107"),
        name="Rule",
        description="A Sigma rule.",
        pattern="title: x",
        pattern_type="sigma",
        valid_from_at=AT,
    )
    return [
        *(marking_definition(tlp) for tlp in Tlp),
        authors(),
        extension_definition(),
        identity(PARTY, "Japan"),
        attack_pattern("T1110.001", author=PARTY, marking=Tlp.AMBER),
        found,
        rule,
        {**seen, "extensions": extension({"severity": 4, "techniques": ["T1110"], "tactics": []})},
    ]


@pytest.mark.parametrize("obj", built(), ids=lambda obj: f"{obj['type']}-{obj.get('name', '')}")
def test_built_object_is_sound_for_us_and_for_stix2(obj: dict[str, Any]) -> None:
    assert check_object(obj) is None
    assert json.loads(stix2.parse(obj).serialize())["id"] == obj["id"]


def test_built_objects_pass_the_strict_validator() -> None:
    assert strict_faults(built()) == []


def test_extension_leaves_out_what_is_empty() -> None:
    assert next(iter(extension({"severity": 0, "tactics": [], "status": ""}).values())) == {
        "extension_type": "property-extension",
        "severity": 0,
    }


@pytest.mark.parametrize("value", ["plain", "it's", "back\\slash", "\\'", "日本", "] OR [x"])
def test_quoted_text_cannot_leave_its_string(value: str) -> None:
    parsed = create_pattern_object(f"[url:value = {quoted(value)}]", version="2.1")
    # One comparison, whose constant is the whole text (stix2 shows it still escaped).
    assert type(parsed.operand).__name__ == "EqualityComparisonExpression"
    assert f"'{parsed.operand.rhs.value}'" == quoted(value)


def test_oracle_notices_what_strict_mode_forbids() -> None:
    assert strict_faults([{**identity(PARTY, "Japan"), "x_loose": 1}]) != []
    assert strict_faults([identity("identity--1f0c4d0e-6d0e-5b1c-8a6a-2d5a1a7c9b01", "Japan")]) != []
