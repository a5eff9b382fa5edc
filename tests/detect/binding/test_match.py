"""Patterns against observed-data: whether and what they bind, what could not be told, and at what cost."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amagasa.detect.binding.match import Match, Matched, Undecided, Unmatched, match
from amagasa.detect.binding.solve import Answer, solve
from amagasa.detect.stix.parse import Edition
from amagasa.detect.stix.pattern import Comparison, Expression, Observation, Op, PatternFault, Repeated
from tests.detect.binding.cases import EXPRESSIONS, OBSERVED, stamp
from tests.detect.binding.reference import matches


def observed(
    name: str, begin: float, end: float | None = None, *, n: int = 1, objects: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "type": "observed-data",
        "id": f"observed-data--{name}",
        "first_observed": stamp(begin),
        "last_observed": stamp(begin if end is None else end),
        "number_observed": n,
        "objects": objects or {"0": {"type": "x-door", "name": name, "n": int(begin)}},
    }


def names(found: Match) -> str:
    """The letters of what matched; - for nothing, ? for what could not be told."""
    if isinstance(found, Matched):
        return "".join(one.data["id"].removeprefix("observed-data--") for one in found.observations)
    assert isinstance(found, Unmatched | Undecided), found
    return "-" if isinstance(found, Unmatched) else "?"


def named(*letters: str) -> str:
    return f"[x-door:name IN ({', '.join(repr(letter) for letter in letters)})]"


# a at 0 s, b at 5 s, c at 10 s (seen twice), d from 12 s to 20 s
DOORS = [observed("a", 0), observed("b", 5), observed("c", 10, n=2), observed("d", 12, 20)]
A, B, C, D, Z = (named(letter) for letter in "abcdz")
ANY = "[x-door:n >= 0]"


def span(begin: float, end: float) -> str:
    return f"START t'{stamp(begin)}' STOP t'{stamp(end)}'"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        # one observation
        (ANY, "a"),
        (B, "b"),
        (Z, "-"),
        ("[x-window:n >= 0]", "-"),
        ("[x-door:m >= 0]", "-"),
        # AND: observations of their own
        (f"{A} AND {B}", "ab"),
        (f"{B} AND {A}", "ab"),
        (f"{A} AND {Z}", "-"),
        (f"{A} AND {A}", "-"),
        (f"{A} AND {ANY}", "ab"),
        (f"{C} AND {C}", "c"),
        (f"{C} AND {C} AND {C}", "-"),
        (f"{named('a', 'b')} AND {named('a', 'b')} AND {named('a', 'b')}", "-"),
        (f"{named('a', 'b')} AND {named('b', 'c')} AND {B}", "abc"),
        # OR: one side, the first that is found
        (f"{Z} OR {B}", "b"),
        (f"{B} OR {A}", "b"),
        (f"{Z} OR {Z}", "-"),
        (f"{Z} OR {A} AND {B}", "ab"),
        (f"{Z} AND {A} OR {B}", "b"),
        # FOLLOWEDBY: no later than
        (f"{A} FOLLOWEDBY {B}", "ab"),
        (f"{B} FOLLOWEDBY {A}", "-"),
        (f"{A} FOLLOWEDBY {C} FOLLOWEDBY {B}", "-"),
        (f"{A} FOLLOWEDBY {B} FOLLOWEDBY {C}", "abc"),
        (f"{A} FOLLOWEDBY {A}", "-"),
        (f"{C} FOLLOWEDBY {C}", "c"),
        (f"{C} FOLLOWEDBY {D}", "cd"),
        (f"({A} AND {C}) FOLLOWEDBY {B}", "-"),
        (f"({A} AND {B}) FOLLOWEDBY ({C} AND {D})", "abcd"),
        (f"{ANY} FOLLOWEDBY {B}", "ab"),
        (f"{A} FOLLOWEDBY {B} AND {C}", "abc"),
        (f"{B} FOLLOWEDBY {A} OR {C}", "bc"),
        (f"({Z} OR {B}) FOLLOWEDBY {A}", "-"),
        # WITHIN: one window touches all
        (f"({A} AND {B}) WITHIN 5 SECONDS", "ab"),
        (f"({A} AND {B}) WITHIN 4.999 SECONDS", "-"),
        (f"({B} AND {A}) WITHIN 5 SECONDS", "ab"),
        (f"{A} AND {B} WITHIN 0.001 SECONDS", "ab"),
        (f"{D} WITHIN 1 SECONDS", "d"),
        (f"({C} AND {D}) WITHIN 2 SECONDS", "cd"),
        (f"({C} AND {D}) WITHIN 1.9 SECONDS", "-"),
        (f"({A} OR {Z}) WITHIN 1 SECONDS", "a"),
        (f"({A} FOLLOWEDBY {B}) WITHIN 5 SECONDS FOLLOWEDBY {C}", "abc"),
        (f"({A} FOLLOWEDBY {ANY}) WITHIN 4 SECONDS", "-"),
        # REPEATS
        (f"{ANY} REPEATS 1 TIMES", "a"),
        (f"{ANY} REPEATS 3 TIMES", "abc"),
        (f"{ANY} REPEATS 5 TIMES", "abcd"),
        (f"{ANY} REPEATS 6 TIMES", "-"),
        (f"{C} REPEATS 2 TIMES", "c"),
        (f"{C} REPEATS 3 TIMES", "-"),
        (f"{ANY} REPEATS 2 TIMES REPEATS 2 TIMES", "abc"),
        (f"{ANY} REPEATS 2 TIMES REPEATS 3 TIMES", "-"),
        (f"{ANY} REPEATS 1000000000 TIMES", "-"),
        (f"{ANY} REPEATS 3 TIMES WITHIN 5 SECONDS", "bc"),
        (f"{ANY} REPEATS 3 TIMES WITHIN 2 SECONDS", "cd"),
        (f"{ANY} REPEATS 3 TIMES WITHIN 1 SECONDS", "-"),
        (f"({A} OR {B}) REPEATS 2 TIMES", "ab"),
        (f"({A} AND {B}) REPEATS 2 TIMES", "-"),
        (f"({ANY} FOLLOWEDBY {ANY}) REPEATS 2 TIMES", "abc"),
        (f"({ANY} FOLLOWEDBY {ANY}) WITHIN 5 SECONDS REPEATS 2 TIMES", "abc"),
        # START and STOP: from the first until before the second
        (f"{A} {span(0, 1)}", "a"),
        (f"{B} {span(0, 5)}", "-"),
        (f"{B} {span(5, 5.001)}", "b"),
        (f"{B} {span(5, 5)}", "-"),
        (f"{B} {span(9, 1)}", "-"),
        (f"{D} {span(20, 30)}", "d"),
        (f"{D} {span(0, 12)}", "-"),
        (f"({A} AND {B}) {span(0, 5)}", "-"),
        (f"{A} AND {B} {span(5, 6)}", "ab"),
        (f"{ANY} {span(1, 11)} REPEATS 3 TIMES", "bc"),
        (f"{ANY} REPEATS 3 TIMES {span(1, 11)}", "bc"),
        (f"{ANY} {span(1, 30)} {span(0, 6)}", "b"),
    ],
)
def test_match_over_time_binds_the_observations(pattern: str, expected: str) -> None:
    assert names(match(pattern, DOORS)) == expected


PARTS = [
    observed(
        "m",
        0,
        objects={
            "0": {"type": "file", "name": "a.zip", "size": 10, "contains_refs": ["1", "2", "9"], "tags": ["x", "y"]},
            "1": {"type": "file", "name": "b.txt", "size": 20, "parent_directory_ref": "3"},
            "2": {"type": "file", "name": "c.exe", "size": 30, "hashes": {"SHA-256": "ab", "MD5": "cd"}},
            "3": {"type": "directory", "path": "C:\\Temp", "contains_refs": ["0", "1"]},
            "4": {
                "type": "network-traffic",
                "extensions": {"http-request-ext": {"request_header": {"User-Agent": "curl"}}},
                "protocols": ["ipv4", "tcp"],
            },
            "5": {"type": "artifact", "payload_bin": "AQID", "magic_hex": "ffd8", "odd.key": 1, "times": [1, None]},
        },
    )
]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("file:name = 'a.zip' AND file:size = 10", True),
        ("file:name = 'a.zip' AND file:size = 20", False),
        ("file:name = 'z' AND file:size = 20 OR file:size = 30", True),
        ("file:name = 'z' AND (file:size = 20 OR file:size = 30)", False),
        ("file:name = 'a.zip' AND directory:path = 'C:\\\\Temp'", False),
        ("file:name = 'a.zip' OR directory:path = 'nowhere'", True),
        ("file:hashes.'SHA-256' = 'ab'", True),
        ("file:hashes.'SHA-1' = 'ab'", False),
        ("file:hashes.MD5 != 'ab'", True),
        ("file:hashes.'SHA-1' != 'ab'", False),
        ("file:hashes[*] = 'ab'", False),
        ("file:tags[*] = 'y'", True),
        ("file:tags[1] = 'y'", True),
        ("file:tags[0] = 'y'", False),
        ("file:tags[-1] = 'y'", False),
        ("file:tags[7] = 'y'", False),
        ("file:tags = 'y'", False),
        ("file:tags[*] NOT = 'y'", True),
        ("file:contains_refs[*].name = 'c.exe'", True),
        ("file:contains_refs[0].name = 'c.exe'", False),
        ("file:contains_refs[1].name = 'c.exe'", True),
        ("file:contains_refs[*].parent_directory_ref.path LIKE 'C:%'", True),
        ("file:parent_directory_ref.contains_refs[*].name = 'a.zip'", True),
        ("directory:contains_refs[*].contains_refs[*].parent_directory_ref.path LIKE '%Temp'", True),
        ("file:parent_directory_ref = '3'", False),
        ("network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'curl'", True),
        ("network-traffic:protocols[*] = 'tcp'", True),
        ("artifact:payload_bin = h'010203'", True),
        ("artifact:payload_bin MATCHES '\\\\x02'", True),
        ("artifact:magic_hex = b'/9g='", True),
        ("artifact:'odd.key' = 1", True),
        ("artifact:odd.key = 1", False),
        ("artifact:times[*] = 1", True),
        ("artifact:times[*] != 1", True),
        ("EXISTS file:hashes", True),
        ("EXISTS file:hashes.'SHA-1'", False),
        ("NOT EXISTS file:hashes.'SHA-1' AND file:name = 'c.exe'", True),
        ("NOT EXISTS file:hashes AND file:name = 'c.exe'", False),
        ("NOT EXISTS email-addr:value", False),
        ("EXISTS file:contains_refs[2]", False),
        ("EXISTS file:parent_directory_ref", True),
    ],
)
def test_match_paths_select_values_of_one_object(test: str, *, expected: bool) -> None:
    assert names(match(f"[{test}]", PARTS)) == ("m" if expected else "-")


def bundle(*objects: dict[str, Any]) -> dict[str, Any]:
    return {"type": "bundle", "id": "bundle--1", "objects": list(objects)}


def of_2_1(name: str, *refs: str) -> dict[str, Any]:
    return {key: value for key, value in observed(name, 0).items() if key != "objects"} | {"object_refs": list(refs)}


ALICE = {"type": "user-account", "id": "user-account--1", "user_id": "alice", "knows_ref": "user-account--2"}
BOB = {"type": "user-account", "id": "user-account--2", "user_id": "bob"}
EVE = {"type": "identity", "id": "identity--3", "name": "eve"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[user-account:user_id = 'alice']", "a"),
        ("[user-account:user_id = 'bob']", "b"),
        ("[user-account:user_id = 'alice'] AND [user-account:user_id = 'bob']", "ab"),
        ("[user-account:knows_ref.user_id = 'bob']", "b"),
        ("[user-account:knows_ref.user_id = 'bob'] AND [user-account:user_id = 'alice']", "ab"),
        ("[identity:name = 'eve']", "-"),
        ("[observed-data:number_observed = 1]", "-"),
    ],
)
def test_match_stix_2_1_names_its_objects_in_bundles(pattern: str, expected: str) -> None:
    apart = [
        bundle(of_2_1("a", "user-account--1", "identity--3", "file--9"), EVE),
        bundle(ALICE, BOB),
        of_2_1("b", "user-account--1", "user-account--2"),
    ]
    assert names(match(pattern, apart)) == expected


def test_match_object_which_no_observation_names_does_not_count() -> None:
    assert match("[user-account:user_id = 'bob']", [of_2_1("a", "user-account--1"), ALICE, BOB]) == Unmatched()


def test_match_stix_2_0_pattern_is_read_as_such() -> None:
    pattern = f"{A} START '{stamp(0)}' STOP '{stamp(1)}'"
    assert names(match(pattern, DOORS, Edition.STIX_2_0)) == "a"
    assert isinstance(match(pattern, DOORS), PatternFault)


@pytest.mark.parametrize("pattern", ["[a:b = ]", f"{A} WITHIN 0 SECONDS", "[a:b IN (1, 'a')]", "[a:b MATCHES '(']"])
def test_match_pattern_that_cannot_run_is_a_fault(pattern: str) -> None:
    assert isinstance(match(pattern, DOORS), PatternFault)


def test_match_tree_too_deep_is_a_fault() -> None:
    tree: Expression = Observation(test=Comparison(kind="a", steps=("b",), op=Op.EQ, constants=(1,)))
    for _ in range(5_000):
        tree = Repeated(part=tree, n_times=1)
    assert isinstance(match(tree, DOORS), PatternFault)


BROKEN = [
    ({"first_observed": "2026-01-01T00:00:00"}, "no time"),
    ({"last_observed": "2026-02-30T00:00:00Z"}, "no time"),
    ({"first_observed": 5}, "no time"),
    ({"first_observed": stamp(1), "last_observed": stamp(0)}, "after"),
    ({"number_observed": 0}, "no count"),
    ({"number_observed": True}, "no count"),
    ({"number_observed": "5"}, "no count"),
    ({"objects": [1]}, "neither"),
    ({"objects": {"0": 1}}, "neither"),
]


@pytest.mark.parametrize(("change", "named"), BROKEN)
def test_match_observation_that_cannot_be_read_leaves_a_doubt_but_hides_no_match(
    change: dict[str, Any], named: str
) -> None:
    broken = observed("x", 0) | change
    found = match(B, [broken])
    assert isinstance(found, Undecided)
    assert named in found.whys[0]
    assert names(match(B, [broken, *DOORS])) == "b"


@pytest.mark.parametrize("value", [None, 5, "text", [], {"type": 5}])
def test_match_what_is_no_stix_object_leaves_a_doubt(value: Any) -> None:
    assert isinstance(match(B, [value]), Undecided)


ODD = {
    "0": {
        "type": "x",
        "at": "yesterday",
        "ip": "nowhere",
        "o_ref": 5,
        "o_refs": "0",
        "p_refs": [5],
        "v_hex": "0",
        "v_bin": 5,
    }
}


@pytest.mark.parametrize(
    "test",
    [
        "x:at = t'2026-01-01T00:00:00Z'",
        "x:at NOT = t'2026-01-01T00:00:00Z'",
        "x:ip ISSUBSET '198.51.100.0/24'",
        "x:o_ref.name = 'a'",
        "x:o_refs[*].name = 'a'",
        "x:p_refs[*].name = 'a'",
        "x:v_hex = h'00'",
        "EXISTS x:v_bin",
        "x:at = 'yesterday' AND x:v_hex = h'00'",
        "x:at = 'today' OR x:v_hex = h'00'",
    ],
)
def test_match_value_that_cannot_be_compared_leaves_a_doubt(test: str) -> None:
    odd = [observed("o", 0, objects=ODD)]
    assert names(match(f"[{test}]", odd)) == "?"
    assert names(match(f"[{test}] OR {B}", odd + DOORS)) == "b"


@pytest.mark.parametrize("test", ["x:at = 'today' AND x:v_hex = h'00'", "x:at = 'yesterday' OR x:v_hex = h'00'"])
def test_match_doubt_which_changes_nothing_is_none(test: str) -> None:
    assert names(match(f"[{test}]", [observed("o", 0, objects=ODD)])) == ("o" if "OR" in test else "-")


@settings(max_examples=150)
@given(EXPRESSIONS, OBSERVED)
def test_match_agrees_with_the_plain_evaluator(expression: Expression, observations: list[dict[str, Any]]) -> None:
    found = match(expression, observations)
    assert not isinstance(found, PatternFault | Undecided)
    assert isinstance(found, Matched) == matches(expression, observations)


@settings(max_examples=100)
@given(EXPRESSIONS, OBSERVED)
def test_match_what_is_given_back_satisfies_the_pattern_alone(
    expression: Expression, observations: list[dict[str, Any]]
) -> None:
    found = match(expression, observations)
    if isinstance(found, Matched):
        assert matches(expression, [dict(one.data) for one in found.observations])


@settings(max_examples=150)
@given(EXPRESSIONS, OBSERVED)
def test_match_by_the_solver_alone_agrees_with_the_plain_evaluator(
    expression: Expression, observations: list[dict[str, Any]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amagasa.detect.binding.match.first_in_order", lambda *_: Answer.UNKNOWN)
        found = match(expression, observations)
    assert isinstance(found, Matched) == matches(expression, observations)
    if isinstance(found, Matched):
        assert matches(expression, [dict(one.data) for one in found.observations])


KEYS = st.sampled_from(["type", "id", "v", "w", "o_ref", "o_refs", "v_hex"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(EXPRESSIONS, st.dictionaries(st.sampled_from("01"), st.dictionaries(KEYS, JSON)))
def test_match_hostile_objects_make_nothing_raise(expression: Expression, objects: dict[str, Any]) -> None:
    one = observed("h", 0) | {"objects": {key: {"type": "p"} | value for key, value in objects.items()}}
    assert isinstance(match(expression, [one]), Matched | Unmatched | Undecided)


def crowd(n: int, gap: float = 0.01) -> list[dict[str, Any]]:
    return [observed("x", i * gap, objects={"0": {"type": "p", "v": i % 3, "i": i}}) for i in range(n)]


@pytest.mark.parametrize(
    ("pattern", "is_match"),
    [
        ("[p:v >= 0] REPEATS 900 TIMES", True),
        ("[p:v >= 0] REPEATS 1001 TIMES", False),
        (" AND ".join(["[p:v >= 0]"] * 20), True),
        ("[p:v >= 0] REPEATS 500 TIMES AND [p:v >= 1] REPEATS 500 TIMES", True),
        ("[p:v >= 0] REPEATS 400 TIMES AND [p:v >= 1] REPEATS 600 TIMES", True),
        ("[p:v >= 0] REPEATS 300 TIMES AND [p:v >= 1] REPEATS 667 TIMES", False),
        ("[p:v = 1] REPEATS 30 TIMES WITHIN 0.87 SECONDS", True),
        ("[p:v = 1] REPEATS 30 TIMES WITHIN 0.86 SECONDS", False),
        ("([p:i > 500] FOLLOWEDBY [p:i < 500])", False),
        ("([p:v = 0] FOLLOWEDBY [p:v = 1] FOLLOWEDBY [p:v = 2] FOLLOWEDBY [p:i = 1]) WITHIN 5 SECONDS", False),
        ("([p:v >= 0] AND [p:v >= 0] AND [p:v >= 0]) WITHIN 0.015 SECONDS", False),
        ("([p:v = 1] FOLLOWEDBY [p:v >= 0]) REPEATS 100 TIMES", True),
        ("([p:v = 1] FOLLOWEDBY [p:v >= 0]) REPEATS 400 TIMES", False),
        ("([p:v = 1] OR [p:v = 2] AND [p:v = 0]) REPEATS 600 TIMES", True),
    ],
)
def test_match_a_thousand_observations_is_decided(pattern: str, *, is_match: bool) -> None:
    assert isinstance(match(pattern, crowd(1000)), Matched if is_match else Unmatched)


def test_match_what_would_take_too_long_is_said_to_be_undecided() -> None:
    found = match("([p:v = 1] FOLLOWEDBY [p:v >= 0]) REPEATS 20000 TIMES", crowd(100))
    assert isinstance(found, Undecided)
    assert "alternatives" in found.whys[0]


def test_match_search_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amagasa.detect.binding.match.solve", partial(solve, max_looks=1_000))
    found = match("([p:v = 1] FOLLOWEDBY [p:v >= 0]) REPEATS 300 TIMES WITHIN 9 SECONDS", crowd(1000))
    assert isinstance(found, Undecided)
    assert "could not decide" in found.whys[0]


@pytest.mark.parametrize("join", [" AND ", " OR ", " FOLLOWEDBY "])
def test_match_pattern_of_a_thousand_observations_is_answered(join: str) -> None:
    found = match(join.join(f"[p:i = {i}]" for i in range(1_000)), crowd(1_000))
    assert isinstance(found, Matched)
    assert len(found.observations) == (1 if join == " OR " else 1_000)


def test_match_references_in_circles_do_not_multiply() -> None:
    circle = {str(i): {"type": "x", "o_refs": ["0", "1", "2", "3"], "n": i} for i in range(4)}
    path = ".".join(["o_refs[*]"] * 60)
    assert names(match(f"[x:{path}.n = 3]", [observed("r", 0, objects=circle)])) == "r"
    assert names(match(f"[x:{path}.n = 4]", [observed("r", 0, objects=circle)])) == "-"


def test_match_many_times_seen_costs_no_more_than_once() -> None:
    flood = [observed("f", 0, 5, n=10**12)]
    assert names(match(f"[x-door:n = 0] REPEATS {10**12} TIMES WITHIN 1 SECONDS", flood)) == "f"
    assert names(match(f"[x-door:n = 0] REPEATS {10**12 + 1} TIMES", flood)) == "-"


def test_match_or_binds_by_its_first_part_first_as_the_oasis_matcher_does() -> None:
    two = [observed(name, 0, objects={"0": {"type": "p", "v": v}}) for name, v in (("a", 2), ("b", 1))]
    assert names(match("[p:v = 1 OR p:v = 2]", two)) == "b"
    assert names(match("[p:v IN (1, 2)]", two)) == "a"
