"""What correlation asks of the world: where windows are kept, and where hits are put in order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from amagasa.detect.correlation.hit import Hit
from amagasa.detect.correlation.windows import Group, GroupKey, Tally


class KeptWindows(Protocol):
    """Open windows of correlations, and what became of the records they look at; of one transaction."""

    def of(self, digests: Iterable[str]) -> list[tuple[GroupKey, Group]]:
        """The open windows of these correlations, by key."""

    def tally(self) -> Tally:
        """Empty where nothing was counted yet."""

    def save(self, changed: Mapping[GroupKey, Group | None]) -> None:
        """Insert or replace each group; remove it where it is None."""

    def keep_only(self, digests: Iterable[str]) -> None:
        """Forget the windows of all other correlations."""

    def save_tally(self, tally: Tally) -> None:
        """Replace it."""


class HitSorter(Protocol):
    """Puts what correlations look at in the order of its time, however much it is."""

    def add(self, hits: Sequence[Hit]) -> None:
        """Take them in. Raises WorldError where there is no room."""

    def ordered(self) -> Iterable[Hit]:
        """All of them, by `Hit.place`; asked once, at the end."""
