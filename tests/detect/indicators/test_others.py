"""Patterns which wait for a value are tried exactly where the others would be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amagasa.detect.indicators.others import Others, anchors_of
from amagasa.detect.stix.comparison import resolve
from amagasa.detect.stix.parse import parse
from amagasa.detect.stix.pattern import Either, Expression, PatternFault
from amagasa.event.normalise import normalise
from amagasa.event.record import EventBatch, Format
from tests.detect.stix.records import chunk_of


def resolved(pattern: str) -> Expression:
    parsed = parse(pattern)
    assert not isinstance(parsed, PatternFault)
    found = resolve(parsed)
    assert not isinstance(found, str), found
    return found


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("[file:name = 'A' AND file:path LIKE '%x']", ["a"]),
        ("[file:name IN ('a', 'b') AND file:size = 5]", ["5"]),
        ("[file:name = 'a' OR file:name = 'b']", ["a", "b"]),
        ("[file:name = 'a' OR file:name LIKE 'b%']", None),
        ("[file:name != 'a' AND file:size = 5]", ["5"]),
        ("[file:name NOT = 'a' AND file:path LIKE '%x']", None),
        ("[ipv4-addr:value = '198.51.100.0/24'] AND [file:name = 'a']", ["a"]),
        ("[file:name = 'a'] AND [file:name = 'b' OR file:name = 'c']", ["a"]),
        ("[file:name = 'a'] OR [file:path LIKE 'b%']", None),
        ("[file:name = 'a'] OR [file:size = 5 AND file:path MATCHES 'x']", ["a", "5"]),
    ],
)
def test_anchors_are_values_without_which_nothing_holds(pattern: str, texts: list[str] | None) -> None:
    anchors = anchors_of(resolved(pattern))
    assert (None if anchors is None else [text for _, text in anchors]) == texts


NAMES = ["a.exe", "b.exe", "c.dll"]
COMPARISONS = st.sampled_from(
    [
        *(f"file:name = '{name}'" for name in NAMES),
        *("file:name != 'a.exe'", "file:name IN ('a.exe', 'c.dll')", "file:name LIKE '%.exe'", "file:size > 1"),
        *("file:size = 2", "file:name NOT IN ('b.exe')", "file:mime_type = 'x'", "EXISTS file:size"),
    ]
)
OBSERVATIONS = st.lists(COMPARISONS, min_size=1, max_size=3).flatmap(
    lambda tests: st.sampled_from([" AND ", " OR "]).map(lambda join: f"[{join.join(tests)}]")
)
PATTERNS = st.lists(OBSERVATIONS, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([" AND ", " OR "]).map(lambda join: join.join(parts))
)
RECORDS = st.lists(
    st.fixed_dictionaries({}, optional={"filename": st.sampled_from(NAMES), "size": st.integers(0, 3)}), min_size=1
)


@given(st.lists(PATTERNS, min_size=1, max_size=5), RECORDS)
def test_others_find_what_each_pattern_alone_finds(patterns: list[str], records: list[dict[str, Any]]) -> None:
    named = [(number, resolved(pattern)) for number, pattern in enumerate(patterns)]
    (batch,) = normalise(chunk_of(Format.JSON, *records), lambda _route: ("filename", "size")).batches
    assert list(Others(named).tried(batch)) == sorted(
        (one for name, pattern in named for one in alone(batch, name, pattern)), key=lambda one: one[:2]
    )


def alone(batch: EventBatch, name: int, pattern: Expression) -> list[tuple[int, int, set[str]]]:
    """The pattern by itself, made to be tried always: as one side of an OR whose other side nothing satisfies."""
    never = resolved("[file:mime_type LIKE 'never%']")
    return list(Others([(name, resolved_or(pattern, never))]).tried(batch))


def resolved_or(one: Expression, other: Expression) -> Expression:

    return Either(parts=(one, other))
