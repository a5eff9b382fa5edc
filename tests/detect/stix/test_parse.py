"""STIX patterns: what is read, what is refused, why and where, and that nothing makes the parser raise."""

import sys
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from stix2patterns.exceptions import ParseException  # type: ignore[import-untyped]
from stix2patterns.v21.pattern import Pattern  # type: ignore[import-untyped]

from amagasa.detect.stix.parse import Edition, parse
from amagasa.detect.stix.pattern import (
    MAX_DEPTH,
    MAX_PATTERN_CHARACTERS,
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    During,
    Either,
    Expression,
    Followed,
    Index,
    Instant,
    Observation,
    Op,
    PatternFault,
    Repeated,
    Together,
    Within,
    depth_of,
)
from amagasa.detect.stix.written import written
from tests.detect.stix.trees import EXPRESSIONS, quoted


def one(pattern: str) -> Comparison:
    parsed = parse(pattern)
    assert isinstance(parsed, Observation)
    assert isinstance(parsed.test, Comparison)
    return parsed.test


@pytest.mark.parametrize(
    ("pattern", "kind", "path", "op", "constants"),
    [
        ("[ipv4-addr:value = '198.51.100.4']", "ipv4-addr", "value", Op.EQ, ("198.51.100.4",)),
        ("[ipv4-addr:value='198.51.100.4']", "ipv4-addr", "value", Op.EQ, ("198.51.100.4",)),
        ("[file:hashes.'SHA-256' = 'ab']", "file", "hashes.SHA-256", Op.EQ, ("ab",)),
        ("[file:name == 'it\\'s']", "file", "name", Op.EQ, ("it's",)),
        ("[file:path = 'C:\\\\Temp\\\\a']", "file", "path", Op.EQ, ("C:\\Temp\\a",)),
        ("[network-traffic:dst_port >= 8000]", "network-traffic", "dst_port", Op.GE, (8000,)),
        ("[network-traffic:dst_port <> 80]", "network-traffic", "dst_port", Op.NE, (80,)),
        ("[url:value LIKE 'http://%/x_']", "url", "value", Op.LIKE, ("http://%/x_",)),
        ("[url:value MATCHES '^/a']", "url", "value", Op.MATCHES, ("^/a",)),
        ("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", "ipv4-addr", "value", Op.ISSUBSET, ("198.51.100.0/24",)),
        ("[file:name IN ('a', 'b')]", "file", "name", Op.IN, ("a", "b")),
        ("[EXISTS windows-registry-key:values]", "windows-registry-key", "values", Op.EXISTS, ()),
        (
            "[windows-registry-key:values[*].name = 'x']",
            "windows-registry-key",
            "values[*].name",
            Op.EQ,
            ("x",),
        ),
        (
            "[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'x']",
            "network-traffic",
            "extensions.http-request-ext.request_header.User-Agent",
            Op.EQ,
            ("x",),
        ),
        ("// a remark\n[file:size = -3]", "file", "size", Op.EQ, (-3,)),
        ("[file:size = 1.5]", "file", "size", Op.EQ, (1.5,)),
        ("[process:is_hidden = true]", "process", "is_hidden", Op.EQ, (True,)),
    ],
)
def test_parse_comparison_gives_its_parts(
    pattern: str, *, kind: str, path: str, op: Op, constants: tuple[object, ...]
) -> None:
    found = one(pattern)
    assert (found.kind, found.path, found.op, found.constants) == (kind, path, op, constants)
    assert not found.is_negated


def test_parse_not_negates_the_comparison() -> None:
    assert one("[file:name NOT = 'a']").is_negated
    assert one("[file:name NOT IN ('a')]").is_negated


def test_parse_and_binds_closer_than_or() -> None:
    parsed = parse("[a-b:x = 1 OR a-b:y = 2 AND a-b:z = 3]")
    assert isinstance(parsed, Observation)
    assert isinstance(parsed.test, AnyOf)
    assert isinstance(parsed.test.parts[1], AllOf)
    outer = parse("[a-b:x = 1] OR [a-b:y = 2] AND ([a-b:z = 3] OR [a-b:z = 4])")
    assert isinstance(outer, Either)
    assert isinstance(outer.parts[1], Together)


def test_parse_path_keeps_what_text_alone_would_mix_up() -> None:
    assert one("[x:'a.b'.c[*][2].'[*]' = 1]").steps == ("a.b", "c", Index(None), Index(2), "[*]")
    assert one("[x:y[+1][-1] = 1]").steps == ("y", Index(1), Index(-1))


@pytest.mark.parametrize(
    ("written", "constant"),
    [
        ("'it\\'s \\\\ all'", "it's \\ all"),
        ("'\\\\\\''", "\\'"),
        ("''", ""),
        ("'\u3042\n'", "\u3042\n"),
        ("0", 0),
        ("+7", 7),
        ("-12", -12),
        (".5", 0.5),
        ("-0.25", -0.25),
        ("+10.0", 10.0),
        ("true", True),
        ("false", False),
        ("h''", b""),
        ("h'00fF'", b"\x00\xff"),
        ("b'AQIDBA=='", b"\x01\x02\x03\x04"),
        ("t'2026-11-23T03:00:00.123456789Z'", Instant("2026-11-23T03:00:00.123456789Z")),
        ("t'2026-02-30T23:59:60Z'", Instant("2026-02-30T23:59:60Z")),
    ],
)
def test_parse_constant_gives_its_value_and_type(written: str, constant: Constant) -> None:
    found = one(f"[a-b:x = {written}]").constants
    assert found == (constant,)
    assert type(found[0]) is type(constant)


def observation(path: str) -> Observation:
    return Observation(test=Comparison(kind="a", steps=(path,), op=Op.EQ, constants=(1,)))


A, B, C, D = (observation(path) for path in "bcde")
START, STOP = Instant("2026-01-01T00:00:00Z"), Instant("2026-01-02T00:00:00.5Z")


@pytest.mark.parametrize(
    ("pattern", "tree"),
    [
        (
            "[a:b=1] FOLLOWEDBY [a:c=1] OR [a:d=1] AND [a:e=1]",
            Followed(parts=(A, Either(parts=(B, Together(parts=(C, D)))))),
        ),
        ("[a:b=1] AND [a:c=1] OR [a:d=1]", Either(parts=(Together(parts=(A, B)), C))),
        ("([a:b=1] FOLLOWEDBY [a:c=1]) AND [a:d=1]", Together(parts=(Followed(parts=(A, B)), C))),
        ("[a:b=1] FOLLOWEDBY [a:c=1] FOLLOWEDBY [a:d=1]", Followed(parts=(A, B, C))),
        (
            "[a:b=1] FOLLOWEDBY [a:c=1] WITHIN 30 SECONDS",
            Followed(parts=(A, Within(part=B, duration_s=30))),
        ),
        (
            "([a:b=1] AND [a:c=1]) WITHIN .5 SECONDS REPEATS 3 TIMES",
            Repeated(part=Within(part=Together(parts=(A, B)), duration_s=0.5), n_times=3),
        ),
        (
            "[a:b=1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00.5Z' REPEATS 2 TIMES REPEATS 2 TIMES",
            Repeated(part=Repeated(part=During(part=A, start=START, stop=STOP), n_times=2), n_times=2),
        ),
        ("(([a:b=1]))", A),
        ("[a:b=1]// one\nAND/* t\nwo */[a:c\u3000=\u00a01]", Together(parts=(A, B))),
        ("[a:b=1AND a:c=1]", Observation(test=AllOf(parts=(one("[a:b=1]"), one("[a:c=1]"))))),
    ],
)
def test_parse_operators_bind_as_the_grammar_says(pattern: str, tree: Expression) -> None:
    assert parse(pattern) == tree


def test_parse_exists_may_be_negated_and_takes_no_constant() -> None:
    assert one("[NOT EXISTS a:b.c]") == Comparison(
        kind="a", steps=("b", "c"), op=Op.EXISTS, constants=(), is_negated=True
    )


def test_parse_empty_set_is_one() -> None:
    assert one("[a:b NOT IN ()]").constants == ()


def test_parse_times_in_plain_quotes_belong_to_stix_2_0() -> None:
    pattern = "[a:b=1] START '2026-01-01T00:00:00Z' STOP '2026-01-02T00:00:00.5Z'"
    assert parse(pattern, Edition.STIX_2_0) == During(part=A, start=START, stop=STOP)
    assert isinstance(parse(pattern), PatternFault)


def test_parse_exists_does_not_belong_to_stix_2_0() -> None:
    assert isinstance(parse("[EXISTS a:b]", Edition.STIX_2_0), PatternFault)


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("[a-b:x = h'0']", "a constant"),
        ("[a-b:x = b'====']", "a constant"),
        ("[a-b:x = t'yesterday']", "a constant"),
        ("[a-b:x = t'2026-13-01T00:00:00Z']", "a constant"),
        ("[a-b:x LIKE 3]", "LIKE"),
        ("[a-b:x < true]", "order"),
        ("[a-b:x = null]", "a constant"),
        ("[a-b:x = 007]", "]"),
        ("[a-b:x = ]", "a constant"),
        ("[a-b:x = 'a'", "]"),
        ("a-b:x = 'a'", "["),
        ("[a-b = 'a']", ":"),
        ("[a-b:x-y = 'a']", "quotes"),
        ("[a-b:LAST = 'a']", "a property"),
        ("[a-b:x[1.5] = 'a']", "whole number"),
        ("[a-b:x ~ 'a']", "~"),
        ("[a-b:x matches 'a']", "in capitals: MATCHES"),
        ("[NOT a-b:x = 'a']", "EXISTS"),
        ("[a-b:x = 'a'] [a-b:x = 'b']", "AND, OR, a qualifier or the end"),
        ("[a-b:x = 'a'] within 2 seconds", "in capitals: WITHIN"),
        ("[a-b:x = 'a'] WITHIN 5 HOURS", "SECONDS"),
        ("[a-b:x = 'a'] WITHIN -5 SECONDS", "positive"),
        ("[a-b:x = 'a'] REPEATS 1.5 TIMES", "positive whole"),
        ("[a-b:x = 'a'] START t'2026-01-01T00:00:00Z'", "STOP"),
        ("[a-b:x = 'a] ", "'a]"),
        ("[a-b:x = 'a\\n']", "'a"),
        ("[a-b:x = 'a' /* ]", "/*"),
        ("", "["),
        ("(" * 100 + "[a-b:x = 1]" + ")" * 100, "deeper"),
        ("[" + "(" * 100 + "a-b:x = 1" + ")" * 100 + "]", "deeper"),
        ("[a-b:x = 1]" + " REPEATS 2 TIMES" * 100, "qualifiers"),
        ("(" * 30 + "[a-b:x = 1]" + " REPEATS 2 TIMES)" * 30 + " WITHIN 1 SECONDS" * 60, "deeper"),
        ("[a-b:x = '" + "a" * 70_000 + "']", "longer"),
        ("[a-b:x IN (" + "1," * 10_001 + "1)]", "10000 values"),
        ("[a-b:x = " + "9" * 5_000 + "]", "digits"),
        ("[a-b:x = " + "9" * 350 + ".0]", "too large"),
    ],
)
def test_parse_what_is_no_pattern_is_a_fault_which_names_the_part(pattern: str, named: str) -> None:
    fault = parse(pattern)
    assert isinstance(fault, PatternFault)
    assert named in fault.why


@pytest.mark.parametrize(
    ("pattern", "at", "line", "column"),
    [
        ("[file:size = ]", 13, 1, 14),
        ("[file:hashes.MD5 = cead3f77]", 19, 1, 20),
        ("[file.size = 1280]", 5, 1, 6),
        ("[a:b = 1]\n  AND [a:c =? 2]", 22, 2, 13),
        ("[a:b = 1]\nAND", 13, 2, 4),
    ],
)
def test_parse_fault_stands_where_the_trouble_starts(pattern: str, at: int, line: int, column: int) -> None:
    fault = parse(pattern)
    assert isinstance(fault, PatternFault)
    assert (fault.at, fault.line, fault.column) == (at, line, column)


def test_parse_deepest_tree_is_within_the_limit_and_the_next_is_refused() -> None:
    fits = "[a:b = 1]" + " REPEATS 2 TIMES" * (MAX_DEPTH - 2)
    deepest = parse(fits)
    assert not isinstance(deepest, PatternFault)
    assert depth_of(deepest) == MAX_DEPTH
    assert isinstance(parse(fits + " REPEATS 2 TIMES"), PatternFault)


PIECES = st.sampled_from(
    [
        "[", "]", "(", ")", "a-b:x", "x:y", ":", ".", "=", "!=", "<", "IN", "LIKE", "MATCHES", "ISSUBSET", "NOT", "AND",
        "OR", "'a'", "'", "\\", "1", "1.5", "-1", "+", "t'2026-01-01T00:00:00Z'", "h'00'", "b'AQ=='", "FOLLOWEDBY",
        "WITHIN", "REPEATS", "START", "STOP", "5", "SECONDS", "TIMES", ",", "*", "EXISTS", "true", "LAST", "\u3042",
        "\ud800", "\x00", "\x1c", "\u2003", "//", "/*", "*/", "[*]", "[x:y = 1]", "x",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=200))
@example("[a-b:x='\ud800']")
@example("[a-b:x[99999999999999999999].y = 1]")
def test_parse_any_text_gives_a_tree_or_a_reason(pattern: str) -> None:
    parsed = parse(pattern)
    assert isinstance(parsed, (*get_args(Expression), PatternFault))
    if isinstance(parsed, PatternFault):
        assert parsed.why
        assert len(parsed.why) < 500


HOSTILE = [
    "'", "\\", "'\\", "/*", "*/", "//", "/", "b'", "b'AAAA", "h'00", "t'2026-", "(", "[", "[(", "[a:b=1]",
    "[a:b=1] AND ", "[a:b=1] REPEATS 2 TIMES ", "a.", ".b", "[0]", "NOT ", "1", "-", "9.", "AND", " ", "\x85", "\u3042",
    "\ud800", "x'y'", "[a:b IN (1,", "=", "<", "[a:b='\\\\",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("head", ["", "[a:b = ", "[a:b IN (", "[a:"])
def test_parse_of_any_piece_repeated_to_the_full_length_ends(piece: str, head: str) -> None:
    whole = (head + piece * (MAX_PATTERN_CHARACTERS // len(piece)))[:MAX_PATTERN_CHARACTERS]
    assert isinstance(parse(whole), (*get_args(Expression), PatternFault))


def n_calls_of(pattern: str) -> int:
    """How many functions are called to parse it: work without a clock."""
    n_calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        parse(pattern)
    finally:
        sys.setprofile(None)
    return n_calls


@pytest.mark.parametrize(
    ("piece", "join"),
    [
        ("[a:b = 1]", " AND "),
        ("[a:b = 1]", " FOLLOWEDBY "),
        ("[a:b.c[*].'d' NOT LIKE 'it\\'s'] START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:01Z'", " OR "),
        ("[a:b = 1 AND (a:c = 2 OR a:d IN (1, 2))]", " OR "),
        ("[a:b = 1] /* x */ //y\n", " OR "),
    ],
)
def test_parse_work_grows_with_the_length_alone(piece: str, join: str) -> None:
    few, many = n_calls_of(join.join([piece] * 50)), n_calls_of(join.join([piece] * 400))
    assert few * 7 < many < few * 9


@given(st.text(alphabet="abc%_'\\ .*[]()\u3042", max_size=12))
def test_parse_quoted_constant_comes_back_whole(text: str) -> None:
    assert one(f"[file:name = {quoted(text)}]").constants == (text,)
    assert one(f"[file:name IN ({quoted(text)}, 'b')]").constants == (text, "b")


def is_refused_by_the_oasis(pattern: str) -> bool:
    """By the parser which its validator and its matcher share."""
    try:
        Pattern(pattern)
    except ParseException:
        return True
    return False


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=14).map(" ".join))
@example("[x:y = 1] FOLLOWEDBY ( [x:y = 1] OR [x:y = 1] ) WITHIN 5 SECONDS")
@example("[x:y = 007]")
@example("[x:y = 1AND x:y = 2]")
def test_parse_refuses_what_the_oasis_refuses_and_nothing_else(pattern: str) -> None:
    assert isinstance(parse(pattern), PatternFault) == is_refused_by_the_oasis(pattern)


@settings(max_examples=100)
@given(EXPRESSIONS)
def test_parse_accepts_each_tree_that_the_oasis_accepts(tree: Expression) -> None:
    assert not is_refused_by_the_oasis(written(tree))
    assert not isinstance(parse(written(tree)), PatternFault)


@given(EXPRESSIONS)
def test_parse_gives_back_the_tree_that_was_written(tree: Expression) -> None:
    assert parse(written(tree)) == tree
