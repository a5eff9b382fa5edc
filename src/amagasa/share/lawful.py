"""What a party's law lets it give: its legal profile in the agreement."""

from typing import Final

from amagasa.share.agreement import Agreement
from amagasa.share.terms import Power

# Objects which say something of a person, or hold what a person wrote: some parties may not give them by law.
OF_PERSONS: Final = frozenset(["email-addr", "email-message", "user-account"])
OF_CONTENT: Final = frozenset(["artifact", "email-message"])


def is_lawful(agreement: Agreement, giver: str, kind: str) -> bool:
    """Whether the giver's legal profile lets it give objects of this type at all."""
    may_persons = kind not in OF_PERSONS or agreement.has_power(giver, Power.PERSONAL)
    return may_persons and (kind not in OF_CONTENT or agreement.has_power(giver, Power.CONTENT))
