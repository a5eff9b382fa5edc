"""Records and indicators made up for tests."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from amagasa.event.record import Chunk, Format
from amagasa.vocab.ids import stable_id

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def chunk_of(form: Format, *records: Any) -> Chunk:
    """Texts as they stand, anything else as JSON, one a line."""
    lines = [record if isinstance(record, str) else msgspec.json.encode(record).decode() for record in records]
    return Chunk(
        path="log", format=form, first_record=1, data="".join(f"{line}\n" for line in lines).encode(), read_at=NOW
    )


def indicator(pattern: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": stable_id("indicator", pattern),
        "name": "Known bad",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }
