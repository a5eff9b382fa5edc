"""What a search asks of the store."""

from typing import Protocol

from amagasa.app.pages import Page
from amagasa.incident.alert import Alert, Incident


class Finding(Protocol):
    """Alerts and incidents by words (`incident.finding`), every one of which must be there; the last made first."""

    def alerts(self, page: Page, *, words: str = "", technique: str = "") -> tuple[list[Alert], str | None]:
        """Those with all the words and of the technique or one of its sub-techniques.

        Neither words nor technique: none. Costs the more, the more words begin with what is asked: 0.2 s in a million
        alerts where nearly all do.
        """

    def n_alerts(self, *, words: str = "", technique: str = "", most: int) -> int:
        """How many, counted up to `most`."""

    def incidents(self, page: Page, *, words: str) -> tuple[list[Incident], str | None]:
        """Those which have all the words, in what people wrote to them as well."""
