"""STIX patterns: what is read, what is refused and with which reason, and that nothing makes the parser raise."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stix2patterns.validator import run_validator  # type: ignore[import-untyped]

from amagasa.detect.stix.pattern import (
    AllOf,
    AnyOf,
    Comparison,
    Either,
    Observation,
    Op,
    PatternFault,
    Together,
    parse,
)


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
        ("[url:value matches '^/a']", "url", "value", Op.MATCHES, ("^/a",)),
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


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("[a-b:x = 1] FOLLOWEDBY [a-b:y = 2]", "FOLLOWEDBY"),
        ("([a-b:x = 1] AND [a-b:y = 2]) WITHIN 30 SECONDS", "WITHIN"),
        ("[a-b:x = 1] REPEATS 5 TIMES", "REPEATS"),
        ("[a-b:x = 1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'", "START"),
        ("[a-b:x = h'00ff']", "hexadecimal"),
        ("[a-b:x = t'yesterday']", "no instant"),
        ("[a-b:x LIKE 3]", "LIKE"),
        ("[a-b:x = ]", "a constant"),
        ("[a-b:x = 'a'", "]"),
        ("a-b:x = 'a'", "["),
        ("[a-b = 'a']", ":"),
        ("[a-b:x ~ 'a']", "~"),
        ("[a-b:x = 'a'] [a-b:x = 'b']", "AND, OR or the end"),
        ("[a-b:x = 'a] ", "'a]"),
        ("", "["),
        ("(" * 100 + "[a-b:x = 1]" + ")" * 100, "deeper"),
        ("[" + "(" * 100 + "a-b:x = 1" + ")" * 100 + "]", "deeper"),
        ("[a-b:x = '" + "a" * 70_000 + "']", "longer"),
        ("[a-b:x = " + "9" * 5_000 + "]", "digits"),
    ],
)
def test_parse_what_cannot_run_is_a_fault_which_names_the_part(pattern: str, named: str) -> None:
    fault = parse(pattern)
    assert isinstance(fault, PatternFault)
    assert named in fault.why


PIECES = st.sampled_from(
    [
        "[", "]", "(", ")", "a-b:x", ":", ".", "=", "!=", "IN", "LIKE", "MATCHES", "NOT", "AND", "OR", "'a'", "'", "\\",
        "1", "1.5", "t'2026-01-01T00:00:00Z'", "FOLLOWEDBY", "WITHIN", "5", "SECONDS", ",", "*", "EXISTS", "true",
        "\u3042", "\ud800", "\x00", "//", "/*", "*/", "[*]",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=200))
@example("[a-b:x='\ud800']")
@example("[a-b:x[99999999999999999999].y = 1]")
def test_parse_any_text_gives_a_tree_or_a_reason(pattern: str) -> None:
    parsed = parse(pattern)
    assert isinstance(parsed, Observation | Together | Either | PatternFault)
    if isinstance(parsed, PatternFault):
        assert parsed.why
        assert len(parsed.why) < 500


CONSTANTS = st.text(alphabet="abc%_'\\ .*[]()\u3042", max_size=12)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(CONSTANTS)
def test_parse_quoted_constant_comes_back_whole(text: str) -> None:
    assert one(f"[file:name = {quoted(text)}]").constants == (text,)
    assert one(f"[file:name IN ({quoted(text)}, 'b')]").constants == (text, "b")


COMPARISONS = st.builds(
    lambda path, op, text: f"file:{path} {op} {quoted(text)}",
    st.sampled_from(["name", "'odd-one'", "parent_directory_ref.path"]),
    st.sampled_from(["=", "!=", "LIKE", "NOT =", "<", ">="]),
    CONSTANTS,
)
TESTS = st.lists(COMPARISONS, min_size=1, max_size=3).map(lambda parts: f"[{' OR '.join(parts)}]")
PATTERNS = st.lists(TESTS, min_size=1, max_size=3).map(" AND ".join)


@given(PATTERNS)
def test_parse_accepts_what_the_reference_accepts(pattern: str) -> None:
    assert run_validator(pattern, stix_version="2.1") == []
    assert not isinstance(parse(pattern), PatternFault)
