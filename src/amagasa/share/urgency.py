"""In which order what waits for an ally leaves, when much of it does."""

from enum import IntEnum
from typing import Final


class Urgency(IntEnum):
    """The lower, the sooner."""

    TAKEN_BACK = 0  # the ally still acts on it
    INCIDENT = 1
    PROTECTION = 2  # what the ally looks with, and what was seen by it
    CONTEXT = 3


_OF_TYPE: Final = {
    "incident": Urgency.INCIDENT,
    "indicator": Urgency.PROTECTION,
    "sighting": Urgency.PROTECTION,
    "course-of-action": Urgency.PROTECTION,
}
# In canonical JSON (RFC 8785) it cannot stand within a text, where its quotes would be escaped.
_REVOKED: Final = b'"revoked":true'


def urgency_of(object_type: str, content: bytes) -> Urgency:
    """Of the object with these bytes."""
    if _REVOKED in content:
        return Urgency.TAKEN_BACK
    return _OF_TYPE.get(object_type, Urgency.CONTEXT)
