"""The one clock."""

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock, in UTC (app.ports.Clock)."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)
