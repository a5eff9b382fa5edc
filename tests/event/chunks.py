"""What the tests of the readers share: chunks made of lines, and the count that must always hold."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from amagasa.event.normalise import normalise
from amagasa.event.record import Chunk, Format, Normalised, Route

READ_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Seconds of CPU for one hostile line of a megabyte: a reader that walks it once needs a tenth.
HOSTILE_S = 5.0


def chunk(form: Format, *lines: bytes, first_record: int = 1) -> Chunk:
    return Chunk(path="log", format=form, first_record=first_record, data=b"".join(lines), read_at=READ_AT)


def read(form: Format, *lines: bytes, fields: tuple[str, ...] = (), first_record: int = 1) -> Normalised:
    """Lines (each with its own line end) -> what they give; checks that every record is accounted for once."""
    asked: list[Route] = []

    def wanted(route: Route) -> tuple[str, ...]:
        asked.append(route)
        return fields

    given = chunk(form, *lines, first_record=first_record)
    found = normalise(given, wanted)
    rows = sum(len(batch.rows) for batch in found.batches)
    assert found.n_accepted == rows
    assert found.n_accepted + len(found.rejects) == found.n_read
    for batch in found.batches:
        assert len(batch.rows) == len(batch.lines) == len(batch.records)
        assert all(len(row) == len(fields) for row in batch.rows)
        assert batch.fields == fields
    numbers = [number for batch in found.batches for number in batch.records] + [one.record for one in found.rejects]
    assert len(set(numbers)) == len(numbers)
    return found


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of `work`."""
    begin = time.process_time()
    work()
    return time.process_time() - begin
