"""The parts of the store that have a module of their own, on one connection and in its transaction."""

from sqlalchemy import Connection

from amagasa.adapters.store.cases import SqlCases
from amagasa.adapters.store.found import SqlFinding
from amagasa.adapters.store.leads import SqlLeads
from amagasa.adapters.store.ledgers import SqlLedgers
from amagasa.adapters.store.receipts import SqlReceipts
from amagasa.adapters.store.windows import SqlWindows


class SqlParts:
    """What `app.ports.Reading` names as properties."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    @property
    def leads(self) -> SqlLeads:
        """What lists say."""
        return SqlLeads(self._db)

    @property
    def windows(self) -> SqlWindows:
        """What correlations wait for."""
        return SqlWindows(self._db)

    @property
    def ledgers(self) -> SqlLedgers:
        """The record of each agreement."""
        return SqlLedgers(self._db)

    @property
    def cases(self) -> SqlCases:
        """What people did with incidents, and the queue."""
        return SqlCases(self._db)

    @property
    def receipts(self) -> SqlReceipts:
        """Retractions and their receipts."""
        return SqlReceipts(self._db)

    @property
    def finding(self) -> SqlFinding:
        """The search."""
        return SqlFinding(self._db)
