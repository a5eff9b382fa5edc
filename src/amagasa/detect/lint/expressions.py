r"""Regular expressions: plain texts in disguise, edges that do nothing, dots and stars that mean something else.

Read piece by piece, not parsed: what is said holds for every dialect, and a broken expression is the engine's to name.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from msgspec import Struct

from amagasa.detect.lint.codes import quoted, say
from amagasa.detect.lint.finding import Finding
from amagasa.detect.lint.item import Item
from amagasa.detect.lint.tree import Scalar

# One piece: an escape, a class, a group's head, a count, or one character.
_PIECE: Final = re.compile(
    r"\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]|"
    r"\(\?(?:[a-zA-Z-]+:?|[:=!>]|<[=!]|P?<\w+>|P=\w+|#)?|\{\d*,?\d*\}[?+]?|[*+?][?+]?|.",
    re.DOTALL,
)
_PLAIN_ESCAPES: Final = frozenset("\\" + character for character in "\\ .-/()[]{}*+?^$|\"':=,;&%#@!_<>~`")
_META: Final = frozenset(".^$*+?()[]{}|")
_ENDINGS: Final = re.compile(
    r"(?i)(?:exe|dll|ps1|psm1|bat|cmd|vbs|js|jse|hta|com|net|org|io|ru|cn|php|asp|aspx|jsp|sys|scr|lnk|zip|rar|iso|"
    r"tmp|dat|log|txt|py|sh|xyz|top|info|biz|me|co)(?![A-Za-z0-9])"
)
_UNLINEAR: Final = re.compile(r"\(\?(?:[=!]|<[=!]|P=)|(?<!\\)(?:\\\\)*\\[1-9]")


class Piece(Struct, frozen=True):
    """A piece of an expression and where it begins. `plain`: the text it stands for, None where it is no plain text."""

    text: str
    at: int
    plain: str | None


def pieces_of(expression: str) -> list[Piece]:
    """The expression in pieces."""
    return [Piece(match[0], match.start(), _plain(match[0])) for match in _PIECE.finditer(expression)]


def _plain(text: str) -> str | None:
    if text in _PLAIN_ESCAPES:
        return text[1]
    if len(text) == 1 and text not in _META and text != "\\":
        return text
    return None


def check_regex(item: Item) -> Iterator[Finding]:
    """What is odd about the regular expressions of an item."""
    if "re" not in item.words:
        return
    for value in item.values:
        if value.kind == "str":
            yield from _check(item, value)


def _check(item: Item, value: Scalar) -> Iterator[Finding]:
    pieces = pieces_of(value.text)
    try:
        re.compile(value.text)
    except (re.error, RecursionError, OverflowError) as error:
        if not _UNLINEAR.search(value.text):
            yield _broken(value, error)
        return
    if found := _UNLINEAR.search(value.text):
        what = f"{quoted(found[0])}: look-around and back-references cannot run in linear time"
        yield say("regex-not-linear", value.within(found.start(), len(found[0])), what, hint="split it into selections")
        return
    yield from _stars(value, pieces)
    yield from _dots(value, pieces)
    plain = _as_plain(pieces)
    if plain is not None:
        modifier, text = plain
        name = f"{item.field}|{modifier}" if modifier else item.field
        cased = "" if item.words & {"i", "ignorecase"} or "(?i)" in value.text else ", with |cased for the same letters"
        what = f"this is the plain text {quoted(text)}"
        yield say("regex-plain", value.place, what, hint=f"{name} is cheaper and clearer{cased}")
    else:
        yield from _edges(value, pieces)
        yield from _case(item, value, pieces)


def _broken(value: Scalar, error: Exception) -> Finding:
    at = getattr(error, "pos", None)
    words = str(getattr(error, "msg", error)) or type(error).__name__
    hint = "Sigma's * is written .* here" if value.text.startswith("*") else ""
    place = value.place if at is None else value.within(min(at, max(len(value.text) - 1, 0)), 1)
    return say("regex-broken", place, f"the regular expression cannot be read: {words}", hint=hint)


def _stars(value: Scalar, pieces: list[Piece]) -> Iterator[Finding]:
    """`powershell*.exe`: a star behind a letter, and no other sign that the writer knows what it means."""
    others = [one for one in pieces if one.plain is None and one.text not in {"*", "?", ".", "^", "$"}]
    if others or any(before.text == "." for before, star in pairwise(pieces) if star.text == "*"):
        return
    for before, star in pairwise(pieces):
        if star.text == "*" and before.plain is not None and before.plain.isalnum():
            what = f"{quoted(before.text + '*')} means any number of {quoted(before.text)}"
            yield say("regex-wildcard", value.within(star.at, 1), what, hint="write .* for anything")
            return


def _dots(value: Scalar, pieces: list[Piece]) -> Iterator[Finding]:
    for place, piece in enumerate(pieces):
        before = pieces[place - 1].plain if place else None
        following = pieces[place + 1] if place + 1 < len(pieces) else None
        is_bare = piece.text == "." and before is not None and before.isalnum()
        if is_bare and following is not None and following.plain and _ENDINGS.match(value.text, following.at):
            what = "the dot matches any character"
            yield say("regex-dot", value.within(piece.at, 1), what, hint="write \\. for the dot itself")
            return


def _as_plain(pieces: list[Piece]) -> tuple[str, str] | None:
    """(modifier, text) where the expression is nothing but a text with `.*` at its edges."""
    texts = [piece.text for piece in pieces if piece.text != "(?i)"]
    start, end = 0, len(texts)
    is_start = is_end = False
    if texts[:1] == ["^"]:
        start, is_start = 1, True
    if end > start and texts[end - 1] == "$":
        end, is_end = end - 1, True
    kept = [piece for piece in pieces if piece.text != "(?i)"][start:end]
    if [one.text for one in kept[:2]] == [".", "*"]:
        kept, is_start = kept[2:], False
    if [one.text for one in kept[-2:]] == [".", "*"]:
        kept, is_end = kept[:-2], False
    if not kept or any(one.plain is None for one in kept):
        return None
    text = "".join(one.plain or "" for one in kept)
    modifier = {(True, True): "", (True, False): "startswith", (False, True): "endswith"}.get(
        (is_start, is_end), "contains"
    )
    return modifier, text


def _edges(value: Scalar, pieces: list[Piece]) -> Iterator[Finding]:
    texts = [piece.text for piece in pieces]
    start = 1 if texts[:1] == ["^"] else 0
    if texts[start : start + 2] in ([".", "*"], [".", "*?"]):
        yield say("regex-edges", value.within(start, 2), "'.*' at the start does nothing: it is searched for anywhere")
    elif texts[-2:] in ([".", "*"], [".", "*?"]):
        yield say("regex-edges", value.within(len(value.text) - 2, 2), "'.*' at the end does nothing")


def _case(item: Item, value: Scalar, pieces: list[Piece]) -> Iterator[Finding]:
    if item.words & {"i", "ignorecase"} or any("i" in one.text and one.text.startswith("(?") for one in pieces):
        return
    letters = [piece for piece in pieces if piece.plain is not None and piece.plain.isalpha()]
    if len(letters) >= 2:
        what = f"letter case counts here: {quoted(''.join(one.text for one in letters)[:20])} only as written"
        yield say("regex-case", value.place, what, hint=f"{item.field}|re|i compares as the rest of Sigma does")
