"""The operators of STIX patterns over texts of our events, and which comparisons say nothing."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from amagasa.detect.stix.forms import (
    address,
    addresses_in,
    answers,
    canonical_instant,
    instant,
    kind_of_address,
    number,
)
from amagasa.detect.stix.meaning import fault_of
from amagasa.detect.stix.observables import fold_constant, form_of, is_folded, known_path, known_paths
from amagasa.detect.stix.operators import Network, finds, is_within, like_regex, network_of
from amagasa.detect.stix.pattern import (
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    Either,
    Expression,
    Instant,
    Observation,
    Op,
    Test,
    Together,
    parts_of,
    with_parts,
)
from amagasa.vocab.text import show

WIDEST_PREFIX: Final = 8  # bits: a shorter prefix holds more than 1/256 of all addresses

# One object of an event: (kind, {path: [(text, field of the event), ...]}).
Observed: TypeAlias = tuple[str, Mapping[str, Sequence[tuple[str, str]]]]

_ADDRESS_FORMS: Final = frozenset({address, addresses_in, answers})
_ADDRESS_PATHS: Final = frozenset(where for where in known_paths() if form_of(*where) in _ADDRESS_FORMS)
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z](?:[a-z0-9_-]*[a-z0-9])?", re.IGNORECASE
)
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_IPV4: Final = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_ORDER: Final = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})


def is_address_path(kind: str, path: str) -> bool:
    """Whether values of this path are addresses, so that prefixes and ISSUBSET mean something."""
    return (kind, path) in _ADDRESS_PATHS


def resolve(expression: Expression) -> Expression | str:
    """The expression with our kinds, paths and spelling of constants; or the reason why it cannot run.

    A path of ours is the one step of a comparison that was resolved.
    """
    return fault_of(expression) or _resolved(expression)


def _resolved(expression: Expression) -> Expression | str:
    if isinstance(expression, Observation):
        test = _resolve_test(expression.test)
        return test if isinstance(test, str) else Observation(test=test)
    parts = [_resolved(part) for part in parts_of(expression)]
    reason = next((part for part in parts if isinstance(part, str)), None)
    return reason or with_parts(expression, [part for part in parts if not isinstance(part, str)])


def _resolve_test(test: Test) -> Test | str:
    if isinstance(test, Comparison):
        return _resolve_comparison(test)
    parts = tuple(_resolve_test(part) for part in test.parts)
    reason = next((part for part in parts if isinstance(part, str)), None)
    if reason:
        return reason
    kinds = {kind for part in parts if not isinstance(part, str) for kind in _kinds_of(part)}
    if isinstance(test, AllOf) and len(kinds) > 1:
        return f"AND inside brackets joins properties of one object; got {' and '.join(sorted(kinds))}"
    return type(test)(parts=tuple(part for part in parts if not isinstance(part, str)))


def _kinds_of(test: Test) -> set[str]:
    return {test.kind} if isinstance(test, Comparison) else {kind for part in test.parts for kind in _kinds_of(part)}


def _resolve_comparison(comparison: Comparison) -> Comparison | str:
    known = known_path(comparison.kind, comparison.path)
    if known is None:
        return f"no event shows the object path {show(f'{comparison.kind}:{comparison.path}', 100)}"
    kind, path = known
    constants = tuple(_written(kind, path, comparison, constant) for constant in comparison.constants)
    found = Comparison(
        kind=kind, steps=(path,), op=comparison.op, constants=constants, is_negated=comparison.is_negated
    )
    return _fault_of(found, comparison.constants) or found


def _written(kind: str, path: str, comparison: Comparison, constant: Constant) -> Constant:
    if comparison.op is Op.MATCHES:
        return constant
    if isinstance(constant, bool):
        return str(constant).lower()
    if isinstance(constant, int | float):
        is_whole = isinstance(constant, int) or constant.is_integer()
        return constant if comparison.op in _ORDER else str(int(constant) if is_whole else constant)
    if isinstance(constant, Instant):
        return fold_constant(kind, path, constant.text)
    if isinstance(constant, bytes):
        return constant.hex() if path.endswith("_hex") else fold_constant(kind, path, constant.decode("latin-1"))
    return fold_constant(kind, path, constant)


def _fault_of(comparison: Comparison, written: tuple[Constant, ...]) -> str | None:
    """Why the comparison can never hold; `written` are its constants as they stood in the pattern."""
    op, constants = comparison.op, comparison.constants
    kind, path = comparison.kind, comparison.path
    form = form_of(kind, path)
    if form is not instant and any(isinstance(constant, Instant) for constant in written):
        return f"{kind}:{path} is no time, but is compared with one"
    if op in {Op.ISSUBSET, Op.ISSUPERSET} and not is_address_path(kind, path):
        return f"{op.value} needs an address; got {kind}:{path}"
    if op not in {Op.EQ, Op.IN}:
        return None
    if is_address_path(kind, path):
        bad = next((constant for constant in constants if not _may_be_named(kind, str(constant))), None)
        return None if bad is None else f"not an address or prefix: {show(str(bad), 60)}"
    if form is instant:
        bad = next((constant for constant in constants if canonical_instant(str(constant)) is None), None)
        return None if bad is None else f"no time: {show(str(bad), 60)}"
    return None


def _may_be_named(kind: str, constant: str) -> bool:
    """An address or a prefix; what traffic refers to and names resolve to may be a host as well."""
    return network_of(constant) is not None or (kind != "ip-addr" and _HOST.fullmatch(constant) is not None)


def matches_everything(expression: Expression) -> bool:
    """Whether (nearly) every event with such an object would satisfy it: such content only makes noise."""
    if isinstance(expression, Observation):
        return _is_wide(expression.test)
    widths = [matches_everything(part) for part in parts_of(expression)]
    return any(widths) if isinstance(expression, Either) else all(widths)


def _is_wide(test: Test) -> bool:
    if isinstance(test, AnyOf):
        return any(_is_wide(part) for part in test.parts)
    if isinstance(test, AllOf):
        return all(_is_wide(part) for part in test.parts)
    if test.is_negated or test.op in {Op.NE, Op.EXISTS}:
        return True
    form = form_of(test.kind, test.path)
    if form is kind_of_address or (test.op in _ORDER and form in {number, instant}):
        return True
    if test.op is Op.LIKE:
        return not str(test.constants[0]).strip("%_")
    if test.op is Op.MATCHES:
        return finds(str(test.constants[0]), "")
    if is_address_path(test.kind, test.path):
        return any(_is_wide_network(network_of(str(constant))) for constant in test.constants)
    return any(constant == "" for constant in test.constants)


def equality(kind: str, path: str, constant: str) -> tuple[tuple[str, str], str] | str:
    """Our place and spelling of a single equality, or the reason why it cannot run: what `resolve` says, quickly."""
    known = known_path(kind, path)
    if known is None:
        return f"no event shows the object path {show(f'{kind}:{path}', 100)}"
    folded = fold_constant(*known, constant)
    if known in _ADDRESS_PATHS:
        if _PLAIN_IPV4.fullmatch(folded) and not folded.startswith(("127.", "0.")):
            return known, folded
        network = network_of(folded)
        if network is None:
            may_be = _may_be_named(known[0], folded)
            return (known, folded) if may_be else f"not an address or prefix: {show(constant, 60)}"
        return "the pattern matches everything or nearly so" if _is_wide_network(network) else (known, folded)
    form = form_of(*known)
    if not folded or form is kind_of_address:
        return "the pattern matches everything or nearly so"
    return (
        f"no time: {show(constant, 60)}" if form is instant and canonical_instant(constant) is None else (known, folded)
    )


def _is_wide_network(network: Network | None) -> bool:
    if network is None:
        return False
    return network.prefixlen < WIDEST_PREFIX or network.is_loopback or network.network_address.is_unspecified


def holds(expression: Expression, objects: Sequence[Observed]) -> set[str] | None:
    """The fields which satisfy the expression; None where the objects do not satisfy it."""
    if isinstance(expression, Observation):
        return next((found for one in objects if (found := _test_holds(expression.test, one)) is not None), None)
    results = [holds(part, objects) for part in parts_of(expression)]
    return _joined(results, needs_all=isinstance(expression, Together))


def _joined(results: list[set[str] | None], *, needs_all: bool) -> set[str] | None:
    found = [result for result in results if result is not None]
    if not found or (needs_all and len(found) < len(results)):
        return None
    return set().union(*found)


def _test_holds(test: Test, observed: Observed) -> set[str] | None:
    if not isinstance(test, Comparison):
        results = [_test_holds(part, observed) for part in test.parts]
        return _joined(results, needs_all=isinstance(test, AllOf))
    kind, properties = observed
    values = properties.get(test.path) if kind == test.kind else None
    if test.op is Op.EXISTS and test.is_negated and kind == test.kind and not values:
        return set() if any(properties.values()) else None
    if not values:
        return None
    fields = {field for text, field in values if _compare(test, text)}
    if test.is_negated:
        return None if fields else {field for _, field in values}
    return fields or None


def _compare(test: Comparison, text: str) -> bool:
    op = test.op
    if op is Op.EXISTS:
        return True
    if op in {Op.EQ, Op.NE, Op.IN}:
        equal = any(_equals(test, text, str(constant)) for constant in test.constants)
        return equal != (op is Op.NE)
    constant = test.constants[0]
    if op is Op.LIKE:
        return finds(like_regex(str(constant)), text)
    if op is Op.MATCHES:
        return finds(str(constant), text, ignore_case=is_folded(test.kind, test.path))
    if op is Op.ISSUBSET:
        return is_within(network_of(text), network_of(str(constant)))
    if op is Op.ISSUPERSET:
        return is_within(network_of(str(constant)), network_of(text))
    return _is_ordered(op, text, constant)


def _equals(test: Comparison, text: str, constant: str) -> bool:
    if text == constant:
        return True
    return is_address_path(test.kind, test.path) and is_within(network_of(text), network_of(constant))


def _is_ordered(op: Op, text: str, constant: Any) -> bool:
    left: Any = text
    right: Any = constant
    if isinstance(constant, int | float):
        try:
            left = float(text)
        except ValueError:
            return False
    else:
        right = str(constant)
    return bool({Op.LT: left < right, Op.LE: left <= right, Op.GT: left > right, Op.GE: left >= right}[op])
