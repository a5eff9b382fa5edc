"""How bad an incident is for the nation: CISA's National Cyber Incident Scoring System (NCISS), 0 to 100.

Eight categories, each with its weight and its options, and the weighted mean of the chosen options between the least
and the most that is possible. What an incident's own evidence says is filled in; what only people can know (who did
it, what is lost, which sector depends on it) stands at the option named in `USUAL` until somebody assesses it. `low`
and `high` are the score if all that nobody knows were at its least and at its most.

NCISS says of itself that it does not know incidents which belong together. `linked_score` is our extension for that,
and no part of NCISS: each further party that is struck takes 15 % of what is left to 100, each further incident 5 %.

The score is neither severity (how bad if true, of one rule) nor confidence (how sure), and not the order of looking,
in which it is one part (`incident.rank`).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from amagasa.event.entity import EntityKind
from amagasa.incident.alert import Incident


class Category(StrEnum):
    """The categories of NCISS."""

    FUNCTIONAL_IMPACT = "functional-impact"
    OBSERVED_ACTIVITY = "observed-activity"
    LOCATION = "location"
    ACTOR = "actor"
    INFORMATION_IMPACT = "information-impact"
    RECOVERABILITY = "recoverability"
    CROSS_SECTOR = "cross-sector"
    POTENTIAL_IMPACT = "potential-impact"


WEIGHTS: Final[Mapping[Category, int]] = {
    Category.FUNCTIONAL_IMPACT: 6,
    Category.OBSERVED_ACTIVITY: 5,
    Category.LOCATION: 4,
    Category.ACTOR: 4,
    Category.INFORMATION_IMPACT: 2,
    Category.RECOVERABILITY: 4,
    Category.CROSS_SECTOR: 3,
    Category.POTENTIAL_IMPACT: 6,
}
OPTIONS: Final[Mapping[Category, Mapping[str, int]]] = {
    Category.FUNCTIONAL_IMPACT: {
        "none": 0,
        "none-to-services": 20,
        "minimal-to-non-critical": 35,
        "minimal-to-critical": 40,
        "significant-to-non-critical": 50,
        "denial-of-non-critical": 60,
        "significant-to-critical": 70,
        "denial-of-critical": 100,
    },
    Category.OBSERVED_ACTIVITY: {"none": 0, "prepare": 40, "engage": 70, "presence": 80, "effect": 100},
    Category.LOCATION: {
        "business-dmz": 30,
        "business-network": 40,
        "unknown": 50,
        "business-management": 60,
        "critical-dmz": 70,
        "critical-management": 80,
        "critical-systems": 90,
        "safety-systems": 100,
    },
    Category.ACTOR: {
        "hacktivists": 20,
        "unwitting-insider": 30,
        "criminal": 40,
        "unknown": 50,
        "witting-insider": 65,
        "apt": 80,
        "apt-targeted": 100,
    },
    Category.INFORMATION_IMPACT: {
        "none": 0,
        "suspected": 10,
        "privacy": 20,
        "proprietary": 50,
        "destruction-of-non-critical": 60,
        "critical-systems-data": 70,
        "core-credentials": 80,
        "destruction-of-critical": 100,
    },
    Category.RECOVERABILITY: {"regular": 20, "supplemented": 40, "extended": 60, "not-recoverable": 100},
    Category.CROSS_SECTOR: {
        "nuclear": 15,
        "agriculture": 20,
        "chemical": 20,
        "dams": 25,
        "emergency-services": 25,
        "commercial": 30,
        "health": 30,
        "banking": 35,
        "defense-industry": 35,
        "government": 40,
        "manufacturing": 50,
        "water": 60,
        "communications": 75,
        "transportation": 75,
        "information-technology": 80,
        "energy": 100,
    },
    Category.POTENTIAL_IMPACT: {"minimal": 0, "low": 25, "moderate": 50, "high": 75, "severe": 100},
}
# What stands where neither the evidence nor a person says more.
USUAL: Final[Mapping[Category, str]] = {
    Category.FUNCTIONAL_IMPACT: "none",
    Category.OBSERVED_ACTIVITY: "none",
    Category.LOCATION: "unknown",
    Category.ACTOR: "unknown",
    Category.INFORMATION_IMPACT: "none",
    Category.RECOVERABILITY: "regular",
    Category.CROSS_SECTOR: "government",
    Category.POTENTIAL_IMPACT: "moderate",
}
LEVELS: Final = (
    (100, "emergency"),
    (80, "severe"),
    (65, "high"),
    (50, "medium"),
    (35, "low"),
    (20, "baseline-minor"),
    (0, "baseline-negligible"),
)
PARTY_SHARE: Final = 0.15
INCIDENT_SHARE: Final = 0.05
_LEAST: Final = sum(WEIGHTS[one] * min(OPTIONS[one].values()) for one in Category)
_MOST: Final = sum(WEIGHTS[one] * max(OPTIONS[one].values()) for one in Category)
_EFFECT: Final = frozenset({"impact", "exfiltration", "inhibit-response-function", "impair-process-control"})
_PRESENCE: Final = frozenset(
    {
        "execution",
        "persistence",
        "privilege-escalation",
        "stealth",
        "defense-evasion",
        "defense-impairment",
        "lateral-movement",
        "collection",
        "command-and-control",
    }
)
# What an address outside does to a site when it does more than ask what is there.
_ENGAGE: Final = frozenset({"initial-access", "execution", "command-and-control"})
_PREPARE: Final = frozenset({"reconnaissance", "resource-development"})


class Part(Struct, frozen=True, kw_only=True):
    """One category: the option chosen, its value and weight, and where it comes from: evidence, person or usual."""

    category: Category
    option: str
    value: int
    weight: int
    source: str


class Score(Struct, frozen=True, kw_only=True):
    """0 to 100, the least and the most it may be, NCISS's level, and its parts."""

    score: int
    low: int
    high: int
    level: str
    parts: tuple[Part, ...]


def score_of(incident: Incident) -> Score:
    """The score by NCISS. What a person assessed (`Incident.assessed`) counts before what the evidence says."""
    evidence = _evidence_of(incident)
    parts = tuple(_part(one, incident.assessed, evidence) for one in Category)
    total = sum(part.weight * part.value for part in parts)
    low = sum(part.weight * _least(part) for part in parts)
    high = sum(part.weight * _most(part) for part in parts)
    score = _normal(total)
    return Score(score=score, low=_normal(low), high=_normal(high), level=level_of(score), parts=parts)


def level_of(score: int) -> str:
    """NCISS's name for a score."""
    return next(name for least, name in LEVELS if score >= least)


def linked_score(scores: Mapping[str, int], n_parties: int) -> int:
    """Of incidents (by identifier) of so many parties that belong together: the worst, raised. Ours, not CISA's."""
    worst = max(scores.values(), default=0)
    left = (1 - PARTY_SHARE) ** max(0, n_parties - 1) * (1 - INCIDENT_SHARE) ** max(0, len(scores) - n_parties)
    return round(100 - (100 - worst) * left)


def is_option(category: str, option: str) -> bool:
    """Whether NCISS knows this option of this category."""
    return category in set(Category) and option in OPTIONS[Category(category)]


def _part(category: Category, assessed: Mapping[str, str], evidence: Mapping[Category, str]) -> Part:
    options = OPTIONS[category]
    source = "usual"
    option = USUAL[category]
    if assessed.get(category.value) in options:
        source, option = "person", assessed[category.value]
    elif category in evidence:
        source, option = "evidence", evidence[category]
    return Part(category=category, option=option, value=options[option], weight=WEIGHTS[category], source=source)


def _least(part: Part) -> int:
    return min(OPTIONS[part.category].values()) if part.source == "usual" else part.value


def _most(part: Part) -> int:
    return max(OPTIONS[part.category].values()) if part.source == "usual" else part.value


def _normal(total: int) -> int:
    return round(100 * (total - _LEAST) / (_MOST - _LEAST))


def _evidence_of(incident: Incident) -> dict[Category, str]:
    """What the alerts themselves say. An address that only asks is outside; what runs on a host is inside."""
    tactics = set(incident.tactics)
    kinds = {entity.kind for entity in incident.entities}
    is_inside = EntityKind.HOST in kinds and EntityKind.SOURCE_ADDRESS not in kinds
    found: dict[Category, str] = {}
    if tactics & _EFFECT:
        found[Category.OBSERVED_ACTIVITY] = "effect"
        found[Category.FUNCTIONAL_IMPACT] = "minimal-to-non-critical"
    elif tactics & _PRESENCE and is_inside:
        found[Category.OBSERVED_ACTIVITY] = "presence"
        found[Category.FUNCTIONAL_IMPACT] = "none-to-services"
    elif tactics & _ENGAGE or (tactics - _PREPARE and EntityKind.HOST in kinds):
        found[Category.OBSERVED_ACTIVITY] = "engage"
    elif tactics:
        found[Category.OBSERVED_ACTIVITY] = "prepare"
    if any(technique.startswith("T08") for technique in incident.techniques):
        found[Category.LOCATION] = "critical-systems"
    elif is_inside:
        found[Category.LOCATION] = "business-network"
    elif EntityKind.SOURCE_ADDRESS in kinds and EntityKind.HOST not in kinds:
        found[Category.LOCATION] = "business-dmz"
    if "credential-access" in tactics and is_inside:
        found[Category.INFORMATION_IMPACT] = "core-credentials"
    elif tactics & {"collection", "exfiltration"}:
        found[Category.INFORMATION_IMPACT] = "suspected"
    return found
