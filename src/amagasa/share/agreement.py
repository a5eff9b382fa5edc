"""The agreement: what two parties signed, as data."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from amagasa.share.terms import (
    NO_PERSON_NAMED,
    Ask,
    Breach,
    Budget,
    Clocks,
    Generalise,
    Handling,
    Legal,
    Power,
    Role,
    Scope,
    Trial,
    Under,
)
from amagasa.vocab.tlp import Tlp


class Consent(StrEnum):
    """Whether an object leaves by itself or after persons said yes: `Clause.n_persons` who have `Clause.approvers`."""

    AUTOMATIC = "automatic"
    RELEASE_OFFICER = "release-officer"


class Party(Struct, frozen=True, kw_only=True):
    """A party as its ally knows it: the public card which `init` writes, with a role.

    `id` is a STIX identity. `key` is an Ed25519 public key, 32 bytes in base64url without padding.
    `certificate` is the PEM of the one TLS certificate it may present. `address` is the https URL of its TAXII door.
    """

    id: str
    name: str
    country: str
    role: Role
    key: str
    certificate: str
    address: str


class Card(Struct, frozen=True, kw_only=True):
    """A party's public card, `party.json`: what it hands to the other side, which adds the role. Holds no secret."""

    id: str
    name: str
    country: str
    key: str
    certificate: str
    address: str

    def as_party(self, role: Role) -> Party:
        """The party of this card in this role."""
        return Party(
            id=self.id,
            name=self.name,
            country=self.country,
            role=role,
            key=self.key,
            certificate=self.certificate,
            address=self.address,
        )


class Clause(Struct, frozen=True, kw_only=True):
    """One term: objects of these types may go from `giver` to the other party, up to this marking.

    `objects` are STIX types. `pattern_types` limits indicators ("stix", "sigma"; empty: any).
    `strip`, `pseudonymise` and the paths of `generalise` are dotted property paths, e.g. `external_references`, `name`,
    `objects.*.value`. Where `only` is not empty nothing leaves beside these top-level properties and what an object is
    known by. With `is_reminted` the identifiers of the giver's objects are replaced, too: pseudonyms always do that.
    Consent: `n_persons` different persons (1 or 2), each with one of the roles `approvers`, and each role represented
    as far as there are persons. `behalf`: others whose knowledge may leave under this clause, where theirs says so.
    `batch_s` and `jitter_s` blur when something was known: it leaves at the next whole multiple, and so much later.
    `trial` is how the taker tries what it is to look with.
    """

    id: str
    giver: str
    objects: tuple[str, ...]
    ceiling: Tlp
    consent: Consent
    pattern_types: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    pseudonymise: tuple[str, ...] = ()
    generalise: tuple[Generalise, ...] = ()
    only: tuple[str, ...] = ()
    is_reminted: bool = False
    n_persons: int = 1
    approvers: tuple[str, ...] = NO_PERSON_NAMED
    handling: Handling = Handling()
    behalf: tuple[str, ...] = ()
    batch_s: int = 0
    jitter_s: int = 0
    trial: Trial = Trial()

    @property
    def has_pseudonyms(self) -> bool:
        """Whether identifiers would betray what it hides."""
        return self.is_reminted or bool(self.pseudonymise or self.generalise)


class Agreement(Struct, frozen=True, kw_only=True):
    """Signed terms between exactly two parties. In force from `valid_from_at` (included) to `valid_until_at` (not).

    `amends` is the SHA-256 of the version before this one, "" for the first. `under` is the nation's agreement under
    which an operator joins. `rotate_days`: pseudonyms are others after so many days; 0: never.
    """

    id: str
    title: str
    version: int
    parties: tuple[Party, Party]
    valid_from_at: datetime
    valid_until_at: datetime
    clauses: tuple[Clause, ...]
    amends: str = ""
    under: Under | None = None
    scope: Scope = Scope()
    clocks: Clocks = Clocks()
    legal: tuple[Legal, ...] = ()
    asks: tuple[Ask, ...] = ()
    budgets: tuple[Budget, ...] = ()
    breach: Breach = Breach()
    rotate_days: int = 0

    def ally_of(self, party_id: str) -> Party:
        """The other party. Raises ValueError where `party_id` is none of the two."""
        first, second = self.parties
        if party_id == first.id:
            return second
        if party_id == second.id:
            return first
        message = "no party of this agreement"
        raise ValueError(message)

    def party(self, role: Role) -> Party | None:
        """The party in this role; None where both have the other."""
        return next((party for party in self.parties if party.role is role), None)

    def role_of(self, party_id: str) -> Role | None:
        """The role of this party; None where it is none of the two."""
        return next((party.role for party in self.parties if party.id == party_id), None)

    def has_power(self, party_id: str, power: Power) -> bool:
        """Whether the party's legal profile lets it; a party without a profile may do all."""
        role = self.role_of(party_id)
        profile = next((legal for legal in self.legal if legal.party is role), None)
        return profile is None or power in profile.may

    def budget_of(self, giver: str) -> Budget | None:
        """What this party gives a day at most; None where nothing is said."""
        role = self.role_of(giver)
        return next((budget for budget in self.budgets if budget.giver is role), None)

    def is_in_force(self, now: datetime) -> bool:
        """Whether `now` lies within the validity."""
        return self.valid_from_at <= now < self.valid_until_at
