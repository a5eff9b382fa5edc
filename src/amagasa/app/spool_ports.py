"""What receivers ask of a spool, and what they tell of themselves."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

NO_ID: Final = bytes(16)  # of what its sender gave no identifier


class Kept(StrEnum):
    """What became of something that came: kept; known already; no room under the quota; the disk failed."""

    KEPT = "kept"
    KNOWN = "known"
    FULL = "full"
    BROKEN = "broken"


class Keeper(Protocol):
    """The spool of the source, as a receiver sees it."""

    @property
    def why(self) -> str:
        """What is wrong with the disk, where something is."""

    @property
    def last_id(self) -> bytes:
        """Identifier of the last that was kept and has one, as far as the spool still holds it; else `NO_ID`."""

    def ids(self) -> Sequence[bytes]:
        """Identifiers of what was kept, as far as they are remembered, the last at the end."""

    def keep(self, payload: bytes, identifier: bytes = ...) -> Kept:
        """Keep whole lines, all or none."""

    def sync(self) -> None:
        """Have all of it on the disk. Blocks; raises OSError."""


class Tally(Struct, kw_only=True):
    """What a receiver counted since it began.

    `n_dropped` came and could not be kept (UDP alone: TCP and HTTP wait), `n_unheard` were lost in the kernel's own
    buffer, `n_refused` came from senders that are not let in (connections, datagrams or requests), `n_cut` were
    longer than a record may be, `n_torn` were cut off by their connection. `is_waiting`: senders wait for room. `away`
    says why a broker cannot be read, `n_gone` what was gone from its stream before it was read, `n_behind` how many
    messages wait there.
    """

    n_messages: int = 0
    n_bytes: int = 0
    n_dropped: int = 0
    n_unheard: int = 0
    n_refused: int = 0
    n_cut: int = 0
    n_torn: int = 0
    n_again: int = 0
    n_open: int = 0
    is_waiting: bool = False
    why: str = ""
    away: str = ""
    n_gone: int = 0
    n_behind: int = 0
