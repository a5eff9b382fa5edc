r"""Values: what YAML, Sigma or an editor made of a text that its writer did not mean."""

import re
from collections.abc import Iterator
from typing import Final

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.item import Item
from amagasa.detect.lint.texts import Pattern, pattern_of
from amagasa.detect.lint.tree import Scalar
from amagasa.vocab.text import show

MIN_KEYWORD: Final = 3
_SWITCHES: Final = frozenset({"yes", "no", "on", "off"})
_NULLS: Final = frozenset({"none", "null", "nil", "<null>", "n/a"})
_ESCAPED: Final = {"\t": "\\t", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v", "\x1b": "\\e", "\0": "\\0"}
# A share or device named by its whole path, of which the writer wrote each backslash once.
_SHARE: Final = re.compile(r"\\\\(?:[A-Za-z0-9_.$-]|\\\\|[.?]\\|\*\\)")
_PATHLIKE: Final = re.compile(r"(?:[A-Za-z]:|\\[A-Za-z0-9])[^*]*[A-Za-z0-9_)}%:]\\\*$")
# Emoji are written with these.
_JOINERS: Final = frozenset({"\u200d", *map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0020, 0xE0080))})
_EDITORS: Final = {"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u00a0": "a blank"}


def check_values(item: Item) -> Iterator[Finding]:
    """What is odd about the values of one item, regular expressions apart."""
    for value in item.values:
        yield from _yaml(item, value)
        yield from _odd_character(value)
        if value.kind == "str" and "re" not in item.words:
            yield from _text(item, value, pattern_of(value.text))
    yield from _repeated(item)


def _yaml(item: Item, value: Scalar) -> Iterator[Finding]:
    text = value.text
    if value.kind == "bool" and text.lower() in _SWITCHES:
        read = "true" if value.value else "false"
        yield say("yaml-type", value.place, f"{text} without quotes is read as {read}", hint=f"write '{text}'")
    elif value.kind == "int" and str(value.value) != text.lstrip("+"):
        what = f"{text} without quotes is read as the number {show(str(value.value), 30)}"
        yield say("yaml-type", value.place, what, hint=f"write '{text}'")
    elif value.kind == "float" and repr(value.value) != text and "re" not in item.words:
        what = f"{text} without quotes is read as the number {value.value}"
        yield say("yaml-type", value.place, what, hint=f"write '{text}'")
    elif value.kind == "timestamp":
        yield say("yaml-type", value.place, f"{text} without quotes is read as a date", hint=f"write '{text}'")
    elif value.kind == "null" and not text:
        hint = "write null where the field is meant to be missing"
        yield say("empty-value", value.place, "nothing stands here, which is read as null", hint=hint)
    if value.style == '"' and (found := next((one for one in text if one in _ESCAPED), None)):
        what = f"{_ESCAPED[found]} within double quotes became a control character"
        yield say("yaml-escape", value.place, what, hint="use single quotes, in which a backslash is a backslash")


def _odd_character(value: Scalar) -> Iterator[Finding]:
    for at, character in enumerate(value.text):
        if character in _EDITORS:
            what = f"U+{ord(character):04X} is not the character on the keyboard"
            yield say("odd-character", value.within(at, 1), what, expected=_EDITORS[character])
            return
        if ord(character) > 0x7F and character not in _JOINERS and show(character) != character:
            what = f"U+{ord(character):04X} is invisible"
            yield say("odd-character", value.within(at, 1), what, hint="write it as an escape in double quotes")
            return


def _text(item: Item, value: Scalar, pattern: Pattern) -> Iterator[Finding]:
    yield from _wildcards(item, value, pattern)
    yield from _backslashes(item, value, pattern)
    is_whole = bool(item.field) and not item.words & {"contains", "startswith", "endswith", "fieldref", "cidr"}
    if is_whole and not item.words and value.text.strip().lower() in _NULLS:
        what = f"{quoted(value.text)} is a text, not the missing value"
        yield say("null-word", value.place, what, hint="write null, without quotes, for a field that is missing")
    if is_whole and not pattern.has_wildcard and value.text != value.text.strip() and value.text.strip():
        yield say("padded", value.place, f"the blank at the edge of {quoted(value.text)} is compared as well")
    if not item.field and "fieldref" not in item.words:
        longest = max(map(len, pattern.plain))
        if longest < MIN_KEYWORD and not pattern.escaped:
            what = f"the keyword {quoted(value.text)} stands in most records"
            yield say("short-keyword", value.place, what, expected=f"{MIN_KEYWORD} characters or more")


def _wildcards(item: Item, value: Scalar, pattern: Pattern) -> Iterator[Finding]:
    if pattern.is_any:
        if item.field:
            yield say("matches-any", value.place, f"{quoted(value.text)} matches whatever {item.field} holds")
        return
    first, last = value.within(0, 1), value.within(len(value.text) - 1, 1)
    for modifier, is_first in (("contains", True), ("contains", False), ("endswith", True), ("startswith", False)):
        if modifier in item.words and (pattern.starts if is_first else pattern.ends):
            what = f"'{modifier}' puts the wildcard there anyway"
            yield say("idle-wildcard", first if is_first else last, what)
    if "startswith" in item.words and pattern.starts:
        what = "a wildcard at the start makes 'contains' of 'startswith'"
        yield say("edge-wildcard", first, what, hint=f"did you mean {item.field}|contains?")
    if "endswith" in item.words and pattern.ends:
        what = "a wildcard at the end makes 'contains' of 'endswith'"
        yield say("edge-wildcard", last, what, hint=f"did you mean {item.field}|contains?")


def _backslashes(item: Item, value: Scalar, pattern: Pattern) -> Iterator[Finding]:
    for at in pattern.escaped:
        if _PATHLIKE.search(value.text[: at + 2]):
            what = "the backslash makes a plain character of the wildcard behind it"
            hint = "write \\\\* for a backslash and then anything"
            yield say("literal-wildcard", value.within(at, 2), what, hint=hint)
            break
    is_start = bool(item.field) and item.words <= {"startswith", "cased", "neq", "expand"}
    if is_start and _SHARE.match(value.text) and not value.text.startswith("\\\\\\"):
        what = "two backslashes are read as one"
        yield say("single-backslash", value.within(0, 2), what, hint="write four for a share or a device")


def _repeated(item: Item) -> Iterator[Finding]:
    """Values that add nothing to the others of their list."""
    is_cased = bool(item.words & {"cased", "re", "base64", "base64offset"})
    texts = [
        (value, value.text if is_cased else value.text.lower()) for value in item.values if value.value is not None
    ]
    seen: set[str] = set()
    for value, text in texts:
        if text in seen:
            yield say("same-value", value.place, f"{quoted(value.text)} stands twice in the list")
        seen.add(text)
    # Encoded texts hold each other no longer, and each list is compared with itself: long ones are left alone.
    if item.words - {"contains", "startswith", "endswith", "cased", "all"} or len(texts) > 300:
        return
    modifier = next((one for one in ("contains", "startswith", "endswith") if one in item.words), "")
    if not modifier or (item.field and len(item.words & {"contains", "startswith", "endswith"}) > 1):
        return
    yield from _idle(modifier, texts, is_all="all" in item.words)


def _idle(modifier: str, texts: list[tuple[Scalar, str]], *, is_all: bool) -> Iterator[Finding]:
    plain = [(value, text) for value, text in texts if not pattern_of(text).has_wildcard and "\\" not in text[-1:]]
    for value, text in plain:
        other = next((one for _, one in plain if one and one != text and _covers(modifier, one, text)), None)
        if other is None:
            continue
        if is_all:
            inner = next(one for one, of in plain if of == other)
            what = f"{quoted(other)} is a part of {quoted(text)}, which must be there as well"
            yield say("idle-value", inner.place, what)
        else:
            what = f"whatever fits {quoted(text)} fits {quoted(other)}, which stands in the list as well"
            yield say("idle-value", value.place, what)


def _covers(modifier: str, short: str, long: str) -> bool:
    """Whether a field that `long` fits always fits `short`."""
    if modifier == "contains":
        return short in long
    return long.startswith(short) if modifier == "startswith" else long.endswith(short)
