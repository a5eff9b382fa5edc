"""What `amagasa source test` says of a file: what it is read as, and the first events with it."""

import sys
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

import msgspec

from amagasa.entry.cli.output import plain_json
from amagasa.entry.cli.zone import zoned
from amagasa.entry.wiring_detect import open_all
from amagasa.event.mapping import LogMapping
from amagasa.event.normalise import detail, normalise
from amagasa.event.record import Chunk, EventBatch, Format, Route, SourceFault
from amagasa.vocab.instants import to_rfc3339
from amagasa.vocab.text import show

MAX_TESTED_BYTES: Final = 16 * 1024 * 1024
MAX_SHOWN: Final = 5
_VALUE_CHARACTERS: Final = 200


def tested(path: str, form: Format | None, mapping: LogMapping | None, zone: str) -> dict[str, Any]:
    """Read the head of the file as a source would be read."""
    kinds: dict[str, int] = {}
    rejects: list[str] = []
    faults: list[str] = []
    events: list[dict[str, Any]] = []
    formats: dict[str, None] = {}
    n_read = n_rejected = n_bytes = 0
    for item in chain.from_iterable(zoned(zone)([open_all([path], form, mapping)])):
        if isinstance(item, SourceFault):
            faults.append(f"{show(item.path)}: {item.why}")
            continue
        if not isinstance(item, Chunk):
            n_read, n_rejected = n_read + 1, n_rejected + 1
            rejects += [f"record {item.record}: {item.why}"][: MAX_SHOWN - len(rejects)]
            continue
        seen = normalise(item, _nothing)
        formats[item.format.value if item.mapping is None else f"mapping {item.mapping.name}"] = None
        n_read, n_rejected = n_read + seen.n_read, n_rejected + len(seen.rejects)
        rejects += [f"record {one.record}: {one.why}" for one in seen.rejects[: MAX_SHOWN - len(rejects)]]
        for batch in seen.batches:
            kinds[batch.route.name] = kinds.get(batch.route.name, 0) + len(batch.rows)
            events += [_event(batch, index) for index in range(min(len(batch.rows), MAX_SHOWN - len(events)))]
        n_bytes += len(item.data)
        if n_bytes > MAX_TESTED_BYTES:
            break
    return {
        "tested_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "format": ", ".join(formats) or "unknown",
        "n_read": n_read,
        "n_rejected": n_rejected,
        "first_rejects": rejects,
        "kinds_of_event": dict(sorted(kinds.items(), key=lambda pair: -pair[1])[:12]),
        "not_looked_at": faults,
        "first_events": events,
    }


def print_events(events: list[dict[str, Any]]) -> None:
    """On stdout, a field a line."""
    for event in events:
        head = f"record {event['record']}: {event['kind']}, {event['event_at'] or 'no time that can be read'}"
        sys.stdout.write(f"\n{head}\n  log source: {event['log_source']}\n")
        for name, value in event["fields"].items():
            written = plain_json(msgspec.json.encode(value)).decode()
            shown = written if len(written) <= _VALUE_CHARACTERS else written[:_VALUE_CHARACTERS] + "..."
            sys.stdout.write(f"  {show(name)}: {shown}\n")


def _event(batch: EventBatch, index: int) -> dict[str, Any]:
    event = detail(batch, index)
    sources = (
        " ".join(f"{key}={value}" for key, value in msgspec.to_builtins(one).items() if value)
        for one in batch.route.sources
    )
    return {
        "record": batch.records[index],
        "kind": batch.route.name,
        "log_source": "; ".join(sources) or "none",
        "event_at": None if event.event_at is None else to_rfc3339(event.event_at),
        "fields": dict(event.fields),
    }


def _nothing(route: Route) -> tuple[str, ...]:
    del route
    return ()
