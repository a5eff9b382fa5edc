"""What the link asks of the world: the wire to one ally's door."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from amagasa.share.verdict import Released


class Pushed(Struct, frozen=True, kw_only=True):
    """The ally's TAXII status: which objects it took and which it refused, with its reason."""

    taken: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


class Polled(Struct, frozen=True, kw_only=True):
    """A page of the ally's outbox: hostile values, and what to ask `added_after` next ("" where nothing came)."""

    objects: tuple[Any, ...]
    added_last: str
    has_more: bool


class AllyLine(Protocol):
    """The wire to one ally's TAXII door."""

    async def greet(self) -> None:
        """Ask whether the ally is there and lets us in. Raises WorldError as `push`."""

    async def push(self, objects: Sequence[Released]) -> Pushed:
        """Deliver the envelope. Raises WorldError when the ally cannot be reached or answers with an error."""

    async def poll(self, *, added_after: str, limit: int) -> Polled:
        """Fetch what the ally released to us after `added_after` ("" for all of it). Raises WorldError as `push`."""

    async def exchange_heads(self, question: bytes) -> bytes | None:
        """The ally's answer (`app.heads`); None where it is another product, which knows no heads. Raises as `push`."""

    async def exchange_beats(self, beat: bytes) -> bytes | None:
        """Give our heartbeat and get the ally's (`share.heartbeat`); None at another product. Raises as `push`."""

    async def fetch_waiting(self) -> bytes | None:
        """What waits for us there (`app.fetching.Page`); None at another product. Raises WorldError as `push`."""

    async def tell_fates(self, fates: bytes) -> None:
        """Tell the ally what became of that (`app.fetching.Fates`). Raises WorldError as `push`."""

    async def close(self) -> None:
        """Hang up."""
