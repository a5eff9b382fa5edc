"""The operators of STIX patterns over JSON values (STIX 2.1 section 9.6.1), and the texts and addresses they compare.

Types which do not compare are unequal and have no order. A value which ought to compare and cannot be read (a text
beside a time constant that is no time) gives neither yes nor no but the reason.
"""

import ipaddress
import operator
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

import re2  # type: ignore[import-untyped]

from amagasa.detect.stix.pattern import Comparison, Constant, Instant, Op
from amagasa.vocab.text import show

MAX_REGEX_CHARACTERS: Final = 1_000  # what people write is shorter; what compiles to megabytes is longer

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Outcome: TypeAlias = bool | str  # yes, no, or the reason why it cannot be told

_ORDERS: Final[dict[Op, Callable[[Any, Any], bool]]] = {
    Op.LT: operator.lt,
    Op.LE: operator.le,
    Op.GT: operator.gt,
    Op.GE: operator.ge,
}
_PLAIN: Final = re.compile(r"[A-Za-z0-9]")


@lru_cache(maxsize=8192)
def network_of(text: str) -> Network | None:
    """The prefix or single address; None where it is neither. Host bits are cleared."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def is_within(inner: Network | None, outer: Network | None) -> bool:
    """Whether `outer` holds all of `inner`; no where either is no address, or they are of two versions."""
    if inner is None or outer is None or inner.version != outer.version:
        return False
    return inner.prefixlen >= outer.prefixlen and inner.network_address in outer


@lru_cache(maxsize=4096)
def _compiled(regex: str, ignore_case: bool) -> Any:  # noqa: FBT001
    """For RE2, whose time is linear in the text whatever the expression, and whose compiling is bounded in memory."""
    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.case_sensitive = not ignore_case
    return re2.compile(regex, options)


def finds(regex: str, text: str, *, ignore_case: bool = False) -> bool:
    """Whether `regex` matches somewhere in `text`; a lone surrogate counts as a question mark."""
    readable = text.encode("utf-8", "replace").decode()
    return _compiled(regex, ignore_case).search(readable) is not None


def like_regex(like: str) -> str:
    """LIKE as an anchored regex: % any characters, _ any one."""
    parts = {"%": ".*", "_": "."}
    escaped = (parts.get(character) or _escape(character) for character in like)
    return rf"\A{''.join(escaped)}\z"


def _escape(character: str) -> str:
    return character if ord(character) > 127 or _PLAIN.fullmatch(character) else rf"\x{ord(character):02x}"


def text_fault(op: Op, text: str) -> str | None:
    """Why LIKE, MATCHES, ISSUBSET or ISSUPERSET cannot run with this text; None where it can."""
    if op in {Op.ISSUBSET, Op.ISSUPERSET}:
        return None if network_of(text) else f"{op.value} needs an address or a prefix; got {show(text, 60)}"
    if len(text) > MAX_REGEX_CHARACTERS:
        return f"{op.value} with more than {MAX_REGEX_CHARACTERS} characters"
    try:
        _compiled(text if op is Op.MATCHES else like_regex(text), False)
    except (re2.error, UnicodeEncodeError) as error:
        return f"{op.value} runs in linear time only; {show(text, 60)} does not run so: {show(str(error), 100)}"
    return None


def predicate_of(comparison: Comparison) -> Callable[[Any], Outcome]:
    """One value -> whether the comparison holds for it, NOT included. Not for EXISTS, which looks at no value.

    The comparison must be one of which `meaning.fault_of` says nothing.
    """
    test = _predicate_of(comparison.op, comparison.constants)
    return _negated(test) if comparison.is_negated else test


def _negated(test: Callable[[Any], Outcome]) -> Callable[[Any], Outcome]:
    def negated(value: Any) -> Outcome:
        outcome = test(value)
        return outcome if isinstance(outcome, str) else not outcome

    return negated


def _predicate_of(op: Op, constants: tuple[Constant, ...]) -> Callable[[Any], Outcome]:
    match op:
        case Op.EQ if isinstance(constants[0], str):
            return _text_equality(constants[0])
        case Op.EQ | Op.IN:
            return lambda value: _is_one_of(value, constants)
        case Op.NE:
            return _negated(lambda value: _is_one_of(value, constants))
        case Op.LIKE:
            return _text_predicate(like_regex(unicodedata.normalize("NFC", str(constants[0]))), "utf-8")
        case Op.MATCHES:
            return _text_predicate(unicodedata.normalize("NFC", str(constants[0])), "latin-1")
        case Op.ISSUBSET:
            return lambda value: _is_subset(value, str(constants[0]))
        case Op.ISSUPERSET:
            return lambda value: _is_superset(value, str(constants[0]))
    order = _ORDERS[op]
    return lambda value: _is_ordered(value, constants[0], order)


def _text_equality(constant: str) -> Callable[[Any], Outcome]:
    """The commonest comparison, without the detour."""
    return lambda value: value == constant if value.__class__ is str else _is_one_of(value, (constant,))


def _is_one_of(value: Any, constants: tuple[Constant, ...]) -> Outcome:
    for constant in constants:
        pair = _comparable(value, constant)
        if isinstance(pair, str):
            return pair
        if pair is not None and pair[0] == pair[1]:
            return True
    return False


def _is_ordered(value: Any, constant: Constant, order: Callable[[Any, Any], bool]) -> Outcome:
    pair = _comparable(value, constant)
    if isinstance(pair, str):
        return pair
    return pair is not None and order(*pair)


def _comparable(value: Any, constant: Constant) -> tuple[Any, Any] | str | None:
    """Both as one type; None where their types do not compare; the reason where the value cannot be read as a time.

    Texts compare by code point, binary with text by the code points below 256.
    """
    if isinstance(constant, Instant):
        if not isinstance(value, str):
            return None
        at = Instant(value).at
        return f"{show(value, 60)} is no time, but is compared with one" if at is None else (at, constant.at)
    if isinstance(value, bool) or isinstance(constant, bool):
        return (value, constant) if isinstance(value, bool) and isinstance(constant, bool) else None
    if isinstance(constant, int | float):
        return (value, constant) if isinstance(value, int | float) else None
    if isinstance(value, bytes) or (isinstance(constant, bytes) and isinstance(value, str)):
        left, right = _bytes_of(value), _bytes_of(constant)
        return None if left is None or right is None else (left, right)
    return (value, constant) if isinstance(value, str) and isinstance(constant, str) else None


def _bytes_of(value: str | bytes) -> bytes | None:
    try:
        return value.encode("latin-1") if isinstance(value, str) else value
    except UnicodeEncodeError:
        return None


def _text_predicate(regex: str, encoding: str) -> Callable[[Any], Outcome]:
    """A search in text (in composed form), or in binary read by `encoding`; binary never meets letters above 255."""
    may_be_binary = all(ord(character) < 256 for character in regex)

    def test(value: Any) -> Outcome:
        if isinstance(value, bytes) and may_be_binary:
            try:
                return finds(regex, value.decode(encoding))
            except UnicodeDecodeError:
                return False
        return isinstance(value, str) and finds(regex, unicodedata.normalize("NFC", value))

    return test


def _is_subset(value: Any, constant: str) -> Outcome:
    network = _network_in(value)
    return network if isinstance(network, str) else is_within(network, network_of(constant))


def _is_superset(value: Any, constant: str) -> Outcome:
    network = _network_in(value)
    return network if isinstance(network, str) else is_within(network_of(constant), network)


def _network_in(value: Any) -> Network | str | None:
    """None where the value is no text, the reason where it is a text and no address."""
    if not isinstance(value, str):
        return None
    return network_of(value) or f"{show(value, 60)} is no address, but is compared with a prefix"
