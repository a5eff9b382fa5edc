"""Severity (how bad if true, OCSF 1.7 `severity_id` 0-6) and the level of a Sigma rule."""

from enum import IntEnum, StrEnum


class Severity(IntEnum):
    """OCSF severity: 0 unknown, 1 informational, 2 low, 3 medium, 4 high, 5 critical, 6 fatal."""

    UNKNOWN = 0
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5
    FATAL = 6


class Level(StrEnum):
    """Level of a Sigma rule (Sigma specification 2.1, `level`)."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def severity(self) -> Severity:
        """The OCSF severity of the same name."""
        return Severity[self.name]


def level_of(text: str | None) -> Level:
    """The level named, in any case; `medium` where a rule names none or an unknown one (as the field's tools do)."""
    wanted = (text or "").strip().lower()
    return next((level for level in Level if level.value == wanted), Level.MEDIUM)
