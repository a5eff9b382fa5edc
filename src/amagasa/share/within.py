"""Is an operator's agreement smaller than the nation's under which it stands? Only what is common to both may cross."""

from collections.abc import Iterator

from amagasa.share.agreement import Agreement, Clause
from amagasa.share.form import digest
from amagasa.share.problem import Problem
from amagasa.vocab.text import show


def check_within(agreement: Agreement, parent: Agreement) -> tuple[Problem, ...]:
    """What goes beyond the parent: its identity, its time, its scope, a marking or a type that nobody there gives."""
    return tuple(_beyond(agreement, parent))


def _beyond(agreement: Agreement, parent: Agreement) -> Iterator[Problem]:
    under = agreement.under
    if under is None or under.id != parent.id or under.digest != digest(parent):
        yield _fault("under", show(parent.id))
    if not {one.id for one in agreement.parties} & {one.id for one in parent.parties}:
        yield _fault("parties", "parties")
    if agreement.valid_from_at < parent.valid_from_at or agreement.valid_until_at > parent.valid_until_at:
        yield _fault("valid_until", f"{agreement.valid_until_at:%Y-%m-%d}")
    for name in ("sectors", "assets"):
        ours, theirs = getattr(agreement.scope, name), getattr(parent.scope, name)
        if theirs and not (ours and set(ours) <= set(theirs)):
            yield _fault(f"scope.{name}", ", ".join(show(one) for one in ours) or name)
    for number, clause in enumerate(agreement.clauses):
        yield from _clause(clause, parent, f"clause[{number}]")


def _clause(clause: Clause, parent: Agreement, place: str) -> Iterator[Problem]:
    """Each type must be one that the parent lets somebody give, and not under a stricter marking than there."""
    for kind in clause.objects:
        ceilings = [one.ceiling for one in parent.clauses if kind in one.objects]
        if not ceilings:
            yield _fault(f"{place}.objects", show(kind))
        elif clause.ceiling > max(ceilings):
            yield _fault(f"{place}.ceiling", clause.ceiling.label)


def _fault(place: str, *args: str) -> Problem:
    return Problem(code="AMG-AGREEMENT-OUTSIDE", place=place, args=args)
