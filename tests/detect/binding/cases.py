"""Random observations and patterns that are likely to have to do with each other."""

from typing import Any

from hypothesis import strategies as st

from amagasa.detect.stix.pattern import (
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
    Repeated,
    Test,
    Together,
    Within,
)


def stamp(s: float) -> str:
    return f"2026-01-01T00:00:{s:06.3f}Z"


VALUES = st.integers(0, 3) | st.sampled_from(["x", "y", True, 2.0, None])
OBJECTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["p", "p", "q"]), "v": VALUES},
    optional={
        "w": st.lists(VALUES, max_size=2),
        "o_ref": st.sampled_from("019"),
        "o_refs": st.lists(st.sampled_from("019")),
    },
)


def _observed(
    spans: list[tuple[int, int]], counts: list[int], objects: list[list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    return [
        {
            "type": "observed-data",
            "id": f"observed-data--{i}",
            "first_observed": stamp(begin),
            "last_observed": stamp(begin + length),
            "number_observed": n,
            "objects": {str(k): one for k, one in enumerate(ones)},
        }
        for i, ((begin, length), n, ones) in enumerate(zip(spans, counts, objects, strict=False))
    ]


OBSERVED = st.builds(
    _observed,
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 0, 0, 1, 4])), min_size=1, max_size=6),
    st.lists(st.sampled_from([1, 1, 1, 2]), min_size=6, max_size=6),
    st.lists(st.lists(OBJECTS, min_size=1, max_size=2), min_size=6, max_size=6),
)

STEPS = st.sampled_from(
    [
        ("v",),
        ("v",),
        ("w", Index(None)),
        ("w", Index(0)),
        ("w", Index(-1)),
        ("o_ref", "v"),
        ("o_refs", Index(None), "v"),
        ("o_refs", Index(0), "o_refs", Index(None), "v"),
    ]
)


def _comparison(kind: str, steps: tuple[str | Index, ...], op: Op, constants: list[Constant]) -> Comparison:
    operands = {Op.EXISTS: (), Op.IN: tuple(c for c in constants if type(c) is type(constants[0]))}
    return Comparison(
        kind=kind, steps=steps, op=op, constants=operands.get(op, (constants[0],)), is_negated=len(constants) == 3
    )


COMPARISONS = st.builds(
    _comparison,
    st.sampled_from(["p", "p", "q"]),
    STEPS,
    st.sampled_from([Op.EQ, Op.NE, Op.GE, Op.GE, Op.LT, Op.IN, Op.EXISTS]),
    st.lists(st.integers(0, 3) | st.sampled_from(["x", 1.5]), min_size=1, max_size=3),
)


def _tests(inner: st.SearchStrategy[Test]) -> st.SearchStrategy[Test]:
    parts = st.lists(inner, min_size=2, max_size=2).map(tuple)
    return parts.map(lambda found: AllOf(parts=found)) | parts.map(lambda found: AnyOf(parts=found))


def _expressions(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    parts = st.lists(inner, min_size=2, max_size=3)
    instants = st.integers(0, 9).map(lambda s: Instant(stamp(s)))
    return st.one_of(
        parts.map(lambda found: Together(parts=tuple(found))),
        parts.map(lambda found: Either(parts=tuple(found))),
        parts.map(lambda found: Followed(parts=tuple(found))),
        st.builds(lambda part, s: Within(part=part, duration_s=s), inner, st.sampled_from([0.5, 1, 2, 5])),
        st.builds(lambda part, n: Repeated(part=part, n_times=n), inner, st.integers(1, 3)),
        st.builds(lambda part, start, stop: During(part=part, start=start, stop=stop), inner, instants, instants),
    )


EXPRESSIONS = st.recursive(
    st.recursive(COMPARISONS, _tests, max_leaves=3).map(lambda test: Observation(test=test)), _expressions, max_leaves=4
)
