"""Instants: aware datetimes in UTC, written as RFC 3339 with a Z."""

import re
from datetime import UTC, datetime
from typing import Final

_RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,100})?(?:Z|[+-]\d{2}:\d{2})", re.ASCII | re.IGNORECASE
)


def to_rfc3339(instant: datetime) -> str:
    """`2026-11-23T04:05:06.123Z`: UTC, milliseconds, as STIX 2.1 and TAXII 2.1 want it. Naive instants raise."""
    if instant.tzinfo is None:
        message = "an instant must carry its time zone"
        raise ValueError(message)
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def from_rfc3339(text: str) -> datetime:
    """The instant in UTC; what is finer than a microsecond is cut off.

    Raises ValueError for anything else than a date, a time and an offset as RFC 3339 section 5.6 writes them, for a
    leap second, and for an instant which UTC would put before the year 1 or after 9999.
    """
    if _RFC3339.fullmatch(text) is None:
        message = "not an RFC 3339 date and time"
        raise ValueError(message)
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError as error:
        message = "an instant outside the years 1 to 9999"
        raise ValueError(message) from error
