"""What retractions and their receipts ask of the store."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from amagasa.share.receipt import SignedReceipt


class Way(StrEnum):
    """Whether we wait for the ally's receipt, or owe it ours."""

    AWAITED = "awaited"
    OWED = "owed"


class TakenBack(Struct, frozen=True, kw_only=True):
    """A retraction under one agreement, by the identifier that crosses; of each object the newest version counts.

    `cause` is our own identifier of it. `done_at` is when it was looked for no longer: here, or by what the ally
    signed; `told_at` when the ally had our receipt; `alarmed_at` when it was found overdue.
    """

    agreement: str
    way: Way
    object_id: str
    version: str
    cause: str
    asked_at: datetime
    n_stopped: int = 0
    is_elsewhere: bool = False
    done_at: datetime | None = None
    told_at: datetime | None = None
    alarmed_at: datetime | None = None
    signed: SignedReceipt | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is something to be done yet."""
        return (self.told_at if self.way is Way.OWED else self.done_at) is None


class Receipts(Protocol):
    """Retractions, one for each agreement, way and object."""

    def save(self, one: TakenBack) -> None:
        """Insert or replace."""

    def get(self, agreement: str, way: Way, object_id: str) -> TakenBack | None:
        """None where there is none."""

    def open(self, agreement: str, way: Way, *, limit: int = 500) -> list[TakenBack]:
        """Those with something to be done, the oldest first."""

    def n_open(self, agreement: str, way: Way) -> int:
        """How many."""

    def caused_by(self, cause: str) -> list[TakenBack]:
        """All awaited of this object of ours, under whichever agreement."""

    def of(self, agreement: str, way: Way, object_ids: Iterable[str]) -> list[TakenBack]:
        """Those of these objects."""
