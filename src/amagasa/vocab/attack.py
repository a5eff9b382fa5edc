"""ATT&CK identifiers: techniques and tactics, from Sigma tags; v19 retired Defense Evasion, so aliases are kept."""

import re
from collections.abc import Iterable
from typing import Final

_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE | re.ASCII)

# Order of the matrix: Enterprise v18, with what ICS v18 adds (evasion, and inhibiting and impairing control).
TACTICS: Final = (
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "stealth",
    "defense-impairment",
    "defense-evasion",
    "evasion",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "inhibit-response-function",
    "impair-process-control",
    "impact",
)


def techniques_of(tags: Iterable[str]) -> tuple[str, ...]:
    """`attack.t1003.001` -> `T1003.001`; in order of first mention, each once."""
    found = (match[1].upper() for tag in tags if (match := _TECHNIQUE.fullmatch(tag.strip())))
    return tuple(dict.fromkeys(found))


def tactics_of(tags: Iterable[str]) -> tuple[str, ...]:
    """`attack.defense_evasion` or `attack.defense-evasion` -> `defense-evasion`; in the order of the matrix."""
    named = {tag.strip().lower().removeprefix("attack.").replace("_", "-") for tag in tags if "attack." in tag.lower()}
    return tuple(tactic for tactic in TACTICS if tactic in named)
