"""Time stamps as logs write them -> instants in UTC. What cannot be read is None: a record is never lost for it."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final

MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
# A clock may run ahead a little; a stamp without a year which lies further ahead than this is of the year before.
MAY_RUN_AHEAD: Final = timedelta(days=1)
_CLF: Final = re.compile(
    r"([0-9]{1,2})/([A-Za-z]{3})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
    r"(?: ([+-])([0-9]{2}):?([0-9]{2})| ?Z)?"
)
_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,9}))?"
    r" ?(?:Z|UTC|([+-])([0-9]{2}):?([0-9]{2})?)?"
)
_BSD: Final = re.compile(
    r"(?:[A-Za-z]{3} +)?([A-Za-z]{3}) +([0-9]{1,2}) +(?:([0-9]{4}) +)?([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,9}))?(?: +([0-9]{4}))?"
)
# Seconds since 1970 that stay within the years 1980 to 2100; larger numbers are read as milli-, micro-, nanoseconds.
_FIRST_EPOCH: Final = 315_532_800
_LAST_EPOCH: Final = 4_102_444_800


def from_clf(text: str) -> datetime | None:
    """`22/Dec/2016:15:19:05 +0300` of access logs (or ISO 8601, as nginx can); UTC where none stands."""
    match = _CLF.fullmatch(text)
    if match is None:
        return from_iso(text)
    day, month, year, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    return _instant(
        (year, MONTHS.get(month.lower(), 0), day, hour, minute, second), fraction, _zone(sign, hours, minutes)
    )


def from_iso(text: str, zone: tzinfo = UTC) -> datetime | None:
    """ISO 8601 with `T` or a space, any number of decimals; where no offset stands it is in `zone`."""
    match = _ISO.fullmatch(text.strip())
    if match is None:
        return None
    *parts, fraction, sign, hours, minutes = match.groups()
    if sign is None and not text.rstrip().endswith(("Z", "z")):
        return _instant(tuple(parts), fraction, zone)
    return _instant(tuple(parts), fraction, _zone(sign, hours, minutes))


def from_bsd(text: str, read_at: datetime) -> datetime | None:
    """`Mar  7 13:06:56` (RFC 3164 section 4.1.2), with a weekday or a year if there is one.

    It is in the zone of `read_at`, which is UTC unless the source's is known to be another. Without a year: the latest
    year in which the stamp is not more than a day after `read_at`. 29 February without a year is of a leap year.
    """
    match = _BSD.fullmatch(text)
    if match is None:
        return None
    month, day, early, hour, minute, second, fraction, late = match.groups()
    number, zone = MONTHS.get(month.lower(), 0), read_at.tzinfo
    if year := early or late:
        return _instant((year, number, day, hour, minute, second), fraction, zone)
    latest = read_at + MAY_RUN_AHEAD
    # Eight years hold a leap year even around 1900 and 2100.
    for candidate in range(latest.year, latest.year - 9, -1):
        moment = _instant((candidate, number, day, hour, minute, second), fraction, zone)
        if moment is not None and moment <= latest:
            return moment
    return None


def from_value(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """A JSON value: ISO 8601 text, or seconds, milliseconds, microseconds or nanoseconds since 1970.

    A text that names no zone is in `zone`.
    """
    if isinstance(value, str):
        moment = from_iso(value, zone)
        if moment is None and value[:1].isdigit() and len(value) <= 20:
            try:
                return from_value(float(value))
            except ValueError:
                return None
        return moment
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -1e20 < value < 1e20:
        return None
    for scale in (1, 1_000, 1_000_000, 1_000_000_000):
        if _FIRST_EPOCH <= value / scale <= _LAST_EPOCH:
            return datetime.fromtimestamp(value / scale, UTC)
    return None


def _zone(sign: str | None, hours: str | None, minutes: str | None) -> timezone | None:
    if sign is None:
        return UTC
    span = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if span >= timedelta(days=1):
        return None
    return timezone(-span if sign == "-" else span)


def _instant(parts: tuple[Any, ...], fraction: str | None, zone: tzinfo | None) -> datetime | None:
    if zone is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in parts)
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    # A leap second is shown as the second before it.
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), microsecond, zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
