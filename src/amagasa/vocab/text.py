"""Showing text that an attacker may have written."""

import hashlib
import re
from typing import Final

SHOWN_CHARACTERS: Final = 200
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")
_BIDI_AND_INVISIBLE: Final = frozenset(
    [
        0x00AD,
        0x061C,
        0x180E,
        *range(0x200B, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2060, 0x2070),
        *range(0xFE00, 0xFE10),
        0xFEFF,
        *range(0xFFF9, 0xFFFC),
        *range(0xE0000, 0xE0200),
    ]
)


def show(value: str | bytes, limit: int = SHOWN_CHARACTERS) -> str:
    r"""`value` on one line, safe for a terminal.

    Controls, marks of direction, what is invisible and lone surrogates come as \xNN, \uNNNN or \UNNNNNNNN. Cut to
    `limit` characters of output (at least 1), with an ellipsis where something was cut.
    """
    limit = max(limit, 1)
    # A character has at most four bytes: no need to decode a whole body for its first line.
    text = value[: 4 * (limit + 1)].decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown = "".join(_escape(character) for character in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _escape(character: str) -> str:
    point = ord(character)
    if point < 0x20 or 0x7F <= point < 0xA0:
        return f"\\x{point:02x}"
    if point in _BIDI_AND_INVISIBLE or 0xD800 <= point <= 0xDFFF:
        return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
    return character


def folder_name(name: str) -> str:
    """A folder's name for a thing whose own name may hold anything: plain characters, another for each `name`."""
    plain = _NOT_PLAIN.sub("-", name)[:40].strip(".-") or "source"
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
