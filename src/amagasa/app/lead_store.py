"""What is asked of a store about leads (`incident.lead`): a small Protocol, carried out by an adapter."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from amagasa.app.pages import Page
from amagasa.incident.alert import Alert


class Leads(Protocol):
    """What one list says and nothing else yet (`incident.lead`), as alerts that were not raised. The newest 10,000."""

    def by_key(self, keys: Iterable[str], *, since: datetime, until: datetime) -> list[Alert]:
        """Those of these keys whose span touches `since`..`until`."""

    def linked(self, links: Iterable[str], *, since: datetime) -> list[Alert]:
        """Those which have one of these links, are not guarded, and were not last seen before `since`."""

    def spoken(self, links: Iterable[str], *, since: datetime) -> frozenset[str]:
        """Those of the links which an alert that stands had, not before `since`."""

    def page(self, page: Page) -> tuple[list[Alert], str | None]:
        """Newest `updated_at` first, and the cursor of the next page."""

    def n(self) -> int:
        """How many are kept."""

    def save(self, leads: Iterable[Alert]) -> None:
        """Insert or replace by `id`."""

    def remove(self, ids: Iterable[str]) -> None:
        """Forget those which are alerts now."""

    def speak(self, links: Mapping[str, datetime]) -> None:
        """Note the links of alerts that stand, with when each was seen last. The newest 100,000 are kept."""
