"""What a backup says of itself: its members with their digests, and what it could not take."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

FORMAT: Final = "amagasa backup 1"


class KeysAre(StrEnum):
    """How the keys of the node stand in a backup."""

    SEALED = "sealed"  # under a passphrase
    CLEAR = "clear"


class Member(Struct, frozen=True, kw_only=True):
    """A file of the archive. `name` begins with `node/`, or `outside/` where it stood beside the node's folder."""

    name: str
    n_bytes: int
    sha256: str
    is_public: bool = False


class LeftOut(Struct, frozen=True, kw_only=True):
    """A file that is not in the backup, and why."""

    name: str
    why: str


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last word of a backup but the sealed keys. `members` are all that stand before it, in their order."""

    format: str
    made_at: str
    made_with: str
    party: str
    name: str
    keys: KeysAre
    with_lake: bool
    store_path: str
    lake_path: str
    members: tuple[Member, ...]
    left_out: tuple[LeftOut, ...] = ()
