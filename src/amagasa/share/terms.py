"""The terms of an agreement beyond its clauses' core: each stands in the signed file as it stands here.

What is absent has its default and is not written, so an agreement says only what its parties agreed upon. Durations are
whole seconds or days. Who is meant is said by role: "supported" or "supporting".
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

# No clock of an agreement runs longer than ten years.
Seconds = Annotated[int, Meta(ge=1, le=315_360_000)]
Days = Annotated[int, Meta(ge=1, le=3_650)]
Count = Annotated[int, Meta(ge=1, le=1_000_000_000_000)]
Line = Annotated[str, Meta(min_length=1, max_length=200)]
Path = Annotated[str, Meta(min_length=1, max_length=1_000)]
Identity = Annotated[str, Meta(pattern="^identity--[0-9a-f-]{36}$")]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]

NO_PERSON_NAMED: Final = ("release-officer",)


class Role(StrEnum):
    """Who extends the umbrella and whom it covers (Guidelines for Japan-U.S. Defense Cooperation, 2015)."""

    SUPPORTING = "supporting"
    SUPPORTED = "supported"


class Coarse(StrEnum):
    """What a value is made into.

    A network (IPv4 /24, IPv6 /48), a stand-in for an address which every party makes alike (`incident.tokens`), the
    hour or day of an instant, the role of a host.
    """

    NETWORK = "network"
    STAND_IN = "stand-in"
    HOUR = "hour"
    DAY = "day"
    ROLE = "role"


class Generalise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Properties at `path` leave as `to`. What cannot be made into that is stripped."""

    path: Path
    to: Coarse


class Use(StrEnum):
    """What the taker may do with it: PERMITTED-ACTIONS of FIRST IEP 2.0, from nothing on."""

    NONE = "none"
    CONTACT = "contact-for-instruction"
    INTERNAL = "internally-visible-actions"
    INDIRECT = "externally-visible-indirect-actions"
    DIRECT = "externally-visible-direct-actions"


class Duty(StrEnum):
    """As IEP 2.0 says it."""

    MAY = "may"
    MUST = "must"
    MUST_NOT = "must-not"


class Handling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Terms which travel with the object: FIRST IEP 2.0 with two of our own, `onward` and `keep_days`.

    `onward` are the identities of third parties to whom the taker may pass it on, or what it learnt by it; () is
    nobody. `keep_days` is how long the taker may keep it, None for as long as it is valid.
    """

    use: Use = Use.DIRECT
    notify_affected: Duty = Duty.MAY
    attribution: Duty = Duty.MAY
    resale: Duty = Duty.MUST_NOT
    onward: tuple[Identity, ...] = ()
    keep_days: Days | None = None


class Otherwise(StrEnum):
    """What follows where a trial did not end within its clock."""

    ACTIVATE = "activate"
    HOLD = "hold"


class Trial(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the taker tries a rule or an indicator on its last 24 hours before it looks with it.

    It waits for `wait_s` at most (0: it is used at once and tried then), and then follows `otherwise`. What would have
    found `noisy_an_hour` or more in each hour in which it found anything is put aside.
    """

    wait_s: Annotated[int, Meta(ge=0, le=86_400)] = 1
    otherwise: Otherwise = Otherwise.ACTIVATE
    noisy_an_hour: Count = 1_000


class Scope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What lies under the umbrella: sectors (STIX 2.1 industry-sector-ov) and assets by name; () is everything."""

    sectors: tuple[Line, ...] = ()
    assets: tuple[Line, ...] = ()


class Clocks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Time limits which both measure; None is none. Each counts from the event that its name tells of.

    `share_within_s` from our knowing to the ally's having, `acknowledge_within_s` from having to the receipt,
    `retract_within_s` from a retraction to its receipt, `consult_within_s` from a serious incident to the first word,
    `silence_s` is the longest that a side may be silent, `renew_by_days` how long before its end renewal is due.
    """

    share_within_s: Seconds | None = None
    acknowledge_within_s: Seconds | None = None
    retract_within_s: Seconds | None = None
    consult_within_s: Seconds | None = None
    silence_s: Seconds | None = None
    renew_by_days: Days | None = None


class Power(StrEnum):
    """What a party's own law lets it do at all."""

    MATCH = "match-ally-indicators"
    PERSONAL = "give-personal-data"
    CONTENT = "give-content-of-communications"
    BLOCK = "block-own-networks"
    PROPOSE = "propose-actions"
    ASSIST = "act-on-ally-assets-with-consent"
    ATTRIBUTE = "attribute-publicly"


class Legal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A party's legal profile: what it `may` do and nothing else; `basis` names the law. Without one it may all."""

    party: Role
    may: tuple[Power, ...] = ()
    basis: tuple[Line, ...] = ()


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a party may ask the other for: objects of these types, so often a day, to be answered within so long."""

    asker: Role
    objects: tuple[Line, ...]
    answer_within_s: Seconds | None = None
    n_a_day: Count | None = None


class Budget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The most that a party gives in a day (UTC), and how many blind-match queries it answers; None: no limit."""

    giver: Role
    n_objects_a_day: Count | None = None
    n_bytes_a_day: Count | None = None
    n_queries_a_day: Count | None = None


class Sanction(StrEnum):
    """What follows a breach."""

    CONSULT = "consult"
    SUSPEND = "suspend"
    REVOKE = "revoke"


class Breach(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A breach found is told to the other party within so long, and this follows."""

    tell_within_s: Seconds | None = None
    then: Sanction = Sanction.CONSULT


class Under(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agreement of a nation under which an operator joins: its `id` and the SHA-256 of its terms."""

    id: Line
    digest: Digest
