"""Removing and replacing what must not leave: property paths, pseudonyms, and granular markings kept in step.

A path is dotted: `name`, `external_references.url`, `objects.*.value`, `extensions.*.techniques`. A name meets the
members of a dict, `*` every member of a dict or item of a list; a list in the way is passed through item by item, so a
path takes away rather too much than too little. Inside the house a place is a tuple of keys and indices.
"""

import hashlib
import hmac
import re
import uuid
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeAlias

import rfc8785
from msgspec import Struct

from amagasa.intel.marking import MARKING_PROPERTIES
from amagasa.vocab.ids import is_stix_id, type_of

Place: TypeAlias = tuple[str | int, ...]

MIN_SECRET_BYTES: Final = 32
# What an object is known by; a clause which touched it would break references or let a marking slip.
PROTECTED: Final = frozenset(["type", "spec_version", "id", "created_by_ref", "created", "modified"])
# A stand-in here would still look like an indicator, and match nothing or fail to compile on the other side.
NEVER_PSEUDONYMS: Final = frozenset(["pattern", "pattern_type", "pattern_version"])
_PATH: Final = re.compile(r"(?:[A-Za-z0-9_-]{1,250}|\*)(?:\.(?:[A-Za-z0-9_-]{1,250}|\*)){0,15}")
_SELECTOR: Final = re.compile(r"(?:[a-z0-9_-]{1,250})(?:\.(?:\[\d{1,9}\]|[A-Za-z0-9_-]{1,250}))*")


class Swap(Struct, frozen=True, kw_only=True):
    """A value which stands instead of another, and what that is called: `generalised` or `reminted`."""

    value: str | None
    what: str


class Redacted(Struct, frozen=True, kw_only=True):
    """What is left of an object, the places which were removed or replaced, and the values that are hidden by it.

    Places stand as STIX selectors write them; `swapped` as (place, what).
    """

    value: dict[str, Any]
    stripped: tuple[str, ...]
    pseudonymised: tuple[str, ...]
    swapped: tuple[tuple[str, str], ...] = ()
    hidden: tuple[Any, ...] = ()


def is_path(text: str) -> bool:
    """Whether `text` is a path as above: at most 16 segments."""
    return _PATH.fullmatch(text) is not None


def is_protected(place: Place) -> bool:
    """Whether nothing may be done at this place: identity of the object, its markings, the type of an extension."""
    if not place or place[0] in PROTECTED or any(part in MARKING_PROPERTIES for part in place):
        return True
    return len(place) == 3 and place[0] == "extensions" and place[2] == "extension_type"


def is_coarsened(path: str) -> bool:
    """Whether an instant at `path` may be blurred although nothing else may be done to it."""
    return path in {"created", "modified"}


def places_at(obj: Mapping[str, Any], path: str) -> set[Place]:
    """Every place of `obj` that `path` names."""
    segments = path.split(".")
    found: set[Place] = set()
    waiting: list[tuple[Any, int, Place]] = [(obj, 0, ())]
    while waiting:
        value, depth, place = waiting.pop()
        if depth == len(segments):
            found.add(place)
            continue
        segment = segments[depth]
        if isinstance(value, dict):
            named = [segment] if segment in value else []
            keys = list(value) if segment == "*" else named
            waiting.extend((value[key], depth + 1, (*place, key)) for key in keys)
        elif isinstance(value, list):
            step = 1 if segment == "*" else 0
            waiting.extend((item, depth + step, (*place, index)) for index, item in enumerate(value))
    return found


def place_of_selector(obj: Mapping[str, Any], selector: str) -> Place | None:
    """The place that a STIX selector names (STIX 2.1 section 7.2.3.1); None where the object has no such place."""
    if _SELECTOR.fullmatch(selector) is None:
        return None
    place: list[str | int] = []
    value: Any = obj
    for segment in selector.split("."):
        step: str | int = int(segment[1:-1]) if segment.startswith("[") else segment
        is_there = (isinstance(step, int) and isinstance(value, list) and step < len(value)) or (
            isinstance(step, str) and isinstance(value, dict) and step in value
        )
        if not is_there:
            return None
        value = value[step]
        place.append(step)
    return tuple(place)


def selector_of(place: Place) -> str:
    """A place as STIX selectors write it: `external_references.[0].url`."""
    return ".".join(f"[{step}]" if isinstance(step, int) else step for step in place)


def pseudonym_of(value: Any, *, secret: bytes, ally: str) -> str:
    """A stable stand-in for a JSON value: HMAC-SHA-256 over its canonical form, cut to 128 bits.

    The same value gives one ally the same stand-in for as long as the secret lasts, and another ally another one.
    An identifier becomes an identifier of the same type.
    """
    kind = type_of(value) if isinstance(value, str) and is_stix_id(value) else ""
    message = b"\x00".join((b"amagasa pseudonym 1", ally.encode(), kind.encode(), rfc8785.dumps(value)))
    token = hmac.new(secret, message, hashlib.sha256).digest()[:16]
    return f"{kind}--{uuid.UUID(bytes=token, version=4)}" if kind else f"pseudonym-{token.hex()}"


def redact(
    obj: Mapping[str, Any],
    *,
    strip: Collection[Place],
    pseudonymise: Collection[Place],
    secret: bytes,
    ally: str,
    swaps: Mapping[Place, Swap] | None = None,
) -> Redacted:
    """A copy of `obj` without the places of `strip`, with stand-ins at those of `pseudonymise`, and `swaps` put in.

    `obj` is untouched. What is emptied goes too, since STIX knows no empty list or object. Where several name a place
    it is stripped, else pseudonymised. Selectors of granular markings follow their items, and go with what is gone. No
    place to strip or pseudonymise may be protected; a swap may stand anywhere but in a marking.
    """
    gone = _with_emptied(obj, set(strip))
    tokens = {
        inner: pseudonym_of(value, secret=secret, ally=ally)
        for place in pseudonymise
        for inner, value in _leaves(obj, place)
        if not _is_under(inner, gone)
    }
    tokens = {place: token for place, token in tokens.items() if not _is_under(place[:-1], tokens)}
    put = {
        place: swap
        for place, swap in (swaps or {}).items()
        if not _is_under(place, gone) and not _is_under(place, tokens)
    }
    replaced = tokens | {place: swap.value for place, swap in put.items()}
    left = _rebuild(obj, (), gone, replaced)
    if "granular_markings" in obj:
        entries = _follow(obj, gone, replaced)
        if entries:
            left["granular_markings"] = entries
        else:
            del left["granular_markings"]
    hidden = [place for place in (*gone, *tokens, *put) if not _is_under(place[:-1], gone)]
    return Redacted(
        value=left,
        stripped=tuple(sorted(selector_of(place) for place in gone if not _is_under(place[:-1], gone))),
        pseudonymised=tuple(sorted(selector_of(place) for place in tokens)),
        swapped=tuple(sorted((selector_of(place), swap.what) for place, swap in put.items())),
        hidden=tuple(value for place in hidden if (value := _value_at(obj, place)) != replaced.get(place)),
    )


def _is_under(place: Place, roots: Collection[Place]) -> bool:
    """Whether `place` or something around it is among `roots`."""
    return any(place[:length] in roots for length in range(1, len(place) + 1))


def _value_at(obj: Any, place: Place) -> Any:
    value = obj
    for step in place:
        value = value[step]
    return value


def _with_emptied(obj: Mapping[str, Any], gone: set[Place]) -> set[Place]:
    """`gone` and every container around them of which nothing would be left."""
    waiting = {place[:-1] for place in gone}
    while waiting:
        parent = waiting.pop()
        if not parent or parent in gone:
            continue
        container = _value_at(obj, parent)
        steps: Iterable[str | int] = container if isinstance(container, dict) else range(len(container))
        if all((*parent, step) in gone for step in steps):
            gone.add(parent)
            waiting.add(parent[:-1])
    return gone


def _leaves(obj: Mapping[str, Any], place: Place) -> list[tuple[Place, Any]]:
    """Where stand-ins go: each item of a list, however nested; a dict as a whole, since its keys may speak too."""
    found: list[tuple[Place, Any]] = []
    waiting: list[tuple[Place, Any]] = [(place, _value_at(obj, place))]
    while waiting:
        here, value = waiting.pop()
        if isinstance(value, list) and value:
            waiting.extend(((*here, index), item) for index, item in enumerate(value))
        else:
            found.append((here, value))
    return found


def _rebuild(value: Any, place: Place, gone: Collection[Place], replaced: Mapping[Place, str | None]) -> Any:
    """A deep copy; as deep as `MAX_DEPTH` allows, so recursion is safe on objects that were checked."""
    if place in replaced:
        return replaced[place]
    if isinstance(value, dict):
        return {
            key: _rebuild(inner, (*place, key), gone, replaced)
            for key, inner in value.items()
            if (*place, key) not in gone
        }
    if isinstance(value, list):
        return [
            _rebuild(inner, (*place, index), gone, replaced)
            for index, inner in enumerate(value)
            if (*place, index) not in gone
        ]
    return value


def _follow(
    obj: Mapping[str, Any], gone: Collection[Place], replaced: Mapping[Place, str | None]
) -> list[dict[str, Any]]:
    """The object's granular markings with their selectors moved to where the content now stands.

    A selector inside what a stand-in replaced now names the stand-in. One that named nothing before is dropped.
    """
    before: dict[Place, list[int]] = {}
    for removed in gone:
        if isinstance(removed[-1], int):
            insort(before.setdefault(removed[:-1], []), removed[-1])
    entries = []
    for entry in obj["granular_markings"]:
        moved = []
        for selector in entry["selectors"]:
            place = place_of_selector(obj, selector)
            if place is None or _is_under(place, gone):
                continue
            around = (place[:end] for end in range(1, len(place)))
            shown = next((outer for outer in around if outer in replaced), place)
            moved.append(selector_of(_shifted(shown, before)))
        if moved:
            entries.append({**entry, "selectors": list(dict.fromkeys(moved))})
    return entries


def _shifted(place: Place, before: Mapping[Place, list[int]]) -> Place:
    """`place` after the items before it in each list have gone (`before`: list -> indices gone, ascending)."""
    return tuple(
        step - bisect_left(before.get(place[:position], []), step) if isinstance(step, int) else step
        for position, step in enumerate(place)
    )
