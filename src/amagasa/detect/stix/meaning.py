"""What the grammar of STIX patterns admits and no matcher can run, and what runs but is surely not meant."""

import re
from collections.abc import Iterator
from typing import Final

from amagasa.detect.stix.operators import text_fault
from amagasa.detect.stix.parse import Edition, fault_at, parse
from amagasa.detect.stix.pattern import (
    AllOf,
    AnyOf,
    Comparison,
    Constant,
    During,
    Expression,
    Instant,
    Observation,
    Op,
    PatternFault,
    Repeated,
    Test,
    Within,
    comparisons_of,
    observations_of,
    walk,
)
from amagasa.detect.stix.tokens import Kind, tokens_of
from amagasa.vocab.text import show

_HEXADECIMAL: Final = {
    "MD5": (32,),
    "MD6": (32, 40, 56, 64, 96, 128),
    "RIPEMD160": (40,),
    "SHA1": (40,),
    "SHA224": (56,),
    "SHA256": (64,),
    "SHA384": (96,),
    "SHA512": (128,),
    "SHA3224": (56,),
    "SHA3256": (64,),
    "SHA3384": (96,),
    "SHA3512": (128,),
    "WHIRLPOOL": (128,),
}
_QUALIFIERS: Final = frozenset({"WITHIN", "REPEATS", "START"})
_JOINS: Final = frozenset({"AND", "OR", "FOLLOWEDBY"})
_HEX: Final = re.compile(r"[0-9A-Fa-f]+")
_TEXT_OPERATORS: Final = frozenset({Op.LIKE, Op.MATCHES, Op.ISSUBSET, Op.ISSUPERSET})


def fault_of(expression: Expression) -> str | None:
    """Why the pattern cannot run on anything; None where it can. One reason, the first from left to right."""
    return next(_faults(expression), None)


def remarks_on(pattern: str, edition: Edition = Edition.STIX_2_1) -> tuple[PatternFault, ...]:
    """For a linter: all that is wrong with the pattern, or strange though it runs; empty where nothing is.

    What the validator of the OASIS refuses beyond the grammar is among them: two qualifiers of one kind on one `[...]`,
    a hash of the wrong length. Remarks which belong to no one character stand at 0.
    """
    expression = parse(pattern, edition)
    if isinstance(expression, PatternFault):
        return (expression,)
    whys = dict.fromkeys((*_faults(expression), *_oddities(expression)))
    return (*_doubled_qualifiers(pattern), *(PatternFault(why=why, at=0) for why in whys))


def _faults(expression: Expression) -> Iterator[str]:
    for node in walk(expression):
        match node:
            case Observation(test=test):
                for comparison in comparisons_of(test):
                    yield from _comparison_faults(comparison)
            case Within(duration_s=duration_s) if duration_s <= 0:
                yield "WITHIN needs more than 0 seconds"
            case Repeated(n_times=n_times) if n_times < 1:
                yield "REPEATS needs at least 1 time"
            case During(start=start, stop=stop):
                yield from _unreal(start)
                yield from _unreal(stop)


def _unreal(instant: Instant) -> Iterator[str]:
    if instant.at is None:
        yield f"no calendar has the time {show(instant.text, 60)}"


def _comparison_faults(comparison: Comparison) -> Iterator[str]:
    for constant in comparison.constants:
        if isinstance(constant, Instant):
            yield from _unreal(constant)
    if len({_type_of(constant) for constant in comparison.constants}) > 1:
        yield f"a set holds values of one type; that of {show(comparison.path, 60)} holds several"
    if comparison.op in _TEXT_OPERATORS:
        fault = text_fault(comparison.op, str(comparison.constants[0]))
        if fault:
            yield fault


def _type_of(constant: Constant) -> type:
    return float if type(constant) is int else type(constant)


def _oddities(expression: Expression) -> Iterator[str]:
    for node in walk(expression):
        if isinstance(node, During) and node.start.at and node.stop.at and node.start.at >= node.stop.at:
            yield "START is not before STOP: nothing lies between them"
    for observation in observations_of(expression):
        yield from _mixed_kinds(observation.test)
        for comparison in comparisons_of(observation.test):
            yield from _malformed_hashes(comparison)


def _doubled_qualifiers(pattern: str) -> Iterator[PatternFault]:
    """Two of one kind right after `[...]`; after brackets they may stack. Read from tokens: trees drop brackets."""
    seen: set[str] = set()
    before = ""
    for token in tokens_of(pattern):
        if token.text in _QUALIFIERS and token.kind is Kind.KEYWORD:
            if token.text in seen and before:
                yield fault_at(pattern, f"two qualifiers {token.text} on one observation", token.at)
            seen.add(token.text)
        elif token.kind is Kind.MARK or token.text in _JOINS:
            before = token.text if token.text == "]" else ""
            seen = set()


def _mixed_kinds(test: Test) -> Iterator[str]:
    if isinstance(test, Comparison):
        return
    kinds = [_kinds_of(part) for part in test.parts]
    if isinstance(test, AllOf) and not set.intersection(*kinds):
        named = " and ".join(sorted(set().union(*kinds)))
        yield f"AND inside brackets joins properties of one object; got {show(named, 100)}"
    for part in test.parts:
        yield from _mixed_kinds(part)


def _kinds_of(test: Test) -> set[str]:
    """The types of which an object may be that satisfies the test."""
    if isinstance(test, Comparison):
        return {test.kind}
    kinds = [_kinds_of(part) for part in test.parts]
    return set().union(*kinds) if isinstance(test, AnyOf) else set.intersection(*kinds)


def _malformed_hashes(comparison: Comparison) -> Iterator[str]:
    if "hashes" not in comparison.steps or not isinstance(comparison.steps[-1], str):
        return
    algorithm = comparison.steps[-1]
    lengths = _HEXADECIMAL.get(algorithm.upper().replace("-", ""))
    if lengths is None or comparison.op in {Op.LIKE, Op.MATCHES, Op.EXISTS}:
        return
    for constant in comparison.constants:
        if not isinstance(constant, str) or len(constant) not in lengths or not _HEX.fullmatch(constant):
            yield f"{show(str(constant), 60)} is no {show(algorithm, 20)} hash"
