"""Showing text that an attacker may have written."""

from typing import Final

SHOWN_CHARACTERS: Final = 200
_BIDI_AND_INVISIBLE: Final = frozenset(
    [*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC)]
)


def show(value: str | bytes, limit: int = SHOWN_CHARACTERS) -> str:
    r"""`value` on one line, safe for a terminal: controls, bidi marks and lone surrogates as \xNN or \uNNNN.

    Cut to `limit` characters of output, with an ellipsis where something was cut.
    """
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    shown = "".join(_escape(character) for character in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _escape(character: str) -> str:
    point = ord(character)
    if point < 0x20 or 0x7F <= point < 0xA0:
        return f"\\x{point:02x}"
    if point in _BIDI_AND_INVISIBLE or 0xD800 <= point <= 0xDFFF:
        return f"\\u{point:04x}"
    return character
