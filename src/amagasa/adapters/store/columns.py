"""Column types and instants: how text which is no valid Unicode and moments in time stand in the database."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Words(TypeDecorator[str]):
    """Text as it came, NUL and lone surrogates included.

    Logs hold lone surrogates (U+D800 escaped in JSON), and UTF-8 has none. Such text is kept as a BLOB in its column:
    equality stays exact, and nobody evades the store by one odd character.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """The text itself, or its bytes where it cannot be UTF-8."""
        del dialect
        if value is None or value.isascii():
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogatepass")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """The same text back."""
        del dialect
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogatepass")
        return None if value is None else str(value)


def micros(instant: datetime) -> int:
    """Microseconds since 1970 in UTC: exact, and in the order of time. A naive instant raises ValueError."""
    if instant.tzinfo is None:
        message = "an instant must carry its time zone"
        raise ValueError(message)
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(count: int) -> datetime:
    """The instant back."""
    return _EPOCH + count * _MICROSECOND
