"""What leaves for an ally: closed by default, and never under a lighter marking than it came with."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import rfc8785

from amagasa.intel.build import EXTENSION_ID, authors, extension_definition, identity
from amagasa.intel.marking import marking_definition, marking_of, read_marking, whole_marking
from amagasa.intel.stix import OBSERVABLES, check_object
from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.redact import (
    MIN_SECRET_BYTES,
    NEVER_PSEUDONYMS,
    Place,
    Redacted,
    is_protected,
    place_of_selector,
    places_at,
    redact,
)
from amagasa.share.verdict import Change, Release, Released, Wanting, Withheld
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

# Objects which explain others and are the same for every reader need no clause of their own.
COMPANION_CLAUSE: Final = "companions"
RELEASE_OFFICER: Final = "release-officer"


def release(obj: Mapping[str, Any], ally: Party, agreement: Agreement, *, now: datetime, secret: bytes) -> Release:
    """Whether `obj` leaves for `ally`, as which bytes, by which clause, and who must say yes. Never changes `obj`.

    Closed by default. The agreement must be in force, the object sound, made by the giver, and marked as a whole with
    a TLP we can read: unmarked, TLP:RED and unreadable markings stay. The first clause, in the agreement's order, that
    concerns the type and whose ceiling bears the marking lets it go. Parts marked above the ceiling are stripped.
    `secret` keys the pseudonyms: 32 bytes or more, or ValueError. Whatever `obj` is, nothing else raises.
    """
    if len(secret) < MIN_SECRET_BYTES:
        message = f"the pseudonym secret must hold {MIN_SECRET_BYTES} bytes or more"
        raise ValueError(message)
    problem = check_object(obj)
    if problem is not None:
        return _withheld(obj, "AMG-SHARE-SHAPE", f"it is no sound STIX object: {problem}")
    if ally not in agreement.parties:
        return _withheld(obj, "AMG-SHARE-PARTY", "the ally is no party of this agreement")
    if not agreement.is_in_force(now):
        return _withheld(obj, "AMG-SHARE-FORCE", "the agreement is not in force")
    giver = agreement.ally_of(ally.id)
    if not _is_made_by(obj, giver):
        return _withheld(obj, "AMG-SHARE-AUTHOR", "another than the giver made it, and no clause covers that")
    clauses = clauses_for(obj, giver.id, agreement)
    if not clauses:
        return _withheld(obj, "AMG-SHARE-CLAUSE", f"no clause lets {giver.name} give {show(_kind_in_words(obj))}")
    answers = [_under(obj, clause, ally=ally, secret=secret) for clause in clauses]
    return next((answer for answer in answers if not isinstance(answer, Withheld)), answers[0])


def clauses_for(obj: Mapping[str, Any], giver: str, agreement: Agreement) -> tuple[Clause, ...]:
    """The clauses which let `giver` give objects of this type (and pattern type), whatever their marking, in order."""
    return tuple(
        clause
        for clause in agreement.clauses
        if clause.giver == giver
        and obj["type"] in clause.objects
        and (obj["type"] != "indicator" or not clause.pattern_types or obj["pattern_type"] in clause.pattern_types)
    )


def companions(released: Iterable[Released], giver: Party) -> tuple[Released, ...]:
    """What must stand beside these objects for a reader to understand them: public, constant and without a clause.

    The giver's own identity (as in the signed agreement), the TLP definitions in use, and our extension's definition
    with its author where it is used. In an order in which each object is explained before it is needed.
    """
    sent = tuple(released)
    if not sent:
        return ()
    uses_extension = any(EXTENSION_ID.encode() in one.content for one in sent)
    needed = [identity(giver.id, giver.name), *([authors(), extension_definition()] if uses_extension else [])]
    markings = {tlp for one in sent for tlp in Tlp if tlp.marking_id.encode() in one.content}
    markings |= {tlp for tlp in Tlp for obj in needed if tlp.marking_id in obj["object_marking_refs"]}
    return tuple(_companion(obj) for obj in (*(marking_definition(tlp) for tlp in sorted(markings)), *needed))


def _companion(obj: dict[str, Any]) -> Released:
    return Released(
        object_id=obj["id"],
        object_type=obj["type"],
        content=rfc8785.dumps(obj),
        clause=COMPANION_CLAUSE,
        marking=marking_of(obj) or Tlp.CLEAR,
    )


def _withheld(obj: Any, code: str, why: str) -> Withheld:
    named = obj if isinstance(obj, dict) else {}
    identifier, kind = named.get("id"), named.get("type")
    return Withheld(
        object_id=show(identifier) if isinstance(identifier, str) else "",
        object_type=show(kind) if isinstance(kind, str) else "",
        why=why,
        code=code,
    )


def _is_made_by(obj: Mapping[str, Any], giver: Party) -> bool:
    """Observables and marking definitions need name nobody; the giver's identity may speak for itself."""
    author = obj.get("created_by_ref")
    if author is None:
        return obj["type"] in OBSERVABLES or obj["type"] == "marking-definition" or obj["id"] == giver.id
    return bool(author == giver.id)


def _kind_in_words(obj: Mapping[str, Any]) -> str:
    return f"indicator ({obj['pattern_type']})" if obj["type"] == "indicator" else str(obj["type"])


def _under(obj: Mapping[str, Any], clause: Clause, *, ally: Party, secret: bytes) -> Release:
    """What this one clause makes of it."""
    whole = whole_marking(obj)
    if whole.is_unreadable:
        return _withheld(obj, "AMG-SHARE-MARKING", "it bears a marking which this node cannot read")
    if "object_marking_refs" not in obj or whole.tlp is None:
        return _withheld(obj, "AMG-SHARE-UNMARKED", "it bears no TLP marking as a whole")
    if whole.tlp > min(clause.ceiling, Tlp.AMBER_STRICT):
        ceiling = clause.ceiling.label
        return _withheld(obj, "AMG-SHARE-CEILING", f"{whole.tlp.label} is above {ceiling}, the ceiling of {clause.id}")
    above = _parts_above(obj, clause.ceiling)
    if above is None:
        return _withheld(obj, "AMG-SHARE-PART", "a part marked above the ceiling cannot be told from the rest")
    strip = above.union(*(places_at(obj, path) for path in clause.strip))
    pseudonymise = set[Place]().union(*(places_at(obj, path) for path in clause.pseudonymise))
    if any(is_protected(place) for place in strip | pseudonymise) or any(
        place[0] in NEVER_PSEUDONYMS for place in pseudonymise
    ):
        return _withheld(obj, "AMG-SHARE-PROTECTED", f"{clause.id} would change the object's identity or its marking")
    left = redact(obj, strip=strip, pseudonymise=pseudonymise, secret=secret, ally=ally.id)
    return _let_go(obj, left, clause)


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


def _let_go(obj: Mapping[str, Any], left: Redacted, clause: Clause) -> Release:
    problem = check_object(left.value)
    if problem is not None:
        return _withheld(obj, "AMG-SHARE-REST", f"what {clause.id} would leave of it is no sound object: {problem}")
    marking = marking_of(left.value)
    if marking is None or marking > clause.ceiling:
        return _withheld(obj, "AMG-SHARE-CEILING", f"what is left is marked above the ceiling of {clause.id}")
    released = Released(
        object_id=left.value["id"],
        object_type=left.value["type"],
        content=rfc8785.dumps(left.value),
        clause=clause.id,
        marking=marking,
        changes=_changes(left),
    )
    return Wanting(released=released, role=RELEASE_OFFICER) if clause.consent is Consent.RELEASE_OFFICER else released


def _changes(left: Redacted) -> tuple[Change, ...]:
    stripped: Sequence[Change] = [Change(path=path, what="stripped") for path in left.stripped]
    return (*stripped, *(Change(path=path, what="pseudonymised") for path in left.pseudonymised))
