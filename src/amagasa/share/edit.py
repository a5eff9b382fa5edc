"""What a release officer may change in what is to leave: take something away or mark it higher, never the other way."""

from collections.abc import Sequence
from typing import Any

import msgspec
import rfc8785
from msgspec import Struct
from msgspec.structs import replace

from amagasa.intel.marking import marking_of
from amagasa.intel.stix import check_object
from amagasa.share.agreement import Clause
from amagasa.share.redact import is_path, is_protected, places_at, redact
from amagasa.share.traces import is_too_many, names, traces_of
from amagasa.share.treatment import speaking
from amagasa.share.verdict import Change, Released
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp, tlp_of_marking


class NotDown(Struct, frozen=True, kw_only=True):
    """The edit is not done, and why in one sentence."""

    code: str
    why: str


def edit_down(
    released: Released, clause: Clause, *, strip: Sequence[str] = (), marking: Tlp | None = None
) -> Released | NotDown:
    """The same with less in it, or marked higher. Every place of `strip` must be there; texts that name it go, too.

    A marking above the clause's ceiling would keep it from leaving at all: refuse it instead.
    """
    if not strip and marking is None:
        return NotDown(code="AMG-SHARE-NOTHING", why="neither a property to take away nor a stricter marking was named")
    obj: dict[str, Any] = msgspec.json.decode(released.content)
    places = set()
    for path in strip:
        found = places_at(obj, path) if is_path(path) else set()
        if not found:
            return NotDown(code="AMG-SHARE-PATH", why=f"there is nothing at {show(path)}")
        if any(is_protected(place) for place in found):
            return NotDown(
                code="AMG-SHARE-PROTECTED", why=f"{show(path)} is what the object is known by or its marking"
            )
        places |= found
    if marking is not None and marking <= released.marking:
        why = f"{marking.label} is not above {released.marking.label}, which it bears"
        return NotDown(code="AMG-SHARE-UP", why=why)
    if marking is not None and marking > clause.ceiling:
        why = f"{marking.label} is above {clause.ceiling.label}, the ceiling of {clause.id}: refuse it instead"
        return NotDown(code="AMG-SHARE-CEILING", why=why)
    left = redact(obj, strip=places, pseudonymise=(), secret=bytes(32), ally="")
    traces = traces_of(left.hidden)
    naming = {place for place, text in speaking(left.value) if names(text, traces)} if traces.has_any else set()
    if is_too_many(traces):
        return NotDown(code="AMG-SHARE-NAMED", why="it hides more values than can be looked for in the rest")
    if naming:
        left = replace(left, value=redact(left.value, strip=naming, pseudonymise=(), secret=bytes(32), ally="").value)
    value = _marked(left.value, marking or released.marking)
    problem = check_object(value)
    if problem is not None:
        return NotDown(code="AMG-SHARE-REST", why=f"what would be left is no sound object: {problem}")
    changes = [Change(path=path, what="edited") for path in left.stripped]
    changes += [Change(path="object_marking_refs", what="edited")] if marking is not None else []
    return replace(
        released,
        content=rfc8785.dumps(value),
        marking=marking_of(value) or Tlp.RED,
        changes=(*released.changes, *changes),
    )


def _marked(value: dict[str, Any], marking: Tlp) -> dict[str, Any]:
    """The object, marked no lower than this; what else its markings say of its use stays.

    A marking of one property alone goes with it: what is left bears what the whole bore all the same.
    """
    if (marking_of(value) or Tlp.RED) >= marking:
        return value
    others = (one for one in value.get("object_marking_refs", ()) if tlp_of_marking(one) is None)
    return value | {"object_marking_refs": [marking.marking_id, *others]}
