"""Operators over values: types which do not compare, text in composed form, binary, times, addresses."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.stix.operators import Outcome, finds, like_regex, predicate_of
from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import Comparison, Observation


def outcome(comparison: str, value: Any) -> Outcome:
    parsed = parse(f"[a:b {comparison}]")
    assert isinstance(parsed, Observation)
    assert isinstance(parsed.test, Comparison)
    return predicate_of(parsed.test)(value)


NOW = "2026-11-23T03:00:00Z"


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [
        ("= 5", 5, True),
        ("= 5", 5.0, True),
        ("= 5", "5", False),
        ("= 5", True, False),
        ("= 1", True, False),
        ("= true", 1, False),
        ("= true", True, True),
        ("!= true", 1, True),
        ("= 5", None, False),
        ("!= 5", None, True),
        ("!= 'a'", {"a": 1}, True),
        ("NOT = 5", 5, False),
        ("NOT != 5", 5, True),
        ("> 4.9", 5, True),
        ("<= 5", 5, True),
        ("< 5", "4", False),
        ("NOT < 5", "4", True),
        ("< 'b'", "a", True),
        ("< 'a'", "B", True),
        ("< '\u3042'", "\U0001f600", False),
        ("IN (1, 2.5)", 2.5, True),
        ("IN (1, 2.5)", True, False),
        ("IN ('a', 'b')", ["a"], False),
        ("NOT IN ('a', 'b')", ["a"], True),
        ("IN ()", "a", False),
        ("NOT IN ()", "a", True),
        ("= h'616c'", "al", True),
        ("= 'al'", b"al", True),
        ("= h'e9'", "\u00e9", True),
        ("= h'e9'", "\u3042", False),
        ("> h'e9'", "\u3042", False),
        ("> h'61'", "b", True),
        ("< b'Yg=='", b"a", True),
        ("IN (h'61', h'62')", "b", True),
        (f"= t'{NOW}'", NOW, True),
        (f"= t'{NOW}'", "2026-11-23T03:00:00.000000999Z", True),
        (f"< t'{NOW}'", "2026-11-23T02:59:59.999Z", True),
        (f"= t'{NOW}'", 5, False),
        (f"> t'{NOW}'", 5, False),
        (f"!= t'{NOW}'", None, True),
        (f"IN (t'{NOW}')", NOW, True),
        ("LIKE 'he%'", "hello", True),
        ("LIKE 'he%'", "the", False),
        ("LIKE '_e__o'", "hello", True),
        ("LIKE '%'", "a\nb", True),
        ("LIKE 'a.c'", "abc", False),
        ("LIKE 'A'", "a", False),
        ("LIKE '5'", 5, False),
        ("NOT LIKE '5'", 5, True),
        ("LIKE '\u1e0d\u0307'", "d\u0323\u0307", True),
        ("= '\u1e0d\u0307'", "d\u0323\u0307", False),
        ("LIKE '%al%'", b"xaly", True),
        ("LIKE '%'", b"\xff", False),
        ("NOT LIKE '\u3042'", b"a", True),
        ("MATCHES '^h.*o$'", "h\no", True),
        ("MATCHES 'L+'", "hello", False),
        ("MATCHES '^\u1e0b\u0323$'", "d\u0323\u0307", True),
        ("MATCHES 'ab[c\\\\x01]'", b"\xffab\x01", True),
        ("MATCHES '\\\\xff'", b"\xffab\x01", True),
        ("MATCHES '[^\u3042]'", b"a", False),
        ("MATCHES '^$'", "", True),
        ("NOT MATCHES 'x'", 5, True),
        ("ISSUBSET '198.51.100.0/24'", "198.51.100.7", True),
        ("ISSUBSET '198.51.100.0/24'", "198.51.100.0/25", True),
        ("ISSUBSET '198.51.100.0/24'", "198.51.0.0/16", False),
        ("ISSUBSET '198.51.100.7'", "198.51.100.7", True),
        ("ISSUBSET '2001:db8::/32'", "2001:db8::5", True),
        ("ISSUBSET '2001:db8::/32'", "198.51.100.7", False),
        ("ISSUBSET '198.51.100.0/24'", 5, False),
        ("NOT ISSUBSET '198.51.100.0/24'", None, True),
        ("ISSUPERSET '198.51.100.7'", "198.51.100.0/24", True),
        ("ISSUPERSET '198.51.0.0/16'", "198.51.100.0/24", False),
        ("ISSUPERSET '198.51.0.0/16'", ["x"], False),
    ],
)
def test_operator_over_a_value_says_yes_or_no(comparison: str, value: Any, *, expected: bool) -> None:
    assert outcome(comparison, value) is expected


@pytest.mark.parametrize(
    ("comparison", "value"),
    [
        (f"= t'{NOW}'", "hello"),
        (f"!= t'{NOW}'", "2026-11-23T03:00:00"),
        (f"NOT < t'{NOW}'", "2026-11-23t03:00:00Z"),
        (f"IN (t'{NOW}')", "2026-11-23T03:00:61Z"),
        ("ISSUBSET '198.51.100.0/24'", "example.com"),
        ("NOT ISSUPERSET '198.51.100.0/24'", "\x1b[2J"),
    ],
)
def test_operator_over_a_value_that_cannot_be_read_gives_the_reason(comparison: str, value: str) -> None:
    found = outcome(comparison, value)
    assert isinstance(found, str)
    assert "\x1b" not in found


@given(st.text(max_size=20))
def test_like_without_wildcards_is_equality(text: str) -> None:
    like = text.replace("%", "").replace("_", "").replace("\ud800", "")
    assert finds(like_regex(like), like)
    assert not finds(like_regex(like), like + "x")
