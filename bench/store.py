"""How fast the store is: the transaction of the ingest, and a page of a long queue.

    .venv/bin/python bench/store.py [--alerts 1000000] [--folder DIR]

Pages are timed on a store with a hundredth of the alerts and on the full one: the ratio says whether a page costs more
when the queue is long. Figures are milliseconds of wall time on one connection, caches warm.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from amagasa.adapters.store.sqlite import open_store
from amagasa.app.pages import Page
from amagasa.app.ports import Crossing, CrossingState, Direction, Position, Reading, Store
from amagasa.detect.report import Detection
from amagasa.event.entity import Entity, EntityKind
from amagasa.incident.alert import Alert, Incident, Status
from amagasa.vocab.severity import Level, Severity

T0 = datetime(2026, 11, 23, tzinfo=UTC)
ALERTS_OF_AN_INCIDENT = 10


def alert(number: int) -> Alert:
    """A plain alert with two examples, about 1.5 kB."""
    address = Entity(kind=EntityKind.SOURCE_ADDRESS, value=f"198.51.{number // 250 % 250}.{number % 250}")
    at = T0 + timedelta(seconds=number)
    event = {"cs-method": "GET", "cs-uri-stem": f"/a/{number}", "cs-user-agent": "Mozilla/5.0", "sc-status": 404}
    example = Detection(
        rule_id=f"rule-{number % 300}",
        title="Path traversal",
        level=Level.HIGH,
        path="/var/log/nginx/access.log",
        record=number + 1,
        event_at=at,
        techniques=(f"T{1000 + number % 200}",),
        tactics=("initial-access",),
        fields={"cs-uri-stem": f"/a/{number}"},
        event=event,
        entities=(address,),
        raw=f'198.51.100.1 - - [23/Nov/2026:00:00:00 +0000] "GET /a/{number} HTTP/1.1" 404 153 "-" "Mozilla/5.0"',
    )
    return Alert(
        id=f"alert--{number:09d}",
        key=f"key--{number % 50_000:09d}",
        content_id=f"rule-{number % 300}",
        is_indicator=False,
        title="Path traversal",
        severity=Severity(1 + number % 5),
        confidence=70,
        origin="",
        source="web",
        first_seen_at=at,
        last_seen_at=at,
        created_at=at,
        updated_at=at,
        n_detections=3,
        techniques=example.techniques,
        tactics=("initial-access",),
        entities=(address,),
        examples=(example,) * 2,
        incident_id=f"incident--{number // ALERTS_OF_AN_INCIDENT:09d}",
    )


def incident(number: int, alerts: list[Alert]) -> Incident:
    """Ten alerts together; every tenth incident is open."""
    first = alerts[0]
    return Incident(
        id=f"incident--{number:09d}",
        title="Path traversal",
        status=Status.OPEN if number % 10 == 0 else Status.CLOSED,
        severity=Severity.HIGH,
        created_at=first.created_at,
        updated_at=first.updated_at,
        first_seen_at=first.first_seen_at,
        last_seen_at=alerts[-1].last_seen_at,
        n_alerts=len(alerts),
        n_detections=3 * len(alerts),
        techniques=first.techniques,
        tactics=first.tactics,
        entities=tuple(dict.fromkeys(entity for one in alerts for entity in one.entities)),
        why={one.id: "same source address" for one in alerts},
        n_by_alert={one.id: 3 for one in alerts},
        links=tuple(f"source-address\x1f{one.entities[0].value}" for one in alerts),
    )


def crossing(number: int) -> Crossing:
    """600 bytes for the ally; every hundredth still waits."""
    return Crossing(
        ally="identity--us",
        agreement="agreement--1",
        direction=Direction.OUT,
        state=CrossingState.PENDING if number % 100 == 0 else CrossingState.DELIVERED,
        object_id=f"sighting--{number:09d}",
        object_type="sighting",
        version="2026-11-23T00:00:00.000Z",
        content=b"x" * 600,
        created_at=T0 + timedelta(seconds=number),
    )


def fill(store: Store, start: int, stop: int, step: int) -> list[float]:
    """Milliseconds of each transaction: `step` alerts, their incidents, as many crossings, a position."""
    times = []
    for base in range(start, stop, step):
        alerts = [alert(n) for n in range(base, base + step)]
        parts = [alerts[n : n + ALERTS_OF_AN_INCIDENT] for n in range(0, step, ALERTS_OF_AN_INCIDENT)]
        incidents = [incident(base // ALERTS_OF_AN_INCIDENT + n, part) for n, part in enumerate(parts)]
        crossings = [crossing(n) for n in range(base, base + step)]
        began = time.perf_counter()
        with store.write() as write:
            write.alerts_by_key([one.key for one in alerts], since=T0 + timedelta(days=999))
            write.save_position(Position(source="web", token={"offset": base}, n_read=base))
            write.save_incidents(incidents)
            write.save_alerts(alerts)
            for one in crossings:
                write.add_crossing(one)
        times.append((time.perf_counter() - began) * 1000)
    return times


def pages(n_alerts: int) -> dict[str, Callable[[Reading], Any]]:
    """What the doors ask for, by name."""
    middle = T0 + timedelta(seconds=n_alerts // 2)
    far: dict[str, str | None] = {}

    def deep(read: Reading) -> Any:
        if "cursor" not in far:
            cursor = None
            for _ in range(min(200, n_alerts // 1000)):
                _, cursor = read.alerts(Page(limit=500, before=cursor))
            far["cursor"] = cursor
        return read.alerts(Page(before=far["cursor"]))

    return {
        "newest 100 alerts": lambda read: read.alerts(Page()),
        "100 alerts far down": deep,
        "alerts of an incident": lambda read: read.alerts(Page(), incident_id=f"incident--{n_alerts // 20:09d}"),
        "100 incidents": lambda read: read.incidents(Page()),
        "100 open incidents": lambda read: read.incidents(Page(), status=Status.OPEN),
        "the queue, 200 of the open incidents": lambda read: (
            read.cases.queue(limit=201),
            read.cases.n_graver(65, beyond=60),
            read.cases.n_alone(),
            read.n_by_status(),
        ),
        "100 crossings of an ally": lambda read: read.crossings(Page(), ally="identity--us", direction=Direction.OUT),
        "outbox, 100 due": lambda read: read.due("identity--us", now=T0 + timedelta(days=999), limit=100),
        "polling, 100": lambda read: read.released_after("identity--us", added_after=middle, limit=100),
        "10 alerts by key": lambda read: read.alerts_by_key([f"key--{n:09d}" for n in range(10)], since=middle),
        "incidents by 10 links": lambda read: read.incidents_linked(
            [f"source-address\x1f198.51.1.{n}" for n in range(10)], since=T0
        ),
        "all counts": lambda read: (
            read.n_by_severity(),
            read.n_by_status(),
            read.n_crossings(),
            read.techniques_seen(),
        ),
    }


def timed(store: Store, n_alerts: int) -> dict[str, float]:
    """Median milliseconds of each page, over 30 snapshots."""
    figures = {}
    for name, page in pages(n_alerts).items():
        with store.read() as read:
            page(read)
        times = []
        for _ in range(30):
            began = time.perf_counter()
            with store.read() as read:
                page(read)
            times.append((time.perf_counter() - began) * 1000)
        figures[name] = round(sorted(times)[len(times) // 2], 2)
    return figures


def main() -> None:
    """Prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, default=None)
    wanted = parser.parse_args()
    small = max(wanted.alerts // 100, 1_000)
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder:
        path = Path(folder) / "state.sqlite"
        store = open_store(path)
        hot = fill(store, 0, small, 10)
        before = timed(store, small)
        bulk = fill(store, small, wanted.alerts, 500)
        hot_full = fill(store, wanted.alerts, wanted.alerts + 5_000, 10)
        after = timed(store, wanted.alerts)
        n_bytes = path.stat().st_size
        store.close()
        began = time.perf_counter()
        open_store(path).close()
        opened = (time.perf_counter() - began) * 1000
    figures = {
        "alerts": wanted.alerts,
        "store_bytes": n_bytes,
        "open_ms": round(opened, 1),
        "ingest transaction (10 alerts, 1 incident, 10 crossings, position), ms p50": round(
            sorted(hot)[len(hot) // 2], 2
        ),
        "the same on the full store, ms p50": round(sorted(hot_full)[len(hot_full) // 2], 2),
        "the same on the full store, ms p99": round(quantiles(hot_full, n=100)[98], 2),
        "alerts a second in transactions of 10": round(10_000 * len(hot_full) / sum(hot_full)),
        "alerts a second in transactions of 500": round(500_000 * len(bulk) / sum(bulk)),
        "pages": {
            name: {"ms": ms, "times a store of 1/100": round(ms / before[name], 2)} for name, ms in after.items()
        },
    }
    json.dump(figures, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
