"""What no matcher can run is said, and what is surely not meant; by and large what the OASIS validator says too."""

import pytest
from hypothesis import given
from stix2patterns.validator import run_validator  # type: ignore[import-untyped]

from amagasa.detect.stix.meaning import fault_of, remarks_on
from amagasa.detect.stix.parse import Edition, parse
from amagasa.detect.stix.pattern import Expression, PatternFault
from amagasa.detect.stix.written import written
from tests.detect.stix.trees import EXPRESSIONS

ONE = "[a:b = 1]"


def fault(pattern: str) -> str | None:
    parsed = parse(pattern, Edition.STIX_2_0 if "START '" in pattern else Edition.STIX_2_1)
    assert not isinstance(parsed, PatternFault)
    return fault_of(parsed)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        (f"{ONE} WITHIN 0 SECONDS", "more than 0"),
        (f"{ONE} WITHIN .0 SECONDS", "more than 0"),
        (f"{ONE} REPEATS 0 TIMES", "at least 1"),
        ("[a:b = t'2026-02-30T00:00:00Z']", "2026-02-30"),
        ("[a:b IN (t'2026-01-01T00:00:00Z', t'2026-06-30T23:59:60Z')]", "23:59:60"),
        (f"{ONE} START t'2026-02-29T00:00:00Z' STOP t'2026-03-01T00:00:00Z'", "2026-02-29"),
        (f"{ONE} START '2026-02-28T00:00:00Z' STOP '2026-03-01t00:00:00Z'", "01t00"),
        (f"{ONE} START '2026-02-28T00:00Z' STOP '2026-03-01T00:00:00Z'", "28T00:00Z"),
        ("[a:b IN (1, true)]", "one type"),
        ("[a:b IN ('1', 1)]", "one type"),
        ("[a:b IN (1.5, 2, false)]", "one type"),
        ("[a:b MATCHES '(x)\\\\1']", "linear"),
        ("[a:b MATCHES '(?=x)']", "linear"),
        ("[a:b MATCHES '(((((a{1,99}){1,99}){1,99}']", "linear"),
        ("[a:b MATCHES '" + "x" * 1_001 + "']", "1000"),
        ("[a:b LIKE '" + "x" * 1_001 + "']", "1000"),
        ("[a:b ISSUBSET '1.2.3.4/33']", "address"),
        ("[a:b ISSUPERSET 'example.com']", "address"),
        (f"{ONE} FOLLOWEDBY ({ONE} OR [a:c MATCHES '[']) REPEATS 2 TIMES", "linear"),
    ],
)
def test_fault_of_names_what_no_matcher_can_run(pattern: str, named: str) -> None:
    assert named in (fault(pattern) or "")


@pytest.mark.parametrize(
    "pattern",
    [
        ONE,
        f"{ONE} WITHIN .0001 SECONDS",
        "[a:b IN ()]",
        "[a:b IN (1, 2.5, -3)]",
        "[a:b ISSUBSET '198.51.100.7']",
        "[a:b ISSUBSET '2001:db8::1/32']",
        "[a:b LIKE '%\\\\_']",
        f"{ONE} START t'2026-02-02T00:00:00Z' STOP t'2026-02-01T00:00:00Z'",
    ],
)
def test_fault_of_pattern_that_runs_is_none(pattern: str) -> None:
    assert fault(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("[a:b = ]", "constant"),
        (f"{ONE} REPEATS 0 TIMES", "at least 1"),
        (f"{ONE} WITHIN 1 SECONDS REPEATS 2 TIMES WITHIN 2 SECONDS", "two qualifiers WITHIN"),
        (f"({ONE} REPEATS 2 TIMES REPEATS 3 TIMES)", "two qualifiers REPEATS"),
        (f"{ONE} START t'2026-02-02T00:00:00Z' STOP t'2026-02-01T00:00:00Z'", "not before"),
        ("[file:hashes.'SHA-256' = 'f00']", "SHA-256"),
        ("[file:hashes.MD5 IN ('" + "0" * 32 + "', 'f00')]", "f00"),
        ("[file:name = 'a' AND url:value = 'b']", "file and url"),
    ],
)
def test_remarks_on_strange_pattern_say_what_is_strange(pattern: str, named: str) -> None:
    assert [named in remark.why for remark in remarks_on(pattern)] == [True]


@pytest.mark.parametrize(
    "pattern",
    [
        ONE,
        f"({ONE}) WITHIN 5 SECONDS WITHIN 6 SECONDS",
        f"({ONE} REPEATS 2 TIMES) REPEATS 2 TIMES WITHIN 3 SECONDS",
        "[file:hashes.MD5 = '79054025255fb1a26e4bc422aef54eb4' OR file:hashes[*] = 'x']",
        "[file:hashes.'SSDEEP' = '3:abc:x' AND (file:name = 'a' OR url:value = 'b')]",
    ],
)
def test_remarks_on_sound_pattern_are_none(pattern: str) -> None:
    assert remarks_on(pattern) == ()
    assert run_validator(pattern, stix_version="2.1") == []


@pytest.mark.parametrize(
    "pattern",
    [
        f"{ONE} WITHIN 1 SECONDS WITHIN 2 SECONDS",
        f"({ONE} REPEATS 2 TIMES REPEATS 3 TIMES)",
        "[file:hashes.'SHA-256' = 'f00']",
        "[file:hashes.MD5 = 'xx054025255fb1a26e4bc422aef54eb4']",
        "[a:b = ]",
    ],
)
def test_remarks_on_what_the_oasis_validator_refuses_are_some(pattern: str) -> None:
    assert run_validator(pattern, stix_version="2.1") != []
    assert remarks_on(pattern) != ()


@given(EXPRESSIONS)
def test_remarks_on_any_tree_hold_its_fault(tree: Expression) -> None:
    assert {fault_of(tree)} - {None} <= {remark.why for remark in remarks_on(written(tree))}
