"""Random trees of STIX patterns for hypothesis: everything the grammar has, small enough to be matched as well."""

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
    Step,
    Test,
    Together,
    Within,
)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


TEXTS = st.text(alphabet="abc%_'\\ .*\u3042\u1e0d", max_size=6)
INSTANTS = st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T00:00:02.5Z", "2026-02-30T00:00:60Z"]).map(Instant)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
CONSTANTS = TEXTS | NUMBERS | st.booleans() | st.binary(max_size=4) | INSTANTS
KINDS = st.sampled_from(["file", "ipv4-addr", "x_y", "a-"])
PROPERTIES = st.sampled_from(["name", "size", "knows_ref", "some_refs", "v_hex"]) | TEXTS | st.just("LIKE")
LATER_STEPS = st.lists(PROPERTIES | st.sampled_from([Index(None), Index(0), Index(-3)]), max_size=3)
STEPS = st.builds(lambda first, rest: (first, *rest), PROPERTIES, LATER_STEPS)


def _comparison(
    *, kind: str, steps: tuple[Step, ...], op: Op, constants: list[Constant], is_negated: bool
) -> Comparison:
    first = constants[0]
    if op in {Op.LIKE, Op.MATCHES, Op.ISSUBSET, Op.ISSUPERSET}:
        operands: tuple[Constant, ...] = (first if isinstance(first, str) else str(first),)
    elif op in {Op.LT, Op.LE, Op.GT, Op.GE}:
        operands = (int(first) if isinstance(first, bool) else first,)
    else:
        operands = {Op.EXISTS: (), Op.IN: tuple(constants[1:])}.get(op, (first,))
    return Comparison(kind=kind, steps=steps, op=op, constants=operands, is_negated=is_negated)


COMPARISONS = st.builds(
    _comparison,
    kind=KINDS,
    steps=STEPS,
    op=st.sampled_from(Op),
    constants=st.lists(CONSTANTS, min_size=1, max_size=3),
    is_negated=st.booleans(),
)


def _tests(inner: st.SearchStrategy[Test]) -> st.SearchStrategy[Test]:
    parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return parts.map(lambda found: AllOf(parts=found)) | parts.map(lambda found: AnyOf(parts=found))


def _expressions(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    parts = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        parts.map(lambda found: Together(parts=tuple(found))),
        parts.map(lambda found: Either(parts=tuple(found))),
        parts.map(lambda found: Followed(parts=tuple(found))),
        st.builds(lambda part, s: Within(part=part, duration_s=s), inner, st.integers(0, 9) | st.floats(0.1, 9)),
        st.builds(lambda part, n: Repeated(part=part, n_times=n), inner, st.integers(0, 4)),
        st.builds(lambda part, start, stop: During(part=part, start=start, stop=stop), inner, INSTANTS, INSTANTS),
    )


TESTS = st.recursive(COMPARISONS, _tests, max_leaves=4)
OBSERVATIONS = TESTS.map(lambda test: Observation(test=test))
EXPRESSIONS = st.recursive(OBSERVATIONS, _expressions, max_leaves=5)
