"""The first step of the path: a chunk of records -> batches of events and rejects, by the chunk's format."""

from datetime import UTC, datetime
from itertools import chain

from msgspec.structs import replace

from amagasa.event.access import detail_access, instant_access, normalise_access
from amagasa.event.audit_event import ROUTES, detail_joined
from amagasa.event.envelope import parts_of
from amagasa.event.jsonlines import detail_jsonlines, normalise_jsonlines
from amagasa.event.mapped import detail_mapped, normalise_mapped
from amagasa.event.record import Chunk, Event, EventBatch, Format, Normalised, Wanted
from amagasa.event.syslog import detail_syslog, normalise_syslog
from amagasa.event.windows import detail_windows, normalise_windows


def normalise(chunk: Chunk, wanted: Wanted) -> Normalised:
    """Events of the chunk, one batch a route, with the fields that `wanted` names for the route and no others.

    Always: the rows of all batches + the rejects = the records read. Bad input is a reject, never an exception.
    """
    if chunk.mapping is not None:
        return normalise_mapped(chunk, chunk.mapping, wanted)
    parts = [_normalised(part, wanted) for part in parts_of(chunk)]
    if len(parts) == 1:
        return parts[0]
    return Normalised(
        batches=tuple(chain.from_iterable(part.batches for part in parts)),
        rejects=tuple(sorted(chain.from_iterable(part.rejects for part in parts), key=lambda one: one.record)),
        n_read=sum(part.n_read for part in parts),
        n_accepted=sum(part.n_accepted for part in parts),
    )


def _normalised(chunk: Chunk, wanted: Wanted) -> Normalised:
    match chunk.format:
        case Format.WINDOWS:
            return normalise_windows(chunk, wanted)
        case Format.ACCESS:
            return normalise_access(chunk, wanted)
        case Format.SYSLOG:
            return normalise_syslog(chunk, wanted)
        case Format.JSON:
            return normalise_jsonlines(chunk, wanted)


def instant_of(batch: EventBatch, index: int) -> datetime | None:
    """When row `index` happened, as `detail` would say; for less where the format makes that easy."""
    if (
        batch.mapping is None
        and batch.format is Format.ACCESS
        and (at := instant_access(batch.lines[index])) is not None
    ):
        return at
    return detail(batch, index).event_at


def detail(batch: EventBatch, index: int) -> Event:
    """The whole event of row `index`, read again from its line: made only for what was found."""
    line = batch.lines[index]
    if batch.mapping is not None:
        return detail_mapped(line, batch.mapping, batch.read_at)
    if batch.route in ROUTES:
        return detail_joined(line, batch.route)
    match batch.format:
        case Format.WINDOWS:
            return detail_windows(line, batch.read_at.tzinfo or UTC)
        case Format.ACCESS:
            return detail_access(line)
        case Format.SYSLOG:
            return detail_syslog(line, batch.read_at)
        case Format.JSON:
            return detail_jsonlines(line, batch.read_at.tzinfo or UTC)


def newest_instant(chunk: Chunk) -> datetime | None:
    """When the last record of the chunk happened; None where it tells no instant, or cannot be read."""
    line = chunk.data.rstrip(b"\r\n").rpartition(b"\n")[2]
    last = replace(chunk, data=line + b"\n", first_record=2, numbers=None)
    for batch in normalise(last, lambda _: ()).batches:
        return instant_of(batch, 0)
    return None
