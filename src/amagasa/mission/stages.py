"""What an attack at some stage takes from the thing it touches. The figures are ours: a starting point to argue with.

A tactic of ATT&CK says how far the attacker came. Reading what is there costs nothing yet; what he did to a thing costs
it something; inhibiting and impairing control, and impact, are the loss itself. Losses are of 100.
"""

from collections.abc import Iterable
from typing import Final

from amagasa.mission.model import FULL
from amagasa.mission.span import Span

# (at least, most likely, at most) of an alert that is certain.
_LOSSES: Final[dict[str, tuple[float, float, float]]] = {
    "reconnaissance": (0, 2, 10),
    "resource-development": (0, 2, 10),
    "initial-access": (0, 10, 40),
    "discovery": (0, 15, 50),
    "execution": (5, 20, 60),
    "persistence": (5, 25, 60),
    "privilege-escalation": (5, 25, 70),
    "stealth": (5, 20, 60),
    "defense-impairment": (10, 30, 70),
    "defense-evasion": (5, 20, 60),
    "evasion": (5, 20, 60),
    "credential-access": (5, 30, 70),
    "collection": (5, 25, 60),
    "exfiltration": (5, 30, 60),
    "lateral-movement": (10, 35, 80),
    "command-and-control": (10, 40, 80),
    "inhibit-response-function": (30, 60, 100),
    "impair-process-control": (50, 80, 100),
    "impact": (60, 90, 100),
}
_NO_STAGE: Final = (0.0, 10.0, 40.0)
# From this confidence on the worst case counts whole: what is as likely as not must be reckoned with.
_EVEN: Final = 50


def health_after(tactics: Iterable[str], confidence: int) -> Span:
    """The health that is left of an asset whose alert has these tactics, by the worst of them.

    `confidence` (0 to 100) scales the least and the likely loss as a chance would; the worst case counts whole from 50
    on, and in proportion below. An alert of no stage costs as much as a first access.
    """
    known = [_LOSSES[tactic] for tactic in tactics if tactic in _LOSSES]
    least, likely, most = map(max, zip(*known, strict=True)) if known else _NO_STAGE
    chance = min(max(confidence, 0), 100) / 100
    at_worst = min(max(confidence, 0) / _EVEN, 1.0)
    losses = sorted((least * chance, likely * chance, most * at_worst))
    return Span(worst=FULL - losses[2], likely=FULL - losses[1], best=FULL - losses[0])
