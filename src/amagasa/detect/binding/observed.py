"""STIX observed-data as observations, and whether a test of a pattern holds for one of their objects.

Of STIX 2.0 an observed-data carries its `objects` (its drafts had another type for it); of 2.1 it names them by
`object_refs`, and they stand beside it in a bundle or in the list given. A reference is followed only within one
observation, as the OASIS matcher does it.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from msgspec import Struct

from amagasa.detect.stix.operators import Outcome, predicate_of
from amagasa.detect.stix.pattern import AllOf, Comparison, Instant, Op, Step, Test, comparisons_of
from amagasa.vocab.text import show

MAX_SELECTED: Final = 1_000_000  # values that one path may select of one object: lists of lists multiply

Object: TypeAlias = Mapping[str, Any]

# What an observed-data may name and no pattern speaks of (STIX 2.1 sections 4, 5 and 7).
_OTHERS: Final = """
    attack-pattern bundle campaign course-of-action extension-definition grouping identity incident indicator
    infrastructure intrusion-set language-content location malware malware-analysis marking-definition note
    observed-data opinion relationship report threat-actor tool sighting vulnerability"""
_NO_OBSERVABLES: Final = frozenset(_OTHERS.split())
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class ObservedData(Struct, frozen=True, kw_only=True):
    """One observed-data: seen `n_observed` times between the two instants (microseconds since 1970), both included."""

    data: Object
    first_us: int
    last_us: int
    n_observed: int
    objects: Mapping[str, Object]  # by identifier (2.1) or key (2.0)
    by_type: Mapping[str, tuple[Object, ...]]


def microseconds(at: datetime) -> int:
    """Since 1970, exactly."""
    return (at - _EPOCH) // _MICROSECOND


def read_observed(values: Sequence[Any]) -> tuple[tuple[ObservedData, ...], tuple[str, ...]]:
    """The observations among `values` (observed-data, bundles, objects that they name), and why others are none.

    What was read already is taken as it is.
    """
    read_before = [value for value in values if isinstance(value, ObservedData)]
    found: list[Object] = []
    named: dict[str, Object] = {}
    faults: list[str] = []
    for value in values:
        if isinstance(value, ObservedData):
            continue
        for one in _unbundled(value):
            if not isinstance(one, Mapping) or not isinstance(one.get("type"), str):
                faults.append(f"no STIX object: {show(repr(one), 60)}")
            elif one["type"] == "observed-data" or ("number_observed" in one and "objects" in one):
                found.append(one)
            elif one["type"] not in _NO_OBSERVABLES and isinstance(one.get("id"), str):
                named[one["id"]] = one
    observed = read_before
    for one in found:
        read = _read_one(one, named)
        if isinstance(read, str):
            faults.append(f"{show(str(one.get('id', 'an observed-data')), 80)}: {read}")
        else:
            observed.append(read)
    return tuple(observed), tuple(faults)


def _unbundled(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping) and value.get("type") == "bundle":
        inside = value.get("objects", [])
        return inside if isinstance(inside, list) else [inside]
    return [value]


def _read_one(data: Object, named: Mapping[str, Object]) -> ObservedData | str:
    times = [Instant(text).at if isinstance(text := data.get(key), str) else None for key in _TIMES]
    n_observed = data.get("number_observed")
    if times[0] is None or times[1] is None:
        return "first_observed or last_observed is no time"
    if times[0] > times[1]:
        return "first_observed is after last_observed"
    if not isinstance(n_observed, int) or isinstance(n_observed, bool) or n_observed < 1:
        return f"number_observed is no count: {show(repr(n_observed), 40)}"
    objects = _objects_of(data, named)
    if isinstance(objects, str):
        return objects
    by_type: dict[str, list[Object]] = {}
    for one in objects.values():
        by_type.setdefault(str(one.get("type")), []).append(one)
    return ObservedData(
        data=data,
        first_us=microseconds(times[0]),
        last_us=microseconds(times[1]),
        n_observed=n_observed,
        objects=objects,
        by_type={kind: tuple(ones) for kind, ones in by_type.items()},
    )


_TIMES: Final = ("first_observed", "last_observed")


def _objects_of(data: Object, named: Mapping[str, Object]) -> dict[str, Object] | str:
    refs = data.get("object_refs")
    if isinstance(refs, list):
        return {ref: named[ref] for ref in refs if isinstance(ref, str) and ref in named}
    inside = data.get("objects")
    if not isinstance(inside, Mapping) or not all(isinstance(one, Mapping) for one in inside.values()):
        return "neither object_refs nor objects"
    return dict(inside)


_SPECIAL: Final = ("_ref", "_refs", "_hex", "_bin")

# One object of an observation, and all its objects -> whether the test holds for the one.
Check: TypeAlias = Callable[[Object, Mapping[str, Object]], Outcome]


def holder_of(test: Test) -> Callable[[ObservedData], Outcome]:
    """One observation -> whether some object of it satisfies the test; or why one, where no other does, cannot be told.

    The test must be one of which `meaning.fault_of` says nothing.
    """
    check = _check_of(test)
    kinds = tuple(dict.fromkeys(comparison.kind for comparison in comparisons_of(test)))

    def holds(observed: ObservedData) -> Outcome:
        reason: Outcome = False
        for kind in kinds:
            for one in observed.by_type.get(kind, ()):
                outcome = check(one, observed.objects)
                if outcome is True:
                    return True
                reason = reason or outcome
        return reason

    return holds


def rank_of(test: Test) -> Callable[[ObservedData], tuple[int, ...]]:
    """An observation which satisfies the test -> a key: the OASIS matcher tries those of lower keys first.

    OR puts those that satisfy its first part before the others, AND keeps the order of its first part.
    """
    if isinstance(test, Comparison):
        return lambda _: ()
    if isinstance(test, AllOf):
        return rank_of(test.parts[0])
    parts = [(holder_of(part), rank_of(part)) for part in test.parts]

    def rank(observed: ObservedData) -> tuple[int, ...]:
        ranks = ((i, *inner(observed)) for i, (holds, inner) in enumerate(parts) if holds(observed) is True)
        return next(ranks, ())

    return rank


def _check_of(test: Test) -> Check:
    if isinstance(test, Comparison):
        return _comparison_check(test)
    checks = [_check_of(part) for part in test.parts]
    if isinstance(test, AllOf):
        return lambda one, objects: _all(check(one, objects) for check in checks)
    return lambda one, objects: _any(check(one, objects) for check in checks)


def _any(outcomes: Iterator[Outcome]) -> Outcome:
    """Yes where one is yes; else the first reason; else no."""
    reason: Outcome = False
    for outcome in outcomes:
        if outcome is True:
            return True
        reason = reason or outcome
    return reason


def _all(outcomes: Iterator[Outcome]) -> Outcome:
    """No where one is no; else the first reason; else yes."""
    reason: Outcome = True
    for outcome in outcomes:
        if outcome is False:
            return False
        if reason is True:
            reason = outcome
    return reason


def _comparison_check(comparison: Comparison) -> Check:
    kind, steps = comparison.kind, comparison.steps
    if comparison.op is Op.EXISTS:
        return _existence_check(comparison)
    predicate = predicate_of(comparison)
    key = steps[0]
    if len(steps) == 1 and isinstance(key, str) and not key.endswith(_SPECIAL):
        # The same as below for the commonest path, at half the cost.
        return lambda one, _: one["type"] == kind and key in one and predicate(one[key])

    def check(one: Object, objects: Mapping[str, Object]) -> Outcome:
        if one["type"] != kind:
            return False
        values = select(one, steps, objects)
        return values if isinstance(values, str) else _any(predicate(value) for value in values)

    return check


def _existence_check(comparison: Comparison) -> Check:
    """NOT EXISTS holds for an object of the type that lacks what the path names."""

    def check(one: Object, objects: Mapping[str, Object]) -> Outcome:
        if one["type"] != comparison.kind:
            return False
        values = select(one, comparison.steps, objects)
        return values if isinstance(values, str) else bool(values) != comparison.is_negated

    return check


def select(one: Object, steps: tuple[Step, ...], objects: Mapping[str, Object]) -> list[Any] | str:
    """The values which the path selects, references followed; none where it leads nowhere.

    The reason where what stands on the way is not what its name says: `_ref` no text, `_hex` no hexadecimal. Linear in
    the object whatever it refers to: what a step reaches twice is looked at once.
    """
    values: list[Any] = [one]
    for step in steps:
        stepped = _by_key(values, step, objects) if isinstance(step, str) else _by_index(values, step.position)
        if isinstance(stepped, str):
            return stepped
        values = stepped
        if len(values) > MAX_SELECTED:
            return f"a path selects more than {MAX_SELECTED} values"
    return values


def _by_index(values: list[Any], position: int | None) -> list[Any]:
    lists = [value for value in values if isinstance(value, list)]
    if position is None:
        return _each_once(item for items in lists for item in items)
    return [items[position] for items in lists if 0 <= position < len(items)]


def _each_once(values: Iterable[Any]) -> list[Any]:
    """Lists and objects that come twice (by references in circles) once."""
    seen: set[int] = set()
    once = []
    for value in values:
        if isinstance(value, list | Mapping):
            if id(value) in seen:
                continue
            seen.add(id(value))
        once.append(value)
    return once


def _by_key(values: list[Any], key: str, objects: Mapping[str, Object]) -> list[Any] | str:
    found = [value[key] for value in values if isinstance(value, Mapping) and key in value]
    if key.endswith("_ref"):
        return _referred(found, key, objects)
    if key.endswith("_refs"):
        lists = []
        for refs in found:
            targets = _referred(refs, key, objects) if isinstance(refs, list) else f"{show(key, 60)} is no list"
            if isinstance(targets, str):
                return targets
            lists.append(targets)
        return [targets for targets in lists if targets]
    if key.endswith(("_hex", "_bin")):
        return _decoded(found, key)
    return found


def _referred(refs: list[Any], key: str, objects: Mapping[str, Object]) -> list[Any] | str:
    if not all(isinstance(ref, str) for ref in refs):
        return f"a reference in {show(key, 60)} is no text"
    return _each_once(objects[ref] for ref in refs if ref in objects)


def _decoded(texts: list[Any], key: str) -> list[Any] | str:
    decode = binascii.a2b_hex if key.endswith("_hex") else base64.b64decode
    try:
        return [decode(text) for text in texts]
    except (ValueError, TypeError):
        return f"{show(key, 60)} is not written as its name says"
