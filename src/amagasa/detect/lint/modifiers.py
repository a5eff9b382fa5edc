"""Modifiers: those that there are not, that cannot stand where they stand, and that do nothing there."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.item import Item, Modifier
from amagasa.detect.lint.texts import pattern_of
from amagasa.detect.lint.tree import Scalar
from amagasa.detect.lint.words import MODIFIERS, Kind, did_you_mean

# These take the value as it was written, so they stand first.
_FIRST: Final = frozenset({"re", "cidr", "exists"})
_ENCODED: Final = frozenset({"base64", "base64offset"})
_PARTS: Final = frozenset({"contains", "startswith", "endswith", "re"})
_DASH: Final = re.compile(r"\B[-/]\b")
MAX_DASHES: Final = 5


def check_modifiers(item: Item, *, is_list_possible: bool) -> Iterator[Finding]:
    """What is wrong with the modifiers of one item. `is_list_possible`: the field may hold several values at once."""
    seen: set[str] = set()
    for place, modifier in enumerate(item.modifiers):
        if modifier.word not in MODIFIERS:
            yield _unknown(item, modifier)
            continue
        if modifier.word in seen:
            yield say("modifier-twice", item.place_of(modifier), f"{quoted(modifier.word)} stands there twice")
        seen.add(modifier.word)
        yield from _order(item, place, modifier)
        yield from _VALUE_CHECKS.get(modifier.word, _nothing)(item, modifier)
    yield from _all(item, is_list_possible=is_list_possible)
    yield from _encoding_alone(item)


def _unknown(item: Item, modifier: Modifier) -> Finding:
    word = modifier.word
    what = f"Sigma has no modifier {quoted(word)}" if word else "a modifier is missing between the bars"
    hint = did_you_mean(word, MODIFIERS, cutoff=0.6)
    if word.strip().lower() in MODIFIERS and word not in MODIFIERS:
        hint = f"modifiers are written in small letters without blanks: {word.strip().lower()}"
    return say("unknown-modifier", item.place_of(modifier), what, hint=hint)


def _order(item: Item, place: int, modifier: Modifier) -> Iterator[Finding]:
    before = [one.word for one in item.modifiers[:place]]
    if modifier.word in _FIRST and before:
        what = f"{quoted(modifier.word)} stands behind {quoted(before[0])}"
        yield say("modifier-order", item.place_of(modifier), what, expected=f"|{modifier.word} first")
    if MODIFIERS[modifier.word] is Kind.FLAG and "re" not in before:
        what = f"the flag {quoted(modifier.word)} stands without a regular expression"
        yield say("modifier-order", item.place_of(modifier), what, expected=f"|re|{modifier.word}")
    if modifier.word in _ENCODED and (others := [one for one in before if one in _PARTS]):
        what = f"{quoted(modifier.word)} stands behind {quoted(others[0])}"
        yield say("modifier-order", item.place_of(modifier), what, expected=f"|{modifier.word}|{others[0]}")
    if modifier.word in {"wide", "utf16", "utf16le", "utf16be"} and (others := [w for w in before if w in _ENCODED]):
        what = f"{quoted(modifier.word)} stands behind {quoted(others[0])}: the text is widened before it is encoded"
        yield say("modifier-order", item.place_of(modifier), what, expected=f"|{modifier.word}|{others[0]}")
    if modifier.word in {"exists", "fieldref", "cidr", *_NUMBERS} and not item.field:
        what = f"{quoted(modifier.word)} stands at a keyword"
        yield say("no-field", item.place_of(modifier), what, expected=f"field|{modifier.word}")


def _nothing(_item: Item, _modifier: Modifier) -> Iterator[Finding]:
    yield from ()


def _number(item: Item, modifier: Modifier) -> Iterator[Finding]:
    for value in item.values:
        if value.kind not in {"int", "float"}:
            hint = "write it without quotes" if _is_number(value.text) else ""
            what = f"{quoted(value.text)} is no number"
            yield say("not-a-number", value.place, what, expected=f"a number for {modifier.word}", hint=hint)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _network(item: Item, _modifier: Modifier) -> Iterator[Finding]:
    for value in item.values:
        expected = "an IPv4 or IPv6 network, such as 10.0.0.0/8"
        try:
            network = ipaddress.ip_network(value.text)
        except ValueError:
            yield say(
                "not-a-network",
                value.place,
                f"{quoted(value.text)} is no network",
                expected=expected,
                hint=_near_network(value.text),
            )
            continue
        if network.prefixlen == 0:
            yield say("wide-network", value.place, f"{quoted(value.text)} holds every address")


def _near_network(text: str) -> str:
    try:
        return f"did you mean {ipaddress.ip_network(text, strict=False)}?"
    except ValueError:
        pass
    octets = text.rstrip("*").rstrip(".").split(".")
    if text.endswith("*") and 0 < len(octets) < 4 and all(one.isdecimal() and int(one) < 256 for one in octets):
        filled = [*octets, *["0"] * (4 - len(octets))]
        return f"did you mean {'.'.join(filled)}/{8 * len(octets)}?"
    return ""


def _exists(item: Item, _modifier: Modifier) -> Iterator[Finding]:
    for value in item.values:
        if value.kind != "bool":
            yield say("not-a-boolean", value.place, f"{quoted(value.text)} is neither true nor false", expected="true")


def _encoded(item: Item, modifier: Modifier) -> Iterator[Finding]:
    for value in item.values:
        if value.kind == "str" and pattern_of(value.text).has_wildcard:
            what = f"{quoted(value.text)} has a wildcard, which {modifier.word} cannot encode"
            yield say("wildcard-encoded", value.place, what, expected="plain text; a backslash before * or ?")


def _windash(item: Item, modifier: Modifier) -> Iterator[Finding]:
    texts = [value for value in item.values if value.kind == "str"]
    dashes = {value.place: len(_DASH.findall(value.text)) for value in texts}
    for place, n_dashes in dashes.items():
        if n_dashes > MAX_DASHES:
            yield say("too-many-dashes", place, f"{n_dashes} dashes in one value", expected=f"at most {MAX_DASHES}")
    if texts and not any(dashes.values()):
        what = "'windash' changes no value: none has a dash or slash before a letter, behind a blank or at its start"
        yield say("modifier-idle", item.place_of(modifier), what)


def _cased(item: Item, modifier: Modifier) -> Iterator[Finding]:
    texts = [value.text for value in item.values if value.kind == "str"]
    if texts and all(text.lower() == text.upper() for text in texts):
        yield say("modifier-idle", item.place_of(modifier), "'cased' changes nothing: the values have no letters")


def _all(item: Item, *, is_list_possible: bool) -> Iterator[Finding]:
    modifier = next((one for one in item.modifiers if one.word == "all"), None)
    if modifier is None:
        return
    place = item.place_of(modifier)
    if len(item.values) == 1:
        hint = "list the values, each behind a dash" if "\n" in item.values[0].text else "leave it out"
        yield say("modifier-idle", place, "'all' has one value only", expected="a list of values", hint=hint)
    is_whole = bool(item.field) and item.words <= {"all", "cased"} and len(_different(item)) > 1
    if is_whole and not is_list_possible:
        hint = f"did you mean {item.field}|contains|all?"
        yield say("all-of-equals", place, f"{item.field} cannot equal {len(item.values)} texts at once", hint=hint)


def _different(item: Item) -> set[str]:
    texts = [value.text.lower() for value in item.values]
    return {text for text in texts if not pattern_of(text).has_wildcard}


def _encoding_alone(item: Item) -> Iterator[Finding]:
    modifier = next((one for one in item.modifiers if one.word == "base64offset"), None)
    if modifier is not None and item.field and not item.words & _PARTS:
        what = "'base64offset' is compared with the whole field"
        hint = f"did you mean {item.field}|{'|'.join(one.word for one in item.modifiers)}|contains?"
        yield say("encoding-alone", item.place_of(modifier), what, hint=hint)


def _regex_values(item: Item, _modifier: Modifier) -> Iterator[Finding]:
    for value in item.values:
        if not isinstance(value, Scalar) or value.kind != "str":
            what = f"{quoted(value.text)} is read as a {value.kind}"
            yield say("wrong-type", value.place, what, expected="a regular expression as text", hint="quote it")


_NUMBERS: Final = frozenset({"lt", "lte", "gt", "gte"})
_VALUE_CHECKS: Final = {
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_ENCODED, _encoded),
    "cidr": _network,
    "exists": _exists,
    "windash": _windash,
    "cased": _cased,
    "re": _regex_values,
}
