"""What leaves, field by field: what was kept, what was changed and how, what is gone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from amagasa.share.redact import selector_of
from amagasa.vocab.text import show

FIELDS_SHOWN: Final = 500
VALUE_CHARACTERS: Final = 2_000


class FieldPreview(Struct, frozen=True, kw_only=True):
    """One property: `kept`, `stripped`, `generalised`, `pseudonymised`, `reminted` or `edited`; `value` as it leaves.

    What is stripped has no value.
    """

    path: str
    what: str
    value: str = ""


def fields_of(content: bytes, changes: Sequence[tuple[str, str]]) -> list[FieldPreview]:
    """The properties of what leaves, and those which do not; the first 500."""
    done = {path: what for path, what in changes if what != "stripped"}
    in_lists = {path.partition(".[")[0]: what for path, what in changes if ".[" in path and what != "stripped"}
    try:
        obj = msgspec.json.decode(content) if content else {}
    except msgspec.DecodeError:
        return []
    found = [FieldPreview(path=show(path), what=what) for path, what in changes if what == "stripped"]
    for place, value in _leaves(obj):
        path = selector_of(place)
        what = (
            done.get(path) or _around(path, done) or (in_lists.get(path.partition(".[")[0]) if ".[" in path else None)
        )
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        kind = what or "kept"
        found.append(FieldPreview(path=show(path), what=kind, value=show(shown, VALUE_CHARACTERS)))
    order = {"stripped": 0, "kept": 2}
    return sorted(found, key=lambda one: (order.get(one.what, 1), one.path))[:FIELDS_SHOWN]


def _around(path: str, done: Mapping[str, str]) -> str | None:
    """What was done to something around `path`."""
    steps = path.split(".")
    return next((done[outer] for n in range(1, len(steps)) if (outer := ".".join(steps[:n])) in done), None)


def _leaves(obj: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each property that holds no other, with its place; an empty list or object is one."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), obj)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting.extend(((*place, name), inner) for name, inner in value.items())
        elif isinstance(value, list) and value:
            waiting.extend(((*place, index), inner) for index, inner in enumerate(value))
        elif place:
            yield place, value
