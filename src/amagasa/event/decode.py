r"""A request as the attacked program will see it: layers of encoding taken off, whatever order they were put on in.

Undone are the escapes of the log itself (Apache `\"`, `\\`, `\xhh`; nginx `\xhh`), `+` for a space in the query,
percent encoding (RFC 3986 section 2.1), `%uXXXX` of old IIS, overlong UTF-8 of two bytes (`%c0%ae` for a dot) and
HTML entities. What hides twice is undone again, `MAX_PASSES` times at most.
"""

import re
from html import unescape
from typing import Final

# Double encoding evades real servers, triple encoding has been seen; a bound keeps the cost linear.
MAX_PASSES: Final = 3

_NOTHING_TO_UNDO: Final = re.compile(r"[^%+\\&]*+")
_LOG_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([nrtvb\"\\]))")
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v", b"b": b"\b", b'"': b'"', b"\\": b"\\"}
_PERCENT: Final = re.compile(rb"%(?:u([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))")
_OVERLONG: Final = re.compile(rb"[\xc0\xc1][\x80-\xbf]")
# Only entities that end in a semicolon: `&copy=1` and `&lt=5` are parameters.
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")


def decode_request(logged: str) -> str:
    """The path and query behind a logged URI. Invalid UTF-8 comes out as U+FFFD. Never raises; linear in the length."""
    if _NOTHING_TO_UNDO.fullmatch(logged):
        return logged
    raw = _LOG_ESCAPE.sub(_unescape, logged.encode("utf-8", "replace"))
    path, mark, query = raw.partition(b"?")
    raw = path + mark + query.replace(b"+", b" ")
    text = ""
    for _ in range(MAX_PASSES):
        text = _ENTITY.sub(_entity, _percent(raw))
        again = text.encode("utf-8", "replace")
        if again == raw:
            break
        raw = again
    return text


def _percent(raw: bytes) -> str:
    return _OVERLONG.sub(_shorten, _PERCENT.sub(_byte, raw)).decode("utf-8", "replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else _LETTERS[match[2]]


def _byte(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return chr(int(match[1], 16)).encode("utf-8", "replace")
    return bytes((int(match[2], 16),))


def _shorten(match: re.Match[bytes]) -> bytes:
    first, second = match[0]
    return chr((first & 0x1F) << 6 | (second & 0x3F)).encode()


def _entity(match: re.Match[str]) -> str:
    return unescape(match[0])
