"""Records of the lake with what their readers make of them: for SQL, and for evidence."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from amagasa.app.hunt import Answer, Asked
from amagasa.app.lake_ports import Kept, Lake, Unlooked
from amagasa.app.permissions import Act, Actor, require
from amagasa.app.seeking import Seeker
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, EventBatch, Route
from amagasa.vocab.instants import to_rfc3339

# (block, chunk, (number, line)) of a record to be taken out.
Take = Callable[[Kept, Chunk, tuple[int, bytes]], None]


def rows(lake: Lake, actor: Actor, asked: Asked, *, answer: Answer) -> Iterator[dict[str, Any]]:
    """Every record of the period as a row; `answer` counts what could not be looked at, and is cut at the limit."""
    require(actor, Act.TRIAGE)
    for source in asked.sources or lake.sources():
        for part in lake.records(source, asked.period.since, asked.period.until):
            if isinstance(part, Unlooked):
                answer.miss(part)
            elif isinstance(part, Kept):
                for chunk in part.chunks:
                    yield from _rows_of(source, chunk, asked, answer)
                    if answer.is_cut:
                        return


def _rows_of(source: str, chunk: Chunk, asked: Asked, answer: Answer) -> Iterator[dict[str, Any]]:
    seen = normalise(chunk, _nothing)
    answer.n_rejected += len(seen.rejects)
    for batch in seen.batches:
        for at, number in enumerate(batch.records):
            row = _row(source, batch, at, number)
            moment = row["event_at"] or row["read_at"]
            period = asked.period
            if (period.since and moment < period.since) or (period.until and moment >= period.until):
                continue
            if asked.limit is not None and answer.n_records >= asked.limit:
                answer.is_cut = True
                return
            answer.n_records += 1
            row |= {name: None if row[name] is None else to_rfc3339(row[name]) for name in ("event_at", "read_at")}
            yield row


def _row(source: str, batch: EventBatch, at: int, number: int) -> dict[str, Any]:
    event = detail(batch, at)
    return {
        "source": source,
        "path": batch.path,
        "record": number,
        "event_at": event.event_at,
        "read_at": batch.read_at,
        "raw": batch.lines[at].decode("utf-8", "backslashreplace"),
        "fields": dict(event.fields),
    }


def _nothing(route: Route) -> tuple[str, ...]:
    del route
    return ()


def take_out(  # noqa: PLR0913 - what is hunted for, and where it goes
    lake: Lake, actor: Actor, asked: Asked, *, seeker: Seeker | None, take: Take, answer: Answer, now: datetime
) -> None:
    """Hand each record that is found (every record where there is no seeker) to `take`, as it came."""
    require(actor, Act.TRIAGE)
    for source in asked.sources or lake.sources():
        may_hold = None if seeker is None else seeker.may_hold
        for part in lake.records(source, asked.period.since, asked.period.until, may_hold=may_hold):
            if isinstance(part, Unlooked):
                answer.miss(part)
            elif isinstance(part, Kept):
                for chunk in part.chunks:
                    _take_of(part, chunk, asked, seeker=seeker, take=take, answer=answer, now=now)


def _take_of(  # noqa: PLR0913
    part: Kept, chunk: Chunk, asked: Asked, *, seeker: Seeker | None, take: Take, answer: Answer, now: datetime
) -> None:
    lines = chunk.data.split(b"\n")
    if seeker is None:
        numbers: Sequence[int] = [chunk.first_record + at for at, line in enumerate(lines) if line]
        answer.n_found += len(numbers)
    else:
        sought = seeker.seek(chunk, now=now)
        answer.add(sought)
        found = [replace(one, source=part.source) for one in sought.found if asked.period.has(one)]
        for one in found:
            answer.take(one)
        numbers = sorted({one.record for one in found})
    for number in numbers:
        take(part, chunk, (number, lines[number - chunk.first_record]))
