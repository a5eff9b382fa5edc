"""Instants: aware datetimes in UTC, written as RFC 3339 with a Z."""

from datetime import UTC, datetime


def to_rfc3339(instant: datetime) -> str:
    """`2026-11-23T04:05:06.123Z`: UTC, milliseconds, as STIX 2.1 and TAXII 2.1 want it. Naive instants raise."""
    if instant.tzinfo is None:
        message = "an instant must carry its time zone"
        raise ValueError(message)
    moment = instant.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def from_rfc3339(text: str) -> datetime:
    """The instant in UTC. Raises ValueError for anything without a date, a time and an offset."""
    if len(text) < len("2026-01-01T00:00:00Z"):
        message = "not an RFC 3339 date and time"
        raise ValueError(message)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = "an instant must carry its time zone"
        raise ValueError(message)
    return moment.astimezone(UTC)
