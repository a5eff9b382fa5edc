"""The agreements installed in a node: each verified, in its chain, and ended by what ends it."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from amagasa.app.ports import Bond
from amagasa.share.agreement import Agreement, Card, Party
from amagasa.share.form import digest
from amagasa.share.problem import Problem
from amagasa.share.revoking import Revocation, from_file, is_true
from amagasa.share.signing import from_bytes, verify
from amagasa.vocab.text import show

REVOKED_SUFFIX: Final = ".revoked.json"


class State(StrEnum):
    """How an installed agreement stands now."""

    IN_FORCE = "in-force"
    EARLY = "early"
    EXPIRED = "expired"
    AMENDED = "amended"
    REVOKED = "revoked"
    FAULTY = "faulty"


class Entry(Struct, frozen=True, kw_only=True):
    """An installed file: the agreement, or why it is not relied on."""

    name: str
    agreement: Agreement | None
    problems: tuple[Problem, ...] = ()
    revoked: Revocation | None = None
    amended_at: datetime | None = None

    def state(self, now: datetime) -> State:
        """Of this instant."""
        if self.amended_at is not None and self.amended_at <= now:
            return State.AMENDED
        if self.agreement is None or self.problems:
            return State.FAULTY
        if self.revoked is not None:
            return State.REVOKED
        if self.agreement.is_in_force(now):
            return State.IN_FORCE
        return State.EARLY if now < self.agreement.valid_from_at else State.EXPIRED

    def bond(self, party_id: str) -> Bond | None:
        """The agreement as it is relied on: until it ends, is amended or revoked. None where it is not sound."""
        if self.agreement is None or self.problems:
            return None
        ends = (self.agreement.valid_until_at, self.amended_at, self.revoked.revoked_at if self.revoked else None)
        until_at = min(end for end in ends if end is not None)
        return Bond(
            agreement=replace(self.agreement, valid_until_at=until_at),
            ally=self.agreement.ally_of(party_id),
            digest=digest(self.agreement),
            ended="revoked" if self.revoked is not None else "amended" if self.amended_at is not None else "",
            why=self.revoked.why if self.revoked is not None else "",
        )


class AgreementBook(Struct, frozen=True, kw_only=True):
    """The installed agreements of one party. Faulty ones are kept to be shown, and never relied on.

    `bonds` makes it an `app.ports.AgreementBook`.
    """

    party_id: str
    entries: tuple[Entry, ...]

    @staticmethod
    def load(files: Iterable[tuple[str, bytes | str]], party: Card) -> "AgreementBook":
        """Verify each file: (name, content), or (name, why it could not be read). `party` is our own card."""
        given = tuple(files)
        words = [(name, data) for name, data in given if name.endswith(REVOKED_SUFFIX)]
        entries = [_entry(name, data, party) for name, data in given if not name.endswith(REVOKED_SUFFIX)]
        return AgreementBook(party_id=party.id, entries=(*_ended(entries, words), *_untrue(entries, words)))

    def bonds(self) -> tuple[Bond, ...]:
        """The sound ones, in force or not, each with the party that is not us."""
        return tuple(bond for entry in self.entries if (bond := entry.bond(self.party_id)) is not None)

    def with_ally(self, ally_id: str) -> tuple[Agreement, ...]:
        """The sound agreements with this ally, highest version first."""
        found = [bond.agreement for bond in self.bonds() if bond.ally.id == ally_id]
        return tuple(sorted(found, key=lambda one: (one.valid_from_at, one.version), reverse=True))

    def allies(self, now: datetime) -> tuple[Party, ...]:
        """Each ally once, as its newest agreement in force names it."""
        newest: dict[str, Party] = {}
        for bond in sorted(self.bonds(), key=lambda one: (one.agreement.valid_from_at, one.agreement.version)):
            if bond.agreement.is_in_force(now):
                newest[bond.ally.id] = bond.ally
        return tuple(newest.values())

    @property
    def faulty(self) -> tuple[Entry, ...]:
        """Those which are not relied on, and which no sound amendment replaced."""
        return tuple(entry for entry in self.entries if entry.problems and entry.amended_at is None)


def _entry(name: str, data: bytes | str, party: Card) -> Entry:
    if isinstance(data, str):
        return Entry(name=name, agreement=None, problems=(Problem(code="AMG-AGREEMENT-UNREAD", args=(show(data),)),))
    signed = from_bytes(data)
    if isinstance(signed, Problem):
        return Entry(name=name, agreement=None, problems=(signed,))
    return Entry(name=name, agreement=signed.agreement, problems=(*verify(signed), *_not_ours(signed.agreement, party)))


def _ended(entries: Sequence[Entry], words: Sequence[tuple[str, bytes | str]]) -> list[Entry]:
    """Each with what ended it: an amendment that stands in the same chain, or a party's word."""
    revocations = [found for _, data in words if isinstance(found := _word(data), Revocation)]
    sound = {digest(one.agreement): one.agreement for one in entries if one.agreement is not None and not one.problems}
    # A version which no longer holds (its certificate was renewed) may still be amended.
    known = {digest(one.agreement) for one in entries if one.agreement is not None}
    began = {one.amends: one.valid_from_at for one in sound.values() if one.amends}
    ended: list[Entry] = []
    for entry in entries:
        agreement = entry.agreement
        if agreement is None:
            ended.append(entry)
            continue
        others = [one for one in sound.values() if one.id == agreement.id and one.version < agreement.version]
        is_torn = bool(others) and agreement.amends not in known
        broken = Problem(
            code="AMG-AGREEMENT-CHAIN", place="amends", args=(agreement.amends or "-", newest_digest(others))
        )
        ended.append(
            replace(
                entry,
                problems=(*entry.problems, broken) if is_torn else entry.problems,
                revoked=next((one for one in revocations if is_true(one, agreement)), None),
                amended_at=began.get(digest(agreement)),
            )
        )
    return ended


def _untrue(entries: Sequence[Entry], words: Sequence[tuple[str, bytes | str]]) -> Iterator[Entry]:
    """A revocation that cannot be read, or that no party of its agreement signed, is shown and not passed over."""
    for name, data in words:
        found = _word(data)
        if isinstance(found, Problem):
            yield Entry(name=name, agreement=None, problems=(found,))
            continue
        about = [one.agreement for one in entries if one.agreement is not None and one.agreement.id == found.agreement]
        if about and not any(is_true(found, agreement) for agreement in about):
            problem = Problem(code="AMG-AGREEMENT-UNTRUE", args=(show(found.party),))
            yield Entry(name=name, agreement=None, problems=(problem,))


def _word(data: bytes | str) -> Revocation | Problem:
    return Problem(code="AMG-AGREEMENT-UNREAD", args=(show(data),)) if isinstance(data, str) else from_file(data)


def newest_digest(agreements: Sequence[Agreement]) -> str:
    """The digest of the highest version; "-" where there is none."""
    return digest(max(agreements, key=lambda one: one.version)) if agreements else "-"


def _not_ours(agreement: Agreement, card: Card) -> tuple[Problem, ...]:
    """Where the agreement speaks of us otherwise than our card does. A name or address may have changed since."""
    us = next((party for party in agreement.parties if party.id == card.id), None)
    if us is None:
        return (Problem(code="AMG-AGREEMENT-OTHERS"),)
    changed = [name for name in ("key", "certificate") if getattr(us, name) != getattr(card, name)]
    return tuple(Problem(code="AMG-AGREEMENT-OURS", args=(name,)) for name in changed)
