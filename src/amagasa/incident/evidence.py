"""What of a record an alert keeps: enough to judge by, and no more than an alert can carry.

A line of a log may hold a megabyte, and an alert is written anew each time it grows: kept whole, five such lines would
let an attacker choose what the store spends its time on. The record itself stays in the log, at its path and number.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from amagasa.detect.report import Detection

# Characters, which are bytes or a little more once stored.
VALUE_CHARACTERS: Final = 4_096
NAME_CHARACTERS: Final = 256
MAPPING_CHARACTERS: Final = 32_768
RAW_CHARACTERS: Final = 4_096
DEPTH: Final = 6
_CUT: Final = "…"
_SCALAR: Final = 8


def kept(detection: Detection) -> Detection:
    """The same detection, itself where it is small; texts, lists and fields beyond the limits end in an ellipsis."""
    fields, event = _bounded(detection.fields), _bounded(detection.event)
    raw = _text(detection.raw, RAW_CHARACTERS)
    if fields is detection.fields and event is detection.event and raw is detection.raw:
        return detection
    return replace(detection, fields=fields, event=event, raw=raw)


def _bounded(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """As many fields as fit, in their order; what was left out is counted under the name `…`."""
    out: dict[str, Any] = {}
    left = MAPPING_CHARACTERS
    is_whole = True
    for number, (name, value) in enumerate(mapping.items()):
        kept_name = _text(name, NAME_CHARACTERS)
        kept_value, weight = _value(value, 1)
        left -= weight + len(kept_name)
        if left < 0:
            out[_CUT] = f"{len(mapping) - number} fields more, see the record"
            return out
        is_whole = is_whole and kept_name is name and kept_value is value
        out[kept_name] = kept_value
    return mapping if is_whole else out


def _value(value: Any, depth: int) -> tuple[Any, int]:
    """The value bounded, itself where it is small, and its weight in characters."""
    if isinstance(value, str):
        text = _text(value, VALUE_CHARACTERS)
        return text, len(text) + 1
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 8 * VALUE_CHARACTERS:
        return _CUT, _SCALAR
    if isinstance(value, Mapping):
        pairs = [(_text(str(name), NAME_CHARACTERS), item) for name, item in value.items()]
        items, weight = _items([item for _, item in pairs], depth)
        bounded = dict(zip([name for name, _ in pairs], items, strict=False))
        return (value if bounded == value and len(items) == len(value) else bounded), weight + sum(
            len(name) for name in bounded
        )
    if isinstance(value, list | tuple):
        items, weight = _items(value, depth)
        is_whole = len(items) == len(value) and all(one is other for one, other in zip(items, value, strict=True))
        return (value if is_whole else items), weight
    return value, _SCALAR


def _items(values: Any, depth: int) -> tuple[list[Any], int]:
    if depth >= DEPTH:
        return [_CUT] if values else [], _SCALAR
    out: list[Any] = []
    weight = 0
    for value in values:
        bounded, its_weight = _value(value, depth + 1)
        weight += its_weight
        if weight > VALUE_CHARACTERS:
            return [*out, _CUT], weight
        out.append(bounded)
    return out, weight


def _text(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + _CUT
