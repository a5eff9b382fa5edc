"""Contradictions and gaps of the terms: persons, coarse values, law, clocks, third parties, amendments."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from amagasa.intel.stix import TYPED
from amagasa.share.agreement import Agreement, Clause, Consent
from amagasa.share.lawful import is_lawful
from amagasa.share.problem import Problem, Weight
from amagasa.share.redact import NEVER_PSEUDONYMS, is_coarsened, is_path
from amagasa.share.terms import NO_PERSON_NAMED, Coarse, Generalise, Power
from amagasa.vocab.text import show

# The instants which tell when something was seen; an object's versions tell it as well.
_SEEN: Final = frozenset(["first_seen", "last_seen", "first_observed", "last_observed", "valid_from"])
_VERSIONS: Final = ("created", "modified")
_ROLE: Final = re.compile(r"[a-z][a-z-]{0,39}")
_PROPERTY: Final = re.compile(r"[A-Za-z0-9_-]{1,250}")
_INSTANTS: Final = frozenset([Coarse.HOUR, Coarse.DAY])


def check_terms(agreement: Agreement) -> Iterator[Problem]:
    """The problems of the agreement's own terms, then of each clause's."""
    if (agreement.version > 1) != bool(agreement.amends):
        yield _fault("AMG-AGREEMENT-AMENDS", "amends", str(agreement.version))
    renew_by_days = agreement.clocks.renew_by_days
    if renew_by_days and timedelta(days=renew_by_days) >= agreement.valid_until_at - agreement.valid_from_at:
        yield _fault("AMG-AGREEMENT-RENEW", "clocks.renew_by_days", str(renew_by_days))
    yield from _twice((legal.party for legal in agreement.legal), "legal")
    yield from _twice((budget.giver for budget in agreement.budgets), "budgets")
    yield from _asks(agreement)
    for number, clause in enumerate(agreement.clauses):
        place = f"clause[{number}]"
        yield from _persons(clause, place)
        yield from _coarse(clause, place)
        yield from _third(agreement, clause, place)
        yield from _lawful(agreement, clause, place)
        for name in clause.only:
            if _PROPERTY.fullmatch(name) is None:
                yield _fault("AMG-AGREEMENT-PATH", f"{place}.only", show(name))


def _fault(code: str, place: str, *args: str) -> Problem:
    return Problem(code=code, place=place, args=args)


def _note(code: str, place: str, *args: str) -> Problem:
    return Problem(code=code, place=place, args=args, weight=Weight.NOTE)


def _twice(names: Iterable[str], place: str) -> Iterator[Problem]:
    for name, n in Counter(names).items():
        if n > 1:
            yield _fault("AMG-AGREEMENT-ROLE-TWICE", place, str(name))


def _asks(agreement: Agreement) -> Iterator[Problem]:
    for number, ask in enumerate(agreement.asks):
        given = {kind for one in agreement.clauses if agreement.role_of(one.giver) != ask.asker for kind in one.objects}
        for kind in ask.objects:
            if kind not in given:
                yield _note("AMG-AGREEMENT-ASK", f"asks[{number}].objects", show(kind))


def _persons(clause: Clause, place: str) -> Iterator[Problem]:
    if not 1 <= clause.n_persons <= 2:
        yield _fault("AMG-AGREEMENT-PERSONS", f"{place}.n_persons", str(clause.n_persons))
    if clause.consent is Consent.AUTOMATIC and (clause.n_persons > 1 or clause.approvers != NO_PERSON_NAMED):
        yield _fault("AMG-AGREEMENT-NOBODY", f"{place}.consent")
    for role in clause.approvers or ("",):
        if _ROLE.fullmatch(role) is None:
            yield _fault("AMG-AGREEMENT-APPROVER", f"{place}.approvers", show(role))


def _coarse(clause: Clause, place: str) -> Iterator[Problem]:
    at = f"{place}.generalise"
    for one in clause.generalise:
        if not is_path(one.path):
            yield _fault("AMG-AGREEMENT-PATH", at, show(one.path))
        elif one.path.partition(".")[0] in NEVER_PSEUDONYMS or not _fits(one):
            yield _fault("AMG-AGREEMENT-COARSE", at, show(one.path), one.to.value)
        if one.path in {*clause.strip, *clause.pseudonymise}:
            yield _fault("AMG-AGREEMENT-BOTH", at, show(one.path))
    for path, n in Counter(one.path for one in clause.generalise).items():
        if n > 1:
            yield _fault("AMG-AGREEMENT-BOTH", at, show(path))
    instants = {one.path for one in clause.generalise if one.to in _INSTANTS}
    telling = [name for name in _VERSIONS if name not in instants]
    if instants & _SEEN and telling:
        yield _note("AMG-AGREEMENT-BETRAYS", at, ", ".join(telling))


def _fits(one: Generalise) -> bool:
    """An instant can be blurred wherever it stands; anything else only where STIX asks for no type."""
    if one.to in _INSTANTS:
        return is_coarsened(one.path) or one.path.partition(".")[0] not in {"type", "id", "spec_version"}
    return one.path.partition(".")[0] not in TYPED


def _third(agreement: Agreement, clause: Clause, place: str) -> Iterator[Problem]:
    parties = {party.id for party in agreement.parties}
    for name, thirds in (("handling.onward", clause.handling.onward), ("behalf", clause.behalf)):
        for third in thirds:
            if third in parties:
                yield _fault("AMG-AGREEMENT-THIRD", f"{place}.{name}", show(third))


def _lawful(agreement: Agreement, clause: Clause, place: str) -> Iterator[Problem]:
    for kind in clause.objects:
        if not is_lawful(agreement, clause.giver, kind):
            yield _fault("AMG-AGREEMENT-LEGAL", f"{place}.objects", show(kind))
    taker = next((party for party in agreement.parties if party.id != clause.giver), None)
    is_matched = "indicator" in clause.objects and taker is not None
    if is_matched and taker is not None and not agreement.has_power(taker.id, Power.MATCH):
        yield _note("AMG-AGREEMENT-UNMATCHED", f"{place}.objects", show(taker.name))
