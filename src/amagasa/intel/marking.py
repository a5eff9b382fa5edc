"""Markings as they stand on an object: which TLP it carries, and whether it carries anything we cannot read."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from msgspec import Struct

from amagasa.vocab.tlp import Tlp, strictest, tlp_of_marking, tlp_of_word

TLP_EXTENSION_ID: Final = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
# The properties which carry markings: nothing may remove or rewrite them.
MARKING_PROPERTIES: Final = frozenset(["object_marking_refs", "granular_markings"])


class Marking(Struct, frozen=True, kw_only=True):
    """What marks an object: the strictest TLP (None: unmarked), and whether some marking cannot be read.

    A marking that cannot be read (a statement, another scheme, a broken reference) counts as stricter than any TLP.
    """

    tlp: Tlp | None = None
    is_unreadable: bool = False

    def with_(self, other: "Marking") -> "Marking":
        """Both together: the stricter of the two."""
        known = [tlp for tlp in (self.tlp, other.tlp) if tlp is not None]
        return Marking(tlp=strictest(known), is_unreadable=self.is_unreadable or other.is_unreadable)

    @property
    def is_above_all(self) -> bool:
        """Whether this never leaves: unreadable, or TLP:RED."""
        return self.is_unreadable or self.tlp is Tlp.RED


def marking_of(obj: Any) -> Tlp | None:
    """The strictest marking anywhere on the object, its parts included; None where there is none.

    An unreadable one is answered as TLP:RED, so that no comparison can lower it.
    """
    whole = whole_marking(obj).with_(granular_marking(obj))
    return Tlp.RED if whole.is_unreadable else whole.tlp


def whole_marking(obj: Any) -> Marking:
    """What marks the object as a whole: `object_marking_refs`, and every marking on something nested inside it.

    Markings on nested objects are no STIX 2.1, so they cannot be told apart safely: they count for the whole.
    """
    found = Marking()
    for value, depth in _walk(obj):
        if "object_marking_refs" in value:
            found = found.with_(_read_refs(value["object_marking_refs"]))
        if depth and "granular_markings" in value:
            found = found.with_(_read_granular(value["granular_markings"]))
    return found


def granular_marking(obj: Any) -> Marking:
    """What marks parts of the object: the strictest of its own `granular_markings`."""
    return (
        _read_granular(obj["granular_markings"]) if isinstance(obj, dict) and "granular_markings" in obj else Marking()
    )


def tlp_of_tags(names: Iterable[str]) -> Tlp | None:
    """The strictest `tlp:...` among names of tags (MISP's taxonomy); TLP:RED for one that cannot be read."""
    words = [name.strip().lower().removeprefix("tlp:") for name in names if name.strip().lower().startswith("tlp:")]
    read = [tlp_of_word(word) for word in words]
    return strictest([Tlp.RED if tlp is None else tlp for tlp in read])


def read_marking(marking_id: Any) -> Marking:
    """One reference to a marking definition."""
    tlp = tlp_of_marking(marking_id) if isinstance(marking_id, str) else None
    return Marking(tlp=tlp, is_unreadable=tlp is None)


def marking_definition(tlp: Tlp) -> dict[str, Any]:
    """The OASIS marking definition of a TLP 2.0 level, word for word."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": tlp.marking_id,
        "created": "2022-10-01T00:00:00.000Z",
        "name": tlp.label,
        "extensions": {TLP_EXTENSION_ID: {"extension_type": "property-extension", "tlp_2_0": tlp.word}},
    }


def _read_refs(refs: Any) -> Marking:
    if not isinstance(refs, list):
        return Marking(is_unreadable=True)
    found = Marking()
    for ref in refs:
        found = found.with_(read_marking(ref))
    return found


def _read_granular(entries: Any) -> Marking:
    if not isinstance(entries, list):
        return Marking(is_unreadable=True)
    found = Marking()
    for entry in entries:
        if not isinstance(entry, dict):
            return Marking(is_unreadable=True)
        if "marking_ref" in entry or "lang" not in entry:
            found = found.with_(read_marking(entry.get("marking_ref")))
    return found


def _walk(root: Any) -> Iterator[tuple[dict[Any, Any], int]]:
    """Every object inside, with its depth (0: the root). Iterative, and each container once even where it recurs."""
    waiting: list[tuple[Any, int]] = [(root, 0)]
    seen: set[int] = set()
    while waiting:
        value, depth = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield value, depth
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting += [(item, depth + 1) for item in inner if isinstance(item, dict | list)]
