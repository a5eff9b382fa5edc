"""The tree of a STIX pattern -> its text, which `parse` reads back as the same tree."""

import re
from decimal import Decimal
from typing import Final

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
    Within,
)
from amagasa.detect.stix.tokens import INSTANT, KEYWORDS

_BARE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def written(expression: Expression) -> str:
    """The pattern in one line, with the fewest brackets that keep its meaning and its shape."""
    match expression:
        case Observation(test=test):
            return f"[{_test(test)}]"
        case Within(part=part, duration_s=duration_s):
            return f"{_bound(part)} WITHIN {_number(duration_s)} SECONDS"
        case Repeated(part=part, n_times=n_times):
            return f"{_bound(part)} REPEATS {n_times} TIMES"
        case During(part=part, start=start, stop=stop):
            return f"{_bound(part)} START {_limit(start)} STOP {_limit(stop)}"
        case Followed(parts=parts):
            return " FOLLOWEDBY ".join(_in_brackets(part, Followed) for part in parts)
        case Either(parts=parts):
            return " OR ".join(_in_brackets(part, Followed, Either) for part in parts)
    return " AND ".join(_bound(part) for part in expression.parts)


def _in_brackets(part: Expression, *looser: type) -> str:
    return f"({written(part)})" if isinstance(part, looser) else written(part)


def _bound(part: Expression) -> str:
    """What AND and qualifiers may stand beside."""
    return written(part) if isinstance(part, Observation | Within | Repeated | During) else f"({written(part)})"


def _test(test: Test) -> str:
    if isinstance(test, Comparison):
        return _comparison(test)
    if isinstance(test, AllOf):
        return " AND ".join(_comparison(part) if isinstance(part, Comparison) else _nested(part) for part in test.parts)
    return " OR ".join(_nested(part) if isinstance(part, AnyOf) else _test(part) for part in test.parts)


def _nested(test: Test) -> str:
    return f"({_test(test)})"


def _comparison(comparison: Comparison) -> str:
    where = f"{comparison.kind}:{''.join(_step(step) for step in comparison.steps).removeprefix('.')}"
    negation = "NOT " if comparison.is_negated else ""
    if comparison.op is Op.EXISTS:
        return f"{negation}EXISTS {where}"
    constants = [_constant(constant) for constant in comparison.constants]
    operand = f"({', '.join(constants)})" if comparison.op is Op.IN else constants[0]
    return f"{where} {negation}{comparison.op.value} {operand}"


def _step(step: Step) -> str:
    if isinstance(step, Index):
        return "[*]" if step.position is None else f"[{step.position}]"
    return f".{step}" if _BARE.fullmatch(step) and step not in KEYWORDS else f".{_quoted(step)}"


def _constant(constant: Constant) -> str:
    if isinstance(constant, bool):
        return str(constant).lower()
    if isinstance(constant, int | float):
        return _number(constant)
    if isinstance(constant, bytes):
        return f"h'{constant.hex()}'"
    return f"t'{constant.text}'" if isinstance(constant, Instant) else _quoted(constant)


def _number(number: float) -> str:
    """Never with an exponent, which the grammar does not have."""
    if isinstance(number, int):
        return str(number)
    text = format(Decimal(repr(number)), "f")
    return text if "." in text else f"{text}.0"


def _limit(instant: Instant) -> str:
    return f"t'{instant.text}'" if INSTANT.fullmatch(instant.text) else _quoted(instant.text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
