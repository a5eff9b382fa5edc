"""What is said of indicators: in the text of bundles, and of the entries of flat lists."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.listing import Columns
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.indicators import MAX_OF_A_KIND, ListLint, check_stix

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def indicator(pattern: str, number: int = 1, **more: Any) -> dict[str, Any]:
    known = {
        "type": "indicator",
        "id": f"indicator--5a5d8f3c-8a2e-4f34-9e0c-{number:012}",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_until": "2027-01-01T00:00:00Z",
    }
    return {name: value for name, value in (known | more).items() if value is not None}


def bundle(*objects: dict[str, Any]) -> bytes:
    document = {"type": "bundle", "id": "bundle--1", "objects": [{"type": "identity", "id": "x"}, *objects]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def pointed_at(raw: bytes, one: Finding) -> str:
    line = raw.decode().split("\n")[one.place.line - 1]
    return line[one.place.column - 1 :][: one.place.n_characters]


@pytest.mark.parametrize(
    ("pattern", "code", "hint"),
    [
        ("[ipv4-addr:value = '192.168.1.1']", "indicator-own", ""),
        ("[domain-name:value = 'localhost']", "indicator-own", ""),
        ("[ipv6-addr:value = '2600::/12']", "indicator-wide", ""),
        ("[domain-name:value = 'github.io']", "indicator-wide", "meant"),
        ("[domain-name:value = '198.51.100.7']", "indicator-form", "ipv4-addr"),
        ("[ipv4-addr:value = 'bad.example']", "cannot-use", ""),
        ("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "indicator-hash", ""),
        ("[file:nmae = 'x.exe']", "cannot-use", "file:name"),
    ],
)
def test_pattern_that_means_something_else_is_said_at_its_text(pattern: str, code: str, hint: str) -> None:
    raw = bundle(indicator(pattern))
    (one,) = check_stix(raw, now=NOW)
    assert (one.code, pointed_at(raw, one)) == (code, pattern)
    assert hint in one.hint


def test_pattern_that_is_none_is_said_at_the_character_which_stops_it() -> None:
    raw = bundle(indicator("[file:name = ]"))
    (one,) = check_stix(raw, now=NOW)
    assert (one.code, pointed_at(raw, one)) == ("cannot-use", "]")
    assert one.source.strip().startswith('"pattern"')


def test_sound_indicators_say_nothing() -> None:
    raw = bundle(indicator("[ipv4-addr:value = '198.51.100.7']"), indicator("[domain-name:value = 'bad.example']", 2))
    assert check_stix(raw, now=NOW) == []


def test_indicator_whose_time_is_over_or_has_no_end_is_said() -> None:
    ended = bundle(indicator("[file:name = 'x']", valid_until="2026-01-01T00:00:00Z"))
    endless = bundle(indicator("[file:name = 'x']", valid_until=None))
    assert [one.code for one in check_stix(ended, now=NOW)] == ["indicator-ended"]
    assert [one.code for one in check_stix(endless, now=NOW)] == ["indicator-endless"]


def test_pattern_that_stands_twice_is_said_with_the_line_of_the_first() -> None:
    raw = bundle(indicator("[file:name = 'x']"), indicator("[file:name = 'x']", 2))
    (one,) = check_stix(raw, now=NOW)
    first = raw.decode().split("\n").index('      "type": "indicator",')
    assert (one.code, f"line {first}" in one.what) == ("duplicate-indicator", True)


def test_objects_a_line_and_lists_of_objects_are_read_like_bundles() -> None:
    bad = indicator("[ipv4-addr:value = '10.0.0.1']")
    for raw in (msgspec.json.encode([bad]), msgspec.json.encode(bad), b"\n" + msgspec.json.encode(bad) + b"\n{}\n"):
        assert [one.code for one in check_stix(raw, now=NOW)] == ["indicator-own"]
    assert [one.code for one in check_stix(b'{"type": "indicator"\n{}', now=NOW)] == ["cannot-use"]


def test_findings_of_one_kind_are_bounded_and_counted() -> None:
    raw = bundle(*(indicator(f"[ipv4-addr:value = '10.0.{n // 250}.{n % 250}']", n) for n in range(300)))
    found = check_stix(raw, now=NOW)
    assert len(found) == MAX_OF_A_KIND + 1
    assert found[-1].what == "200 more of these in this file"


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    for text in (raw, b'{"objects": [' + raw + b"]}", b'{"type":"indicator","pattern":"' + raw + b'"}'):
        for one in check_stix(text, now=NOW):
            assert one.place.line >= 1


def test_list_of_values_says_what_is_odd_by_line() -> None:
    lint = ListLint()
    lint.add_values(["# remark", "198.51.100.7", "192.168.1.1 # inside", "github.io"], 1)
    lint.fault(9, "no CSV")
    assert [(one.code, one.place.line, one.source) for one in lint.findings()] == [
        ("indicator-own", 3, "192.168.1.1"),
        ("indicator-wide", 4, "github.io"),
        ("cannot-use", 9, ""),
    ]
    assert lint.n_read == 4


def test_list_with_columns_is_read_by_its_column() -> None:
    lint = ListLint()
    lint.add_rows(["x,10.0.0.1", "y,198.51.100.1", "short"], Columns(value=1), ",", first_line=5)
    assert [(one.code, one.place.line) for one in lint.findings()] == [("indicator-own", 5)]
