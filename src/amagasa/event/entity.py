"""Who and what an event speaks of: the things by which alerts are folded, grouped and shared."""

from enum import StrEnum

from msgspec import Struct


class EntityKind(StrEnum):
    """Kinds of entity; those of an attacker come first."""

    SOURCE_ADDRESS = "source-address"
    DESTINATION_ADDRESS = "destination-address"
    HOST = "host"
    USER = "user"
    PROCESS = "process"
    FILE = "file"
    HASH = "hash"
    DOMAIN = "domain"
    URL = "url"


class Entity(Struct, frozen=True, kw_only=True, order=True):
    """One thing: kind and value as it stood in the event (hosts, users and hashes in lower case)."""

    kind: EntityKind
    value: str
