"""What leaves for an ally: closed by default, and never under a lighter marking than it came with."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import rfc8785
from msgspec import Struct
from msgspec.structs import replace

from amagasa.intel.build import EXTENSION_ID, authors, extension_definition, identity
from amagasa.intel.marking import marking_definition, marking_of, whole_marking
from amagasa.intel.stix import OBSERVABLES, REQUIRED, check_object
from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.known import NOTHING, Known
from amagasa.share.lawful import is_lawful
from amagasa.share.redact import MIN_SECRET_BYTES, Place, Redacted, redact
from amagasa.share.traces import is_too_many, names, traces_of
from amagasa.share.treatment import Treatment, key_of, speaking, treatment
from amagasa.share.verdict import Change, Release, Released, Wanting, Withheld
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp

# Objects which explain others and are the same for every reader need no clause of their own.
COMPANION_CLAUSE: Final = "companions"
# A text which is stripped because it names something may be named itself.
MAX_ROUNDS: Final = 4


def release(
    obj: Mapping[str, Any],
    ally: Party,
    agreement: Agreement,
    *,
    now: datetime,
    secret: bytes,
    known: Known = NOTHING,
) -> Release:
    """Whether `obj` leaves for `ally`, as which bytes, by which clause, and who must say yes. Never changes `obj`.

    Closed by default. The agreement must be in force, the object sound, made by the giver, and marked as a whole with
    a TLP we can read: unmarked, TLP:RED and unreadable markings stay. The first clause, in the agreement's order, that
    concerns the type and whose ceiling bears the marking lets it go. Parts marked above the ceiling are stripped, and
    so is every text that still names what a clause hides. What was learnt from a third party (`known`) leaves only
    where the clause by which it came and the clause by which it would go both say so. `secret` keys the stand-ins: 32
    bytes or more, or ValueError. Whatever `obj` is, nothing else raises.
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
    learnt = tuple(one for one in known.learnt if one.party not in {giver.id, ally.id})
    if not _is_made_by(obj, giver, {one.party for one in learnt}):
        return _withheld(obj, "AMG-SHARE-AUTHOR", "another than the giver made it, and no clause covers that")
    if any(ally.id not in one.onward for one in learnt):
        return _withheld(
            obj, "AMG-SHARE-LEARNT", "it was learnt from another party, whose agreement keeps it from others"
        )
    if not is_lawful(agreement, giver.id, obj["type"]):
        return _withheld(obj, "AMG-SHARE-LEGAL", f"the law of {giver.name} does not let it give {show(obj['type'])}")
    clauses = clauses_for(obj, giver.id, agreement)
    if not clauses:
        return _withheld(obj, "AMG-SHARE-CLAUSE", f"no clause lets {giver.name} give {show(_kind_in_words(obj))}")
    key = key_of(agreement, secret=secret, now=now)
    terms = _Terms(agreement=agreement, ally=ally, key=key, known=replace(known, learnt=learnt))
    answers = [_under(obj, clause, terms) for clause in clauses]
    return next((answer for answer in answers if not isinstance(answer, Withheld)), answers[0])


class _Terms(Struct, frozen=True, kw_only=True):
    """Under which terms one object is judged."""

    agreement: Agreement
    ally: Party
    key: bytes
    known: Known


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


def _is_made_by(obj: Mapping[str, Any], giver: Party, learnt: Collection[str]) -> bool:
    """Observables and marking definitions need name nobody; the giver's identity may speak for itself."""
    author = obj.get("created_by_ref")
    if author is None:
        return obj["type"] in OBSERVABLES or obj["type"] == "marking-definition" or obj["id"] == giver.id
    return author == giver.id or author in learnt


def _kind_in_words(obj: Mapping[str, Any]) -> str:
    return f"indicator ({obj['pattern_type']})" if obj["type"] == "indicator" else str(obj["type"])


def _under(obj: Mapping[str, Any], clause: Clause, terms: _Terms) -> Release:
    """What this one clause makes of it."""
    if any(one.party not in clause.behalf for one in terms.known.learnt):
        return _withheld(obj, "AMG-SHARE-LEARNT", f"it was learnt from another party, and {clause.id} is not for that")
    whole = whole_marking(obj)
    if whole.is_unreadable:
        return _withheld(obj, "AMG-SHARE-MARKING", "it bears a marking which this node cannot read")
    if "object_marking_refs" not in obj or whole.tlp is None:
        return _withheld(obj, "AMG-SHARE-UNMARKED", "it bears no TLP marking as a whole")
    if whole.tlp > min(clause.ceiling, Tlp.AMBER_STRICT):
        ceiling = clause.ceiling.label
        return _withheld(obj, "AMG-SHARE-CEILING", f"{whole.tlp.label} is above {ceiling}, the ceiling of {clause.id}")
    done = treatment(obj, clause, terms.agreement, key=terms.key, known=terms.known)
    if done.code:
        return _withheld(obj, done.code, done.why)
    left = _treated(obj, done, terms)
    return left if isinstance(left, Withheld) else _let_go(obj, left, clause)


def _treated(obj: Mapping[str, Any], done: Treatment, terms: _Terms) -> Redacted | Withheld:
    """The object redacted, and once more without the texts that name what was hidden."""
    for _ in range(MAX_ROUNDS):
        left = redact(
            obj,
            strip=done.strip,
            pseudonymise=done.pseudonymise,
            swaps=done.swaps,
            secret=terms.key,
            ally=terms.ally.id,
        )
        naming = _naming(obj, left, done)
        if naming is None:
            return _withheld(obj, "AMG-SHARE-NAMED", "it hides more values than can be looked for in the rest")
        if not naming:
            return left
        if any(place[0] in REQUIRED.get(obj["type"], ()) for place in naming):
            return _withheld(obj, "AMG-SHARE-NAMED", "what it cannot be without names a value that must not leave")
        done = replace(done, strip=done.strip | naming)
    return _withheld(obj, "AMG-SHARE-NAMED", "its texts name values that must not leave")


def _naming(obj: Mapping[str, Any], left: Redacted, done: Treatment) -> frozenset[Place] | None:
    """Places of `obj` that are still there and name what was hidden; None where that cannot be said."""
    traces = traces_of(left.hidden)
    if is_too_many(traces):
        return None
    if not traces.has_any:
        return frozenset()
    closed = {*done.strip, *done.pseudonymise, *done.swaps}
    return frozenset(
        place
        for place, text in speaking(obj)
        if not any(place[:length] in closed for length in range(1, len(place) + 1)) and names(text, traces)
    )


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
    if clause.consent is Consent.AUTOMATIC:
        return released
    return Wanting(released=released, roles=clause.approvers, n_persons=clause.n_persons)


def _changes(left: Redacted) -> tuple[Change, ...]:
    stripped = [Change(path=path, what="stripped") for path in left.stripped]
    replaced = [Change(path=path, what="pseudonymised") for path in left.pseudonymised]
    return (*stripped, *replaced, *(Change(path=path, what=what) for path, what in left.swapped))
