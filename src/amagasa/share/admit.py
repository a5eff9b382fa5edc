"""What an ally sent is hostile until it was judged here: each object is admitted or refused, with the reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from amagasa.intel.build import AUTHORS_ID, EXTENSION_ID, authors, extension_definition
from amagasa.intel.marking import granular_marking, marking_definition, marking_of, whole_marking
from amagasa.intel.stix import OBSERVABLES, check_object, instant_of
from amagasa.share.agreement import Agreement, Clause, Consent, Party
from amagasa.share.harm import NOTHING_KNOWN, OwnGround, harm_of
from amagasa.share.lawful import is_lawful
from amagasa.share.release import COMPANION_CLAUSE, clauses_for
from amagasa.share.terms import Power, Use
from amagasa.share.verdict import Admission, Admitted, Refusal
from amagasa.vocab.text import show
from amagasa.vocab.tlp import Tlp, tlp_of_marking

MAX_OBJECTS: Final = 10_000
# A Sigma rule is a page of text; a STIX pattern a few lines.
MAX_PATTERN_CHARACTERS: Final = 65_536
# Clocks of two nodes may differ; a statement from further ahead would outlive every correction of it.
MAX_CLOCK_SKEW_S: Final = 600
# What an indicator may announce ahead.
MAX_AHEAD_DAYS: Final = 366
# What this node can evaluate, where a clause does not say.
PATTERN_TYPES: Final = ("stix", "sigma")

_STATED: Final = ("created", "modified", "first_seen", "last_seen", "first_observed", "last_observed")
# What may only be read, or used after the giver was asked, is not looked for by itself.
_UNUSED: Final = frozenset([Use.NONE, Use.CONTACT])
# Code and sentence of a refusal.
_No: TypeAlias = tuple[str, str]


def admit(
    objects: Sequence[Any],
    ally: Party,
    agreement: Agreement,
    *,
    now: datetime,
    held: Mapping[str, Mapping[str, Any]] | None = None,
    own: OwnGround = NOTHING_KNOWN,
) -> Admission:
    """Judge each object of one envelope. Never raises, whatever came: len(admitted) + len(refused) = len(objects).

    `held` are the newest versions we hold of the objects named in it: what came may neither lower their marking nor
    change hands. Several versions of an object may come together; the same version twice is refused. An indicator is
    active where its clause is automatic, it is valid now, not revoked, and newer than what we hold. One that names
    everything, or what is `own`, is refused (`share.harm`).
    """
    stand = _Stand(ally, agreement, now, held or {}, own)
    admitted: list[Admitted] = []
    refused: list[Refusal] = []
    seen: set[tuple[str, datetime | None]] = set()
    for number, obj in enumerate(objects, start=1):
        answer = stand.judge(obj) if number <= MAX_OBJECTS else _refusal(obj, _TOO_MANY)
        if isinstance(answer, Admitted):
            version = (answer.object["id"], instant_of(answer.object.get("modified")))
            if version in seen:
                answer = _refusal(obj, ("AMG-ADMIT-TWICE", "the same version came twice in one envelope"))
            seen.add(version)
        if isinstance(answer, Admitted):
            admitted.append(answer)
            stand.hold(answer.object)
        else:
            refused.append(answer)
    return Admission(admitted=tuple(admitted), refused=tuple(refused))


_TOO_MANY: Final[_No] = ("AMG-ADMIT-COUNT", f"an envelope holds at most {MAX_OBJECTS} objects")


def _refusal(obj: Any, no: _No) -> Refusal:
    named = obj if isinstance(obj, dict) else {}
    identifier, kind = named.get("id"), named.get("type")
    return Refusal(
        object_id=show(identifier) if isinstance(identifier, str) else "",
        object_type=show(kind) if isinstance(kind, str) else "",
        why=no[1],
        code=no[0],
    )


class _Stand:
    """Where we stand while judging one envelope."""

    def __init__(  # noqa: PLR0917 - made in one place
        self, ally: Party, agreement: Agreement, now: datetime, held: Mapping[str, Mapping[str, Any]], own: OwnGround
    ) -> None:
        self._ally = ally
        self._agreement = agreement
        self._clauses = agreement.clauses
        self._now = now
        self._held = dict(held)
        self._own = own
        is_party = ally in agreement.parties
        self._own_id = agreement.ally_of(ally.id).id if is_party else ""
        self._closed: _No | None = None
        if not is_party:
            self._closed = ("AMG-ADMIT-PARTY", "the sender is no party of this agreement")
        elif not agreement.is_in_force(now):
            self._closed = ("AMG-ADMIT-FORCE", "the agreement is not in force")

    def hold(self, obj: Mapping[str, Any]) -> None:
        """What came before in the same envelope counts as held: a marking is not lowered within one either."""
        before, now = (instant_of(one.get("modified")) for one in (self._held.get(obj["id"], {}), obj))
        if before is None or now is None or now > before:
            self._held[obj["id"]] = obj

    def judge(self, obj: Any) -> Admitted | Refusal:
        if self._closed is not None:
            return _refusal(obj, self._closed)
        problem = check_object(obj)
        if problem is not None:
            return _refusal(obj, ("AMG-ADMIT-SHAPE", problem))
        if _is_constant(obj):
            return Admitted(object=obj, clause=COMPANION_CLAUSE, is_active=False)
        no = self._authorship(obj) or self._instants(obj) or self._against_held(obj)
        if no is not None:
            return _refusal(obj, no)
        if obj["type"] == "identity" and obj["id"] == self._ally.id:
            no = _marking_fault(obj)
            return _refusal(obj, no) if no else Admitted(object=obj, clause=COMPANION_CLAUSE, is_active=False)
        return self._by_clause(obj)

    def _authorship(self, obj: Mapping[str, Any]) -> _No | None:
        author = obj.get("created_by_ref")
        if self._own_id in (author, obj["id"]):
            return ("AMG-ADMIT-OURS", "it claims to be made by this node's own party")
        if self._own_id in obj.get("where_sighted_refs", ()):
            return ("AMG-ADMIT-OURS", "it claims that this node's own party saw something")
        if author is None:
            may_be_silent = obj["type"] in OBSERVABLES or obj["id"] == self._ally.id
            return None if may_be_silent else ("AMG-ADMIT-AUTHOR", "created_by_ref is missing")
        relayed = {third for clause in self._clauses if clause.giver == self._ally.id for third in clause.behalf}
        if author != self._ally.id and author not in relayed:
            return ("AMG-ADMIT-AUTHOR", "another than the sender made it")
        return None

    def _instants(self, obj: Mapping[str, Any]) -> _No | None:
        limit = self._now + timedelta(seconds=MAX_CLOCK_SKEW_S)
        for name in _STATED:
            stated = instant_of(obj.get(name))
            if stated is not None and stated > limit:
                return ("AMG-ADMIT-FUTURE", f"{name} lies in the future")
        valid_from = instant_of(obj.get("valid_from"))
        if valid_from is not None and valid_from > self._now + timedelta(days=MAX_AHEAD_DAYS):
            return ("AMG-ADMIT-FUTURE", f"valid_from lies more than {MAX_AHEAD_DAYS} days ahead")
        return None

    def _against_held(self, obj: Mapping[str, Any]) -> _No | None:
        held = self._held.get(obj["id"])
        if held is None:
            return None
        if held.get("created_by_ref") != obj.get("created_by_ref"):
            return ("AMG-ADMIT-HELD", "the object of this identifier that we hold was made by another")
        before, after = marking_of(held), marking_of(obj)
        if before is not None and (after is None or after < before):
            return ("AMG-ADMIT-LOWERED", "it is marked lower than the version that we hold")
        return None

    def _by_clause(self, obj: dict[str, Any]) -> Admitted | Refusal:
        author = obj.get("created_by_ref", self._ally.id)
        clauses = [
            clause
            for clause in clauses_for(obj, self._ally.id, self._agreement)
            if author == self._ally.id or author in clause.behalf
        ]
        if not clauses:
            return _refusal(obj, ("AMG-ADMIT-CLAUSE", f"no clause covers {show(obj['type'])} from this ally"))
        if not is_lawful(self._agreement, self._ally.id, obj["type"]):
            return _refusal(obj, ("AMG-ADMIT-LEGAL", f"the sender may by its law not give {show(obj['type'])}"))
        no = _marking_fault(obj) or _pattern_fault(obj)
        # A revocation takes away: it may name whatever it named.
        if no is None and obj.get("revoked") is not True:
            no = harm_of(obj, self._own)
        if no is not None:
            return _refusal(obj, no)
        marking = marking_of(obj)
        fitting = [clause for clause in clauses if marking is not None and marking <= clause.ceiling]
        if not fitting:
            return _refusal(obj, ("AMG-ADMIT-CEILING", "it is marked above the ceiling of its clause"))
        return Admitted(object=obj, clause=fitting[0].id, is_active=self._is_active(obj, fitting[0]))

    def _is_active(self, obj: Mapping[str, Any], clause: Clause) -> bool:
        if obj["type"] != "indicator" or clause.consent is not Consent.AUTOMATIC or obj.get("revoked") is True:
            return False
        if clause.handling.use in _UNUSED or not self._agreement.has_power(self._own_id, Power.MATCH):
            return False
        valid_until = instant_of(obj.get("valid_until"))
        if valid_until is not None and valid_until <= self._now:
            return False
        held = instant_of(self._held.get(obj["id"], {}).get("modified"))
        modified = instant_of(obj["modified"])
        return held is None or modified is None or modified >= held


def _is_constant(obj: Mapping[str, Any]) -> bool:
    """The TLP definitions, our extension and its author, exactly as every node knows them."""
    if obj["id"] == EXTENSION_ID:
        return bool(obj == extension_definition())
    if obj["id"] == AUTHORS_ID:
        return bool(obj == authors())
    tlp = tlp_of_marking(obj["id"])
    return tlp is not None and bool(obj == marking_definition(tlp))


def _marking_fault(obj: Mapping[str, Any]) -> _No | None:
    whole, parts = whole_marking(obj), granular_marking(obj)
    if whole.is_unreadable or parts.is_unreadable:
        return ("AMG-ADMIT-MARKING", "it bears a marking which this node cannot read")
    if "object_marking_refs" not in obj or whole.tlp is None:
        return ("AMG-ADMIT-UNMARKED", "it bears no TLP marking as a whole")
    if Tlp.RED in (whole.tlp, parts.tlp):
        return ("AMG-ADMIT-RED", "TLP:RED crosses under no clause")
    return None


def _pattern_fault(obj: Mapping[str, Any]) -> _No | None:
    if obj["type"] != "indicator":
        return None
    if obj["pattern_type"] not in PATTERN_TYPES:
        return ("AMG-ADMIT-PATTERN", f"pattern_type {show(obj['pattern_type'])} cannot be evaluated here")
    if len(obj["pattern"]) > MAX_PATTERN_CHARACTERS:
        return ("AMG-ADMIT-PATTERN", f"the pattern is longer than {MAX_PATTERN_CHARACTERS} characters")
    return None
