"""The agreement: what two parties signed, as data."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from amagasa.vocab.tlp import Tlp


class Role(StrEnum):
    """Who extends the umbrella and whom it covers (Guidelines for Japan-U.S. Defense Cooperation, 2015)."""

    SUPPORTING = "supporting"
    SUPPORTED = "supported"


class Consent(StrEnum):
    """Whether an object leaves by itself or after a release officer said yes."""

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
    `strip` and `pseudonymise` are dotted property paths, e.g. `external_references`, `name`, `objects.*.value`.
    """

    id: str
    giver: str
    objects: tuple[str, ...]
    ceiling: Tlp
    consent: Consent
    pattern_types: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    pseudonymise: tuple[str, ...] = ()


class Agreement(Struct, frozen=True, kw_only=True):
    """Signed terms between exactly two parties. In force from `valid_from_at` (included) to `valid_until_at` (not)."""

    id: str
    title: str
    version: int
    parties: tuple[Party, Party]
    valid_from_at: datetime
    valid_until_at: datetime
    clauses: tuple[Clause, ...]

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

    def is_in_force(self, now: datetime) -> bool:
        """Whether `now` lies within the validity."""
        return self.valid_from_at <= now < self.valid_until_at
