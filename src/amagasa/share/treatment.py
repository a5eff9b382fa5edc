"""What a clause does to an object before it leaves: which places go, and what stands at others instead."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from amagasa.intel.marking import MARKING_PROPERTIES, read_marking
from amagasa.intel.stix import REQUIRED, instant_of
from amagasa.share.agreement import Agreement, Clause
from amagasa.share.coarse import coarsened
from amagasa.share.known import Known
from amagasa.share.redact import (
    NEVER_PSEUDONYMS,
    PROTECTED,
    Place,
    Swap,
    is_coarsened,
    is_protected,
    place_of_selector,
    places_at,
    pseudonym_of,
)
from amagasa.vocab.ids import is_stix_id, type_of
from amagasa.vocab.tlp import Tlp

# Identifiers that everybody knows by the same name.
_PUBLIC_TYPES: Final = frozenset(["identity", "marking-definition", "extension-definition"])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Treatment(Struct, frozen=True, kw_only=True):
    """`why` is not "" where the clause would touch what nothing may touch: then nothing leaves."""

    strip: frozenset[Place] = frozenset()
    pseudonymise: frozenset[Place] = frozenset()
    swaps: dict[Place, Swap] = {}
    code: str = ""
    why: str = ""


def key_of(agreement: Agreement, *, secret: bytes, now: datetime) -> bytes:
    """The key of the pseudonyms under this agreement, in all its versions; another one after each `rotate_days`."""
    epoch = (now - _EPOCH).days // agreement.rotate_days if agreement.rotate_days else 0
    message = b"\x00".join(
        (b"amagasa agreement key 1", agreement.id.encode("utf-8", "backslashreplace"), b"%d" % epoch)
    )
    return hmac.new(secret, message, hashlib.sha256).digest()


def reminted_types(agreement: Agreement, giver: str) -> frozenset[str]:
    """Types whose identifiers are replaced under this agreement: all of a type or none, so that references hold."""
    hiding = [clause for clause in agreement.clauses if clause.giver == giver and clause.has_pseudonyms]
    return frozenset(kind for clause in hiding for kind in clause.objects) - _PUBLIC_TYPES


def sent_id(identifier: str, agreement: Agreement, giver: str, *, key: bytes) -> str:
    """By which identifier the ally knows an object of the giver."""
    if type_of(identifier) not in reminted_types(agreement, giver):
        return identifier
    return pseudonym_of(identifier, secret=key, ally=agreement.ally_of(giver).id)


def treatment(obj: Mapping[str, Any], clause: Clause, agreement: Agreement, *, key: bytes, known: Known) -> Treatment:
    """What `clause` does to `obj`, which is sound. Places above the ceiling are stripped as well."""
    above = _parts_above(obj, clause.ceiling)
    if above is None:
        return Treatment(code="AMG-SHARE-PART", why="a part marked above the ceiling cannot be told from the rest")
    strip = above.union(_beside(obj, clause), *(places_at(obj, path) for path in clause.strip))
    pseudonymise = set[Place]().union(*(places_at(obj, path) for path in clause.pseudonymise))
    swaps = dict(_coarse(obj, clause, known))
    strip |= {place for place, swap in swaps.items() if swap.value is None}
    touched = strip | pseudonymise | {place for place in swaps if not is_coarsened(str(place[0]))}
    is_wrong = any(is_protected(place) for place in touched)
    if is_wrong or any(place[0] in NEVER_PSEUDONYMS for place in (*pseudonymise, *swaps)):
        why = f"{clause.id} would change the object's identity or its marking"
        return Treatment(code="AMG-SHARE-PROTECTED", why=why)
    references = _references(obj, known.withheld)
    if any(place == (name,) for place in references for name in REQUIRED.get(obj["type"], ())):
        return Treatment(code="AMG-SHARE-REFERENCE", why="it refers to an object which does not leave for this ally")
    strip |= references
    swaps = {place: swap for place, swap in swaps.items() if swap.value is not None}
    swaps |= _minted(obj, agreement, clause.giver, key=key, known=known)
    return Treatment(strip=frozenset(strip), pseudonymise=frozenset(pseudonymise), swaps=swaps)


def _beside(obj: Mapping[str, Any], clause: Clause) -> set[Place]:
    """Top-level properties which `only` does not name."""
    if not clause.only:
        return set()
    kept = {*clause.only, *PROTECTED, *MARKING_PROPERTIES, *REQUIRED.get(obj["type"], ())}
    return {(name,) for name in obj if name not in kept}


def _coarse(obj: Mapping[str, Any], clause: Clause, known: Known) -> Iterator[tuple[Place, Swap]]:
    for one in clause.generalise:
        for place in places_at(obj, one.path):
            for inner, value in leaves_of(obj, place):
                name = next((step for step in reversed(inner) if isinstance(step, str)), "")
                made = coarsened(value, one.to, name=name, roles=known.roles)
                yield inner, Swap(value=made, what="generalised")


def leaves_of(obj: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, Any]]:
    """Each item of a list, however nested; anything else as it is."""
    value: Any = obj
    for step in place:
        value = value[step]
    waiting: list[tuple[Place, Any]] = [(place, value)]
    while waiting:
        here, found = waiting.pop()
        if isinstance(found, list) and found:
            waiting.extend(((*here, index), item) for index, item in enumerate(found))
        else:
            yield here, found


def _parts_above(obj: Mapping[str, Any], ceiling: Tlp) -> set[Place] | None:
    """The places whose own marking is above the ceiling or unreadable; None where one of them cannot be found."""
    found: set[Place] = set()
    for entry in obj.get("granular_markings", ()):
        if "marking_ref" not in entry:
            continue
        marking = read_marking(entry["marking_ref"])
        if not marking.is_above_all and marking.tlp is not None and marking.tlp <= ceiling:
            continue
        for selector in entry["selectors"]:
            place = place_of_selector(obj, selector)
            if place is None:
                return None
            found.add(place)
    return found


def _references(obj: Mapping[str, Any], withheld: frozenset[str]) -> set[Place]:
    """Places that refer to objects which stay."""
    if not withheld:
        return set()
    return {place for place, value in _texts(obj) if value in withheld and place != ("id",)}


def _minted(obj: Mapping[str, Any], agreement: Agreement, giver: str, *, key: bytes, known: Known) -> dict[Place, Swap]:
    """New identifiers for the giver's own objects, wherever one stands by itself."""
    kinds = reminted_types(agreement, giver)
    if not kinds:
        return {}
    ally = agreement.ally_of(giver).id
    return {
        place: Swap(value=pseudonym_of(value, secret=key, ally=ally), what="reminted")
        for place, value in _texts(obj)
        if is_stix_id(value)
        and type_of(value) in kinds
        and value not in known.foreign
        and not any(step in MARKING_PROPERTIES for step in place)
    }


def _texts(obj: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Every text of the object with its place."""
    waiting: list[tuple[Place, Any]] = [((), obj)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(((*place, name), inner) for name, inner in value.items())
        elif isinstance(value, list):
            waiting.extend(((*place, index), inner) for index, inner in enumerate(value))
        elif isinstance(value, str):
            yield place, value


def speaking(obj: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """The texts in which a hidden value could be told: not what an object is known by, and no instant in its place.

    A key of an object inside stands with the place of its value.
    """
    waiting: list[tuple[Place, Any]] = [((), obj)]
    while waiting:
        place, value = waiting.pop()
        if place and is_protected(place):
            continue
        if isinstance(value, dict):
            waiting.extend(((*place, name), inner) for name, inner in value.items())
            yield from (((*place, name), name) for name in value if place and name not in _NAMES_OF_STIX)
        elif isinstance(value, list):
            waiting.extend(((*place, index), inner) for index, inner in enumerate(value))
        elif isinstance(value, str) and not (len(place) == 1 and instant_of(value) is not None):
            yield place, value
        elif isinstance(value, int) and not isinstance(value, bool):
            yield place, str(value)


_NAMES_OF_STIX: Final = frozenset(["extension_type", "source_name", "external_id", "url", "description", "value"])
