r"""One JSON object from one line, however odd: nothing that another reader accepts may slip past detection.

The fast decoder refuses lone surrogates (`\ud800`), NUL and other controls, a byte order mark and bytes that are
not UTF-8; the standard library reads them. Of duplicate keys the last one counts, in both.
"""

import json
import re
from typing import Any, Final

import msgspec

# More digits than Python turns into an int without complaint; such a number stays text.
_MAX_DIGITS: Final = 4000
_DECODER: Final = msgspec.json.Decoder()
_NOT_UTF8: Final = re.compile("[\udc80-\udcff]")


def object_of(line: bytes) -> dict[str, Any] | str:
    r"""The object in `line`, or one plain sentence that says why there is none.

    Bytes that are not UTF-8 become backslash escapes (`\\xff`). Nesting beyond what the decoders bear is refused.
    """
    try:
        value = _DECODER.decode(line)
    except RecursionError:
        return "JSON nested too deep"
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        value = _decode_slowly(line)
        if isinstance(value, _Refused):
            return value.why
    return value if isinstance(value, dict) else f"a JSON {_kind(value)} where an object was expected"


class _Refused:
    """Not even the standard library could read it."""

    def __init__(self, why: str) -> None:
        self.why = why


def _decode_slowly(line: bytes) -> Any:
    text = _NOT_UTF8.sub(_written_out, line.decode("utf-8", "surrogateescape")).removeprefix("\ufeff")
    if not text.strip():
        return _Refused("an empty line")
    try:
        return json.loads(text, strict=False, parse_int=_integer)
    except RecursionError:
        return _Refused("JSON nested too deep")
    except json.JSONDecodeError as error:
        return _Refused(f"not JSON: {error.msg} at character {error.pos + 1}")


def _written_out(match: re.Match[str]) -> str:
    r"""A byte that is no UTF-8 as JSON reads `\\xff`: a backslash and what follows it."""
    return f"\\\\x{ord(match[0]) - 0xDC00:02x}"


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array"}
    return names.get(type(value), "value")
