"""Which part of an alert speaks of the attacker, and may therefore be told: never our own hosts, users or addresses."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert
from amagasa.intel.build import quoted

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Addresses that only mean something inside a network (RFC 6890): telling them would draw our own map. The
# documentation ranges are not among them, so that a rehearsal takes the way of a real attack.
_INTERNAL: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/3",
        "::/127",
        "64:ff9b:1::/48",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
)
_INTERNAL_NAMES: Final = ("local", "localhost", "internal", "intranet", "lan", "home", "corp", "private", "arpa")
_DOMAIN: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_HASHES: Final = {32: "MD5", 40: "SHA-1", 64: "SHA-256"}
# A shorter name would be found in any sentence.
MIN_PRIVATE_CHARACTERS: Final = 3
PRIVATE_KINDS: Final = frozenset([EntityKind.HOST, EntityKind.USER, EntityKind.PROCESS, EntityKind.FILE])
MAX_VALUE_CHARACTERS: Final = 2_048


class Subject(Struct, frozen=True, kw_only=True):
    """What an indicator is about: a STIX pattern, and a few words that name the value."""

    pattern: str
    words: str


def external_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, where it may be told: one that means something outside of our own network."""
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    return None if any(address in network for network in _INTERNAL) else address


def subject_of_value(kind: EntityKind, value: str) -> Subject | None:
    """The subject that a single value makes; None where it is none, or none that may be told."""
    if len(value) > MAX_VALUE_CHARACTERS or not value.isprintable():
        return None
    if kind in {EntityKind.SOURCE_ADDRESS, EntityKind.DESTINATION_ADDRESS}:
        address = external_address(value)
        return None if address is None else _subject(f"ipv{address.version}-addr:value", str(address))
    if kind is EntityKind.DOMAIN:
        return _subject("domain-name:value", value.lower()) if _is_foreign_domain(value.lower()) else None
    if kind is EntityKind.HASH:
        digest = value.rpartition("=")[2].lower()
        name = _HASHES.get(len(digest)) if re.fullmatch("[0-9a-f]+", digest) else None
        return None if name is None else _subject(f"file:hashes.'{name}'", digest)
    if kind is EntityKind.URL:
        return _subject("url:value", value) if _is_foreign_url(value) else None
    return None


def subject_of(alert: Alert) -> Subject | None:
    """What the alert says of its attacker; None where nothing in it may be told.

    A source address that means something outside comes first. A hash, a domain or a URL counts only where the rule
    itself asked for it (it stands in a field that matched): the hash of a system program in passing is no indicator.
    Nothing which holds the name of a host or user of ours is told.
    """
    private = private_values(alert.entities)
    for entity in alert.entities:
        if entity.kind is EntityKind.SOURCE_ADDRESS:
            subject = subject_of_value(entity.kind, entity.value)
            if subject is not None:
                return subject
    matched = [text.lower() for example in alert.examples for text in _texts(example.fields)]
    for kind in (EntityKind.HASH, EntityKind.DOMAIN, EntityKind.URL):
        for entity in alert.entities:
            is_asked_for = entity.kind is kind and any(entity.value.lower() in text for text in matched)
            subject = subject_of_value(kind, entity.value) if is_asked_for else None
            if subject is not None and not mentions(subject.pattern, private):
                return subject
    return None


def private_values(entities: Iterable[Entity]) -> tuple[str, ...]:
    """Names of our own which stay at home, in lower case: hosts (long and short), users, processes and files."""
    found: dict[str, None] = {}
    for entity in entities:
        if entity.kind in PRIVATE_KINDS:
            whole = entity.value.lower()
            last = re.split(r"[\\/]", whole)[-1]
            first = whole.partition("." if entity.kind is EntityKind.HOST else "@")[0]
            found |= dict.fromkeys(part for part in (whole, last, first) if len(part) >= MIN_PRIVATE_CHARACTERS)
    return tuple(found)


def mentions(text: str, private: Iterable[str]) -> bool:
    """Whether one of these values (in lower case) stands in `text` as a word or as several."""
    folded = text.lower()
    return any(
        value in folded and re.search(rf"(?<![a-z0-9]){re.escape(value)}(?![a-z0-9])", folded) for value in private
    )


def _subject(path: str, value: str) -> Subject:
    return Subject(pattern=f"[{path} = {quoted(value)}]", words=value)


def _is_foreign_domain(name: str) -> bool:
    return _DOMAIN.fullmatch(name) is not None and name.rpartition(".")[2] not in _INTERNAL_NAMES


def _is_foreign_url(text: str) -> bool:
    """An absolute URL on a host outside, without a user's name in it. The path alone is one of our own sites."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme.lower() not in {"http", "https", "ftp"} or parts.username is not None:
        return False
    return external_address(host) is not None or _is_foreign_domain(host)


def _texts(fields: Any) -> list[str]:
    values = list(fields.values())
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return [item for item in flat if isinstance(item, str)]
