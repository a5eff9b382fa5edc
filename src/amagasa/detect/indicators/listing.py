"""What is said of an entry of a flat list, and which columns of a list say what."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from msgspec import Struct

LIST_CONFIDENCE: Final = 30  # of an entry: its list says neither who nor why, and such lists hold crawlers
MAX_NOTE_CHARACTERS: Final = 200
MAX_SOURCES: Final = 16
MAX_SOURCE_CHARACTERS: Final = 60
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

_WITHOUT_MARKS: Final = re.compile(r"[^a-z0-9]+")
_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?|(\d{4})/(\d{2})/(\d{2})(?: .*)?", re.ASCII)
_SECONDS: Final = re.compile(r"\d{9,10}(?:\.\d+)?|\d{13}", re.ASCII)
_BETWEEN_SOURCES: Final = re.compile(r"\s*[|;,]\s*")
# STIX 2.1 appendix A, "None / Low / Med / High".
_WORDS: Final = {"none": 0, "low": 15, "med": 50, "medium": 50, "high": 85}
_CALLED: Final = {
    "value": "value indicator ioc iocvalue observable indicatorvalue artifact",
    "type": "type ioctype indicatortype observabletype kind datatype",
    "first": "firstseen firstseenutc firstseenat dateadded added created createdat firstdetected date",
    "last": "lastseen lastseenutc lastseenat lastonline updated updatedat modified lastdetected",
    "until": "validuntil expires expiration expirationdate expiry expiresat",
    "confidence": "confidence confidencelevel confidencescore certainty",
    "source": "source sources feed feeds provider list lists listname",
    "note": "threat malware malwareprintable family description comment tags threattype signature campaign",
}
_ROLES: Final = {name: role for role, names in _CALLED.items() for name in names.split()}
VALUE_COLUMNS: Final = ("value", "indicator", "ioc", "ip", "domain", "url", "hash", "sha256", "email", "filename")
# A column that is named after a kind of value holds values of that kind, where none is called "value".
_VALUE_NAMES: Final = (
    "ip ipaddress ipv4 ipv6 address dstip srcip cidr network domain hostname fqdn host url urls uri sha256 sha256hash "
    "sha1 sha1hash md5 md5hash sha512 hash filehash email emailaddress filename filepath imphash"
)
_VALUES: Final = tuple(_VALUE_NAMES.split())


class Listing(Struct, frozen=True, kw_only=True):
    """What a list says of an entry. `path` is the STIX path of its kind. `sources` are the lists that name it.

    `note` is what the list says of it in words; "" for nothing.
    """

    path: str
    sources: tuple[str, ...]
    confidence: int = LIST_CONFIDENCE
    note: str = ""
    valid_until: datetime | None = None


_LISTING: Final = msgspec.msgpack.Decoder(Listing)


class Columns(Struct, frozen=True, kw_only=True):
    """Which column (from 0) of a list holds what; -1 for none. `kind` is what the column of values is called."""

    value: int
    kind: str = ""
    type: int = -1
    first: int = -1
    last: int = -1
    until: int = -1
    confidence: int = -1
    source: int = -1
    notes: tuple[int, ...] = ()

    @property
    def n_least(self) -> int:
        """Fields which a row must have."""
        return max(self.value, self.type) + 1


def columns_of(names: Sequence[str]) -> Columns | None:
    """What a header says; None where no name in it is one for values."""
    plain = [_WITHOUT_MARKS.sub("", name.lower()) for name in names]
    roles: dict[str, int] = {}
    notes: list[int] = []
    for at, name in enumerate(plain):
        role = _ROLES.get(name)
        if role == "note":
            notes.append(at)
        elif role is not None:
            roles.setdefault(role, at)
    kind = ""
    if "value" not in roles:
        kind = next((name for name in _VALUES if name in plain), "")
        if not kind:
            return None
        roles["value"] = plain.index(kind)
        roles.pop("type", None)
    return Columns(kind=kind, notes=tuple(notes[:4]), **roles)


def encoded(listing: Listing) -> bytes:
    """As a table keeps it."""
    return msgspec.msgpack.encode(listing)


def decoded(note: bytes) -> Listing:
    """Raises msgspec.DecodeError for what is no listing."""
    return _LISTING.decode(note)


def merged(one: bytes, other: bytes) -> bytes:
    """What two rows of one value say together: the sources of both, the greater confidence, the later end."""
    first, second = decoded(one), decoded(other)
    ends = (first.valid_until, second.valid_until)
    return encoded(
        Listing(
            path=first.path,
            sources=tuple(dict.fromkeys((*first.sources, *second.sources)))[:MAX_SOURCES],
            confidence=max(first.confidence, second.confidence),
            note=first.note or second.note,
            valid_until=None if None in ends else max(end for end in ends if end is not None),
        )
    )


def sources_of(text: str, otherwise: str) -> tuple[str, ...]:
    """`a|b` or `a;b` -> both; the list's own name where a row names none."""
    named = dict.fromkeys(part[:MAX_SOURCE_CHARACTERS] for part in _BETWEEN_SOURCES.split(text.strip()) if part)
    return tuple(named)[:MAX_SOURCES] or (otherwise,)


def confidence_of(text: str) -> int:
    """0 to 100 as the row states it, in figures or as a word of STIX; `LIST_CONFIDENCE` where it states none."""
    bare = text.strip().lower().removesuffix("%")
    if bare in _WORDS:
        return _WORDS[bare]
    try:
        stated = float(bare) if len(bare) <= 6 else -1.0
    except ValueError:
        return LIST_CONFIDENCE
    return round(stated) if 0 <= stated <= 100 else LIST_CONFIDENCE


def day_of(text: str) -> int:
    """Days since 1970 of a date, an instant or seconds (or milliseconds) since 1970; 0 for none of these."""
    bare = text.strip()
    found = _DATE.fullmatch(bare)
    try:
        if found:
            year, month, day = (int(part) for part in found.groups() if part)
            return max(0, date(year, month, day).toordinal() - EPOCH_DAY)
        if _SECONDS.fullmatch(bare):
            return int(float(bare[:10])) // 86_400
    except ValueError:
        return 0
    return 0


def end_of(text: str) -> datetime | None:
    """The instant after which the entry does not count: the end of the day where only a day is named."""
    day = day_of(text)
    if not day:
        return None
    try:
        exact = datetime.fromisoformat(text.strip())
    except ValueError:
        return datetime.fromtimestamp((day + 1) * 86_400, tz=UTC)
    if len(text.strip()) <= 10:
        return datetime.fromtimestamp((day + 1) * 86_400, tz=UTC)
    return exact if exact.tzinfo else exact.replace(tzinfo=UTC)
